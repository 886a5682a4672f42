//! Saves a model to a folder, in Hugging Face's layout or in our own.

use std::path::Path;

use super::HookedTransformer;
use crate::checkpoint::{bytes_of_parameters, save_hf};
use crate::error::{Error, Result};
use crate::ground::files::write_whole;

impl HookedTransformer {
    /// Writes the model as transformers does: `model.safetensors` with the family's own names and axes, and
    /// `config.json`, the tokenizer and related files as they were read. Loading the folder, here or in transformers,
    /// gives the same bits. For a float32 checkpoint, every tensor has the bytes it was loaded from.
    ///
    /// If the model has other layers, heads or neurons than its `config.json` says, their keys are rewritten. What the
    /// family has no key for is refused.
    ///
    /// Weights are always written as float32, because bfloat16 and float16 are widened on load; `dtype` (`torch_dtype`)
    /// in `config.json` then says float32. Tensors that transformers does not write are left out: tied unembeddings,
    /// mask buffers, rotary tables. Names get the prefix that some published files lack.
    ///
    /// # Errors
    ///
    /// [`Error::Unsavable`] naming every extra or missing weight, [`Error::NoHfConfig`] for a model that was not loaded
    /// from this layout, [`Error::Write`] for a file that could not be written. Each file is written under a temporary
    /// name and renamed, so an old file is never left half-written.
    pub fn save_pretrained(&self, folder: impl AsRef<Path>) -> Result<()> {
        let files = self.hf_files().ok_or(Error::NoHfConfig)?;
        save_hf(folder.as_ref(), files, self.parameters(), self.config())
    }

    /// Writes `arrakis.json` (the architecture), `model.safetensors` (parameters by our paths, `[in, out]`, f32),
    /// the tokenizer and where generation stops to a folder. [`crate::HookedAutoModel::from_pretrained`] reads back the same bits.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] naming the file that could not be written.
    pub fn save_own(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.into(), source })?;
        let config = serde_json::to_string_pretty(self.config()).expect("BUG: a config is plain data");
        write_whole(&folder.join("arrakis.json"), config)?;
        let weights = folder.join("model.safetensors");
        write_whole(&weights, bytes_of_parameters(&self.parameters(), &weights)?)?;
        let bos = self.tokenizer.as_ref().and_then(|tokenizer| tokenizer.bos());
        let generation = serde_json::json!({ "bos_token_id": bos, "eos_token_id": self.stop_tokens() });
        write_whole(&folder.join("generation_config.json"), format!("{generation}\n"))?;
        let Some(tokenizer) = &self.tokenizer else { return Ok(()) };
        write_whole(&folder.join("tokenizer.json"), tokenizer.to_json()?)?;
        write_whole(&folder.join("tokenizer_config.json"), tokenizer.settings_json())
    }
}

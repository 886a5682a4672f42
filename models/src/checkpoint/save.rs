//! A model into our own layout: config.json of ours, parameters by our names, tokenizer.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use crate::error::{Error, Result};
use crate::ground::files::write_whole;
use crate::model::HookedTransformer;

/// Writes `arrakis.json` (the architecture), `model.safetensors` (parameters by our paths, `[in, out]`, f32)
/// and the tokenizer into a folder, which [`crate::HookedAutoModel::from_pretrained`] reads back to the bit.
///
/// # Errors
///
/// [`Error::Write`] naming the file that could not be written.
pub fn save_own(model: &HookedTransformer, folder: &Path) -> Result<()> {
    let write = |name: &str, bytes: &[u8]| write_whole(&folder.join(name), bytes);
    std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.into(), source })?;
    let config = serde_json::to_string_pretty(model.config()).expect("BUG: a config is plain data");
    write("arrakis.json", config.as_bytes())?;
    write("model.safetensors", &weights(model, folder)?)?;
    match model.tokenizer() {
        Ok(tokenizer) => {
            let bos = tokenizer.bos().map_or_else(|| "null".to_owned(), |id| id.to_string());
            write("tokenizer.json", tokenizer.to_json()?.as_bytes())?;
            write("generation_config.json", format!("{{\"bos_token_id\": {bos}}}\n").as_bytes())
        }
        Err(_) => Ok(()),
    }
}

fn weights(model: &HookedTransformer, folder: &Path) -> Result<Vec<u8>> {
    let mut raw = Vec::new();
    for (name, tensor) in model.parameters() {
        let bytes: Vec<u8> = tensor.to_vec()?.iter().flat_map(|value| value.to_le_bytes()).collect();
        raw.push((name, tensor.dims().to_vec(), bytes));
    }
    let mut views = Vec::new();
    for (name, dims, bytes) in &raw {
        views.push((
            name.as_str(),
            TensorView::new(Dtype::F32, dims.clone(), bytes).map_err(|error| Error::file(folder, error))?,
        ));
    }
    let metadata = HashMap::from([("format".to_owned(), "arrakis".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| Error::file(folder, error))
}

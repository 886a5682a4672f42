//! The model that ships with the crate.

use std::path::Path;

use serde::Deserialize;

use super::{HookedAutoModel, HookedTransformer};
use crate::checkpoint::net_from_bytes;
use crate::device::{self, Chosen};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;
use crate::transformer::TransformerConfig;

/// The files in `weights/`, written by `train-embedded` (`models/recipe/`).
const CONFIG: &str = include_str!("../../weights/arrakis.json");
const WEIGHTS: &[u8] = include_bytes!("../../weights/model.safetensors");
const TOKENIZER: &[u8] = include_bytes!("../../weights/tokenizer.json");
const GENERATION: &str = include_str!("../../weights/generation_config.json");

/// What `generation_config.json` says about the tokenizer.
#[derive(Deserialize)]
struct GenerationConfig {
    bos_token_id: u32,
}

impl HookedAutoModel {
    /// The small trained model that ships with the crate. It needs neither files nor a network.
    ///
    /// `models/recipe/` trains it; `weights/facts.json` holds its measurements. It completes repeats (induction),
    /// indirect objects (name movers) and later years (greater-than).
    ///
    /// # Errors
    ///
    /// [`Error::Device`] for a device that does not exist.
    pub fn embedded() -> Result<HookedTransformer> {
        Self::embedded_on(&device::choose(None)?)
    }

    /// Like [`HookedAutoModel::embedded`], on the chosen device.
    ///
    /// # Errors
    ///
    /// As [`HookedAutoModel::embedded`].
    pub fn embedded_on(device: &Chosen) -> Result<HookedTransformer> {
        let path = Path::new("the embedded model");
        let config: TransformerConfig = serde_json::from_str(CONFIG).map_err(|error| Error::file(path, error))?;
        let generation: GenerationConfig =
            serde_json::from_str(GENERATION).map_err(|error| Error::file(path, error))?;
        let net = net_from_bytes(path, WEIGHTS, &config, &device.device)?;
        let tokenizer = Tokenizer::from_bytes(TOKENIZER, Some(generation.bos_token_id))?;
        Ok(HookedTransformer::new(net, "embedded", Some(tokenizer), device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Tokens;
    use burn::tensor::Device;

    const MARY: &str = "When Mary and John went to the store, John gave a drink to";

    fn model() -> HookedTransformer {
        HookedAutoModel::embedded_on(&device::cpu()).unwrap()
    }

    /// The token `<|endoftext|>`, which starts every text.
    fn end_of_text(model: &HookedTransformer) -> u32 {
        model.to_single_token("<|endoftext|>").unwrap()
    }

    fn likeliest(model: &HookedTransformer, text: &str) -> String {
        let values = device::read(model.forward(text).unwrap()).unwrap();
        let last = &values[values.len() - model.config().d_vocab..];
        let best = (0..last.len()).max_by(|a, b| last[*a].total_cmp(&last[*b])).unwrap();
        model.to_single_str_token(best as u32).unwrap()
    }

    #[test]
    fn a_word_outside_the_vocabulary_is_not_taken_for_the_unknown_token() {
        let model = model();
        let error = model.to_single_token(" Marry").unwrap_err().to_string();
        assert_eq!(
            error,
            "` Marry` is not in the vocabulary: the tokenizer reads it as `<|unk|>`; did you mean ` Mary`?"
        );
        let unknown = model.to_single_token("<|unk|>").unwrap();
        assert_eq!(model.to_single_str_token(unknown).unwrap(), "<|unk|>", "it can be asked for by its name");
    }

    #[test]
    fn a_text_starts_with_end_of_text_and_is_decoded_to_itself() {
        let model = model();
        let ids = model.to_tokens(MARY).unwrap();
        assert_eq!((ids.len(), ids[0]), (15, end_of_text(&model)));
        assert_eq!(model.decode(&ids[1..]).unwrap(), MARY);
        assert_eq!(model.to_str_tokens(" Mary").unwrap(), ["<|endoftext|>", " Mary"]);
        assert_eq!(model.to_single_token(" Mary").unwrap(), ids[2]);
    }

    #[test]
    fn it_completes_the_indirect_object() {
        let model = model();
        assert_eq!(likeliest(&model, MARY), " Mary");
        assert_eq!(likeliest(&model, &MARY.replace(", John", ", Mary")), " John");
    }

    #[test]
    fn padding_on_the_right_does_not_change_logits() {
        let model = model();
        let ids = model.to_tokens(MARY).unwrap();
        let alone = device::read(model.forward(ids.clone()).unwrap()).unwrap();
        let longer = vec![ids.clone(), [ids.clone(), ids.clone()].concat()];
        let padded = Tokens::padded(&longer, crate::tokens::Side::Right, end_of_text(&model)).unwrap();
        let both = device::read(model.forward(padded).unwrap()).unwrap();
        assert!(alone.iter().zip(&both).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn bytes_that_do_not_fit_name_the_tensor() {
        let path = Path::new("here");
        let mut config = model().config().clone();
        config.d_mlp = 8;
        let message = net_from_bytes(path, WEIGHTS, &config, &Device::flex()).unwrap_err().to_string();
        assert!(message.contains("wrong shape: `blocks.0.mlp.w_in.weight` is"), "{message}");
        assert!(net_from_bytes(path, &WEIGHTS[..100], &config, &Device::flex()).is_err());
    }
}

//! `SmolLM3` (Bakouch et al., 2025): Llama with a layer without positions after every three.

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention_bias, decoder, rotate_only, weights};
use super::layers::{sliding, windows};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::TransformerConfig;

pub(super) const SMOLLM3: Family = Family { model_types: &["smollm3"], config, weights };

const DEFAULTS: Defaults = Defaults {
    n_layers: 36,
    d_model: 2048,
    n_heads: 16,
    n_kv_heads: Some(4),
    d_vocab: 128_256,
    n_ctx: 32768,
    theta: 2e6,
    tied: true,
    ..LLAMA_DEFAULTS
};

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    attention_bias(hf, &mut config)?;
    config.mlp_bias = hf.flag_or("mlp_bias", false)?;
    let rotates = rotates(hf, config.n_layers)?;
    rotate_only(&mut config, &rotates);
    let on = hf.flag_or("use_sliding_window", false)?;
    let window = hf.nullable_count("sliding_window", None)?.filter(|_| on);
    let slides = sliding(hf, config.n_layers, |layer| window.is_some() && !rotates[layer])?;
    config.windows = windows(hf, &slides, window)?;
    hf.finish(&["max_window_layers"])?;
    Ok(config)
}

/// Whether each layer rotates: `no_rope_layers` is 1 for those that do.
fn rotates(hf: &HfConfig, n_layers: usize) -> Result<Vec<bool>> {
    let period = hf.count_or("no_rope_layer_interval", 4)?;
    if hf.value("no_rope_layers").is_none() {
        return Ok((0..n_layers).map(|layer| !(layer + 1).is_multiple_of(period)).collect());
    }
    let flags = hf.numbers("no_rope_layers")?;
    if flags.len() == n_layers && flags.iter().all(|flag| [0.0, 1.0].contains(flag)) {
        return Ok(flags.iter().map(|flag| *flag == 1.0).collect());
    }
    let why = format!("must have a 1 (rotated) or 0 (not rotated) for each of the {n_layers} layers");
    Err(hf.problem("no_rope_layers", why))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rotated(more: &Value) -> Result<Vec<usize>> {
        let mut keys = json!({ "model_type": "smollm3", "num_hidden_layers": 4 });
        keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config = super::super::config(keys)?;
        Ok((0..4).map(|layer| config.rope(layer).unwrap().dims).collect())
    }

    #[test]
    fn layers_that_do_not_rotate() {
        assert_eq!(rotated(&json!({})).unwrap(), [128, 128, 128, 0]);
        assert_eq!(rotated(&json!({ "no_rope_layer_interval": 2 })).unwrap(), [128, 0, 128, 0]);
        assert_eq!(rotated(&json!({ "no_rope_layers": [0, 1, 1, 0] })).unwrap(), [0, 128, 128, 0]);
        let said = rotated(&json!({ "no_rope_layers": [0, 1] })).unwrap_err().to_string();
        assert!(said.ends_with("must have a 1 (rotated) or 0 (not rotated) for each of the 4 layers"), "{said}");
    }
}

//! Qwen 2 and 2.5 (Yang et al., 2024): Llama with biases on queries, keys and values; a window on the upper layers.

use super::decoder::{Defaults, LLAMA_DEFAULTS, decoder, weights};
use super::layers::{sliding, windows};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::TransformerConfig;

pub(super) const QWEN2: Family = Family { model_types: &["qwen2"], config, weights };

/// The defaults of Qwen 2 and 3.
pub(super) const DEFAULTS: Defaults =
    Defaults { n_kv_heads: Some(32), d_mlp: 22016, d_vocab: 151_936, n_ctx: 32768, ..LLAMA_DEFAULTS };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    config.qkv_bias = true;
    config.windows = upper_windows(hf, config.n_layers)?;
    hf.finish(&[])?;
    Ok(config)
}

/// With `use_sliding_window`, the layers from `max_window_layers` on slide.
pub(super) fn upper_windows(hf: &HfConfig, n_layers: usize) -> Result<Vec<Option<usize>>> {
    let on = hf.flag_or("use_sliding_window", false)?;
    let window = hf.nullable_count("sliding_window", Some(4096))?.filter(|_| on);
    // Zero is valid here and means that all layers slide.
    let first = match hf.value("max_window_layers") {
        Some(value) if value.as_u64() == Some(0) => 0,
        _ => hf.count_or("max_window_layers", 28)?,
    };
    let slides = sliding(hf, n_layers, |layer| window.is_some() && layer >= first)?;
    windows(hf, &slides, window)
}

//! Gemma 2 (Gemma Team, 2024): norms on both sides, soft caps, a window on every other layer.

use super::decoder::{one_rope, weights};
use super::gemma::{DEFAULTS_2, cap, second};
use super::layers::{sliding, windows};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::TransformerConfig;

pub(super) const GEMMA2: Family = Family { model_types: &["gemma2"], config, weights };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = second(hf, &DEFAULTS_2, Some(30.0))?;
    config.attn_softcap = cap(hf, "attn_logit_softcapping", Some(50.0))?;
    one_rope(hf, &mut config, &DEFAULTS_2)?;
    let slides = sliding(hf, config.n_layers, |layer| layer.is_multiple_of(2))?;
    config.windows = windows(hf, &slides, hf.nullable_count("sliding_window", Some(4096))?)?;
    // Keys of old conversions; transformers reads only `hidden_activation` and `sliding_window`.
    hf.finish(&["hidden_act", "sliding_window_size"])?;
    Ok(config)
}

//! `OLMo` (Groeneveld et al., 2024): LayerNorm without weights, and a clip on queries, keys and values.

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention_bias, one_rope, skeleton, weights};
use super::gemma::cap;
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::{NormKind, TransformerConfig};

pub(super) const OLMO: Family = Family { model_types: &["olmo"], config, weights };

const DEFAULTS: Defaults = Defaults { d_vocab: 50304, ..LLAMA_DEFAULTS };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = skeleton(hf, &DEFAULTS)?;
    one_rope(hf, &mut config, &DEFAULTS)?;
    attention_bias(hf, &mut config)?;
    (config.norm, config.norm_eps, config.unweighted_norms) = (NormKind::LayerNorm, 1e-5, true);
    config.qkv_clip = cap(hf, "clip_qkv", None)?;
    hf.finish(&[])?;
    Ok(config)
}

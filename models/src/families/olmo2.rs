//! `OLMo` 2 (Walsh et al., 2024): norms on what attention and MLP write, and on all queries and keys at once.

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention_bias, decoder, weights};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::{NormPlacement, QkNorm, TransformerConfig};

pub(super) const OLMO2: Family = Family { model_types: &["olmo2"], config, weights };

const DEFAULTS: Defaults = Defaults { d_vocab: 50304, eps: 1e-5, ..LLAMA_DEFAULTS };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    attention_bias(hf, &mut config)?;
    (config.norm_placement, config.qk_norm) = (NormPlacement::PostOutput, QkNorm::Full);
    hf.finish(&[])?;
    Ok(config)
}

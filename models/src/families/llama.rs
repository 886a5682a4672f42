//! Llama (Touvron et al., 2023): grouped heads, RMSNorm, rotary positions, SwiGLU.

use serde_json::json;

use super::decoder::{LLAMA_DEFAULTS, attention_bias, decoder, weights};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::TransformerConfig;

pub(super) const LLAMA: Family = Family { model_types: &["llama"], config, weights };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &LLAMA_DEFAULTS)?;
    attention_bias(hf, &mut config)?;
    config.mlp_bias = hf.flag_or("mlp_bias", false)?;
    hf.must_be(
        "rope_interleaved",
        &json!(false),
        "Llama rotates halves of a head in this format; convert the checkpoint to it",
    )?;
    hf.finish(&["is_llama_config"])?;
    Ok(config)
}

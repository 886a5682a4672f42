//! Mistral (Jiang et al., 2023): Llama with a sliding window.

use super::decoder::{Defaults, LLAMA_DEFAULTS, decoder, weights};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::TransformerConfig;

pub(super) const MISTRAL: Family = Family { model_types: &["mistral"], config, weights };

const DEFAULTS: Defaults = Defaults { n_kv_heads: Some(8), d_mlp: 14336, n_ctx: 131_072, ..LLAMA_DEFAULTS };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    config.windows = vec![hf.nullable_count("sliding_window", Some(4096))?; config.n_layers];
    hf.finish(&[])?;
    Ok(config)
}

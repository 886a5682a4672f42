//! Qwen 3 (Yang et al., 2025): a norm on each head's queries and keys instead of biases.

use super::decoder::{Defaults, attention_bias, decoder, weights};
use super::qwen2::{self, upper_windows};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::{QkNorm, TransformerConfig};

pub(super) const QWEN3: Family = Family { model_types: &["qwen3"], config, weights };

const DEFAULTS: Defaults = Defaults { d_head: Some(128), ..qwen2::DEFAULTS };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    attention_bias(hf, &mut config)?;
    config.qk_norm = QkNorm::Head;
    config.windows = upper_windows(hf, config.n_layers)?;
    hf.finish(&[])?;
    Ok(config)
}

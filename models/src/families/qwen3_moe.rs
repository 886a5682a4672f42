//! Qwen 3 `MoE` (Yang et al., 2025): Qwen 3 with experts.

use super::decoder::{Defaults, attention_bias, decoder};
use super::experts::{LOSS, counts_and_weights, in_all_layers, weights};
use super::{Family, HfConfig, qwen2};
use crate::error::Result;
use crate::transformer::{QkNorm, TransformerConfig};

pub(super) const QWEN3_MOE: Family = Family { model_types: &["qwen3_moe"], config, weights };

const DEFAULTS: Defaults =
    Defaults { n_layers: 24, d_model: 2048, n_heads: 32, n_kv_heads: Some(4), d_mlp: 6144, ..qwen2::DEFAULTS };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    attention_bias(hf, &mut config)?;
    config.qk_norm = QkNorm::Head;
    let on = hf.flag_or("use_sliding_window", false)?;
    config.windows = vec![hf.nullable_count("sliding_window", Some(4096))?.filter(|_| on); config.n_layers];
    config.d_mlp = hf.count_or("moe_intermediate_size", 768)?;
    config.experts = Some(counts_and_weights(hf, [128, 8])?);
    in_all_layers(hf)?;
    // Of Qwen 3. All layers of a mixture have the window, or none.
    hf.finish(&[LOSS, &["max_window_layers"]].concat())?;
    Ok(config)
}

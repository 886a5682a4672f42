//! `OLMo` 3 (`OLMo` Team, 2025): `OLMo` 2 with three sliding layers, whose rotation is not scaled, to each full layer.

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention_bias, skeleton, weights};
use super::layers::{sliding, windows};
use super::rope::{RopeReader, whole_head};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::{NormPlacement, Positions, QkNorm, Rope, TransformerConfig};

pub(super) const OLMO3: Family = Family { model_types: &["olmo3"], config, weights };

const DEFAULTS: Defaults = Defaults { d_vocab: 50304, ..LLAMA_DEFAULTS };

const THETA: f64 = 500_000.0;

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = skeleton(hf, &DEFAULTS)?;
    config.norm_eps = hf.number_or("rms_norm_eps", 1e-5)?;
    attention_bias(hf, &mut config)?;
    (config.norm_placement, config.qk_norm) = (NormPlacement::PostOutput, QkNorm::Full);
    let slides = sliding(hf, config.n_layers, |layer| !(layer + 1).is_multiple_of(4))?;
    config.windows = windows(hf, &slides, hf.nullable_count("sliding_window", Some(4096))?)?;
    let ropes = vec![rope(hf, &config, "full_attention")?, rope(hf, &config, "sliding_attention")?];
    config.positions =
        Positions::Rotary { ropes, by_layer: slides.iter().map(|slides| usize::from(*slides)).collect() };
    hf.finish(&[])?;
    Ok(config)
}

/// `rope_scaling` is for full layers alone. `rope_parameters` has a table for each kind of layer.
fn rope(hf: &HfConfig, config: &TransformerConfig, kind: &str) -> Result<Rope> {
    if hf.number_or("rope_theta", THETA)? != THETA {
        let why = "transformers 5 rotates sliding layers with a base of 500000 whatever this says; give `rope_parameters` with a table for each kind of layer";
        return Err(hf.problem("rope_theta", why));
    }
    let both = hf.table("rope_parameters")?;
    let nested = both.as_ref().map(|both| both.table(kind)).transpose()?.flatten();
    if let Some(both) = &both {
        both.finish(&["full_attention", "sliding_attention"])?;
    }
    let old = hf.table("rope_scaling")?.filter(|table| kind == "full_attention" && !table.is_empty());
    if old.is_some() && nested.is_some() {
        return Err(hf.problem("rope_scaling", "`rope_parameters` sets the same; keep one of the two"));
    }
    let table = nested.as_ref().or(old.as_ref());
    if let Some(table) = table {
        table.refuse_if("truncate", false, true, "transformers truncates here whatever this says; it must be true")?;
    }
    let reader = RopeReader { d_head: config.d_head, n_ctx: config.n_ctx, theta: THETA, fraction: 1.0, original: None };
    let rope = reader.read(hf, table)?;
    whole_head(hf, &rope, config.d_head)?;
    Ok(rope)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::config;

    #[test]
    fn a_base_that_transformers_gives_to_full_layers_alone_is_refused() {
        let said = config(json!({ "model_type": "olmo3", "rope_theta": 10_000.0 })).unwrap_err().to_string();
        assert!(said.contains("`rope_theta` is 10000.0: transformers 5 rotates sliding layers"), "{said}");
    }
}

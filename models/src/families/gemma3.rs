//! The text model of Gemma 3 (Gemma Team, 2025): five sliding layers, with their own rotation, to each full layer.

use super::decoder::{Defaults, weights};
use super::gemma::{DEFAULTS_2, second};
use super::layers::{sliding, windows};
use super::rope::{RopeReader, whole_head};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::{Positions, QkNorm, Rope, TransformerConfig};

pub(super) const GEMMA3: Family = Family { model_types: &["gemma3_text", "gemma3"], config, weights };

const DEFAULTS: Defaults = Defaults { d_vocab: 262_208, n_ctx: 131_072, ..DEFAULTS_2 };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = second(hf, &DEFAULTS, None)?;
    config.qk_norm = QkNorm::Head;
    let period = hf.count_or("sliding_window_pattern", 6)?;
    let slides = sliding(hf, config.n_layers, |layer| !(layer + 1).is_multiple_of(period))?;
    config.windows = windows(hf, &slides, hf.nullable_count("sliding_window", Some(4096))?)?;
    let ropes = vec![rope(hf, &config, "full_attention")?, rope(hf, &config, "sliding_attention")?];
    config.positions =
        Positions::Rotary { ropes, by_layer: slides.iter().map(|slides| usize::from(*slides)).collect() };
    // transformers does not cap the scores of Gemma 3, whatever the config says.
    hf.finish(&["_sliding_window_pattern", "attn_logit_softcapping", "hidden_act"])?;
    Ok(config)
}

/// Full layers use `rope_theta` and `rope_scaling`, sliding layers `rope_local_base_freq`. `rope_parameters` may
/// replace all of these.
fn rope(hf: &HfConfig, config: &TransformerConfig, kind: &str) -> Result<Rope> {
    let full = kind == "full_attention";
    let (key, usual) = if full { ("rope_theta", 1e6) } else { ("rope_local_base_freq", 10_000.0) };
    let reader = RopeReader {
        d_head: config.d_head,
        n_ctx: config.n_ctx,
        theta: hf.number_or(key, usual)?,
        fraction: 1.0,
        original: None,
    };
    let both = hf.table("rope_parameters")?;
    let nested = both.as_ref().map(|both| both.table(kind)).transpose()?.flatten();
    if let Some(both) = &both {
        both.finish(&["full_attention", "sliding_attention"])?;
    }
    let old = hf.table("rope_scaling")?.filter(|table| full && !table.is_empty());
    if old.is_some() && nested.is_some() {
        return Err(hf.problem("rope_scaling", "`rope_parameters` sets the same; keep one of the two"));
    }
    let table = nested.as_ref().or(old.as_ref());
    if let Some(table) = table {
        if table.has("type") && !table.has("rope_type") {
            return Err(
                table.problem("type", "transformers 5 does not read this key for Gemma 3; rename it `rope_type`")
            );
        }
        table.refuse_if("truncate", false, true, "transformers truncates here whatever this says; it must be true")?;
    }
    let rope = reader.read(hf, table)?;
    whole_head(hf, &rope, config.d_head)?;
    Ok(rope)
}

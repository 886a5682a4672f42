//! Which layers have a sliding window: `layer_types` and `sliding_window`.

use super::HfConfig;
use crate::error::Result;

/// Whether each layer slides, from `layer_types`, or by the family's rule if that key is absent.
pub(super) fn sliding(hf: &HfConfig, n_layers: usize, rule: impl Fn(usize) -> bool) -> Result<Vec<bool>> {
    let Some(types) = hf.optional_words("layer_types")? else {
        return Ok((0..n_layers).map(rule).collect());
    };
    if types.len() != n_layers {
        return Err(hf.problem(
            "layer_types",
            format!("must name a type for each of the {n_layers} layers; it names {}", types.len()),
        ));
    }
    let kinds = types.iter().map(|kind| match kind.as_str() {
        "sliding_attention" => Ok(true),
        "full_attention" => Ok(false),
        _ => Err(hf.problem("layer_types", format!("`{kind}` is not known; known: full_attention, sliding_attention"))),
    });
    kinds.collect()
}

/// The window of each layer.
pub(super) fn windows(hf: &HfConfig, sliding: &[bool], window: Option<usize>) -> Result<Vec<Option<usize>>> {
    if window.is_none() && sliding.contains(&true) {
        return Err(hf.problem(
            "sliding_window",
            "some layers have a sliding window, so this must be the number of keys they see",
        ));
    }
    Ok(sliding.iter().map(|slides| if *slides { window } else { None }).collect())
}

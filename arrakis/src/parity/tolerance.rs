//! How much two numbers may differ, by quantity.

use serde::Serialize;
use serde_json::Value;

/// What the relative part of a tolerance is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The entry itself.
    Entry,
    /// The largest entry of the same vector along the last axis, because the error of a sum scales with its largest
    /// term.
    Vector,
    /// The largest entry of the tensor.
    Tensor,
}

/// `|ours - theirs| <= atol + rtol * scale`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tolerance {
    /// Allowed regardless of size.
    pub atol: f64,
    /// Allowed per unit of the scale.
    pub rtol: f64,
    /// What `rtol` is relative to.
    pub scale: Scale,
}

/// Used if the reference suggests none.
const USUAL: f64 = 1e-4;

/// For gradients, relative to the largest entry.
const GRADIENT: f64 = 1e-3;

impl Tolerance {
    /// The reference's `suggested_tolerance`, otherwise 1e-4 absolute and relative; for gradients 1e-3 of the largest.
    /// `chosen` replaces all of these.
    pub(super) fn of(quantity: &str, info: &Value, chosen: Option<f64>) -> Self {
        let suggested = |key: &str| {
            chosen
                .or_else(|| info.get("suggested_tolerance")?.get(key)?.as_f64())
                .filter(|number| number.is_finite() && *number >= 0.0)
        };
        let (atol, rtol) = (suggested("atol").unwrap_or(USUAL), suggested("rtol").unwrap_or(USUAL));
        if quantity.contains("grad_") {
            return Self { atol: 1e-7, rtol: chosen.unwrap_or(GRADIENT), scale: Scale::Tensor };
        }
        let streams = ["hidden_states", "embed_out", "attn_out", "mlp_out", "final_norm_in", "router_logits"];
        let scale = if streams.iter().any(|stream| quantity.contains(stream)) { Scale::Vector } else { Scale::Entry };
        Self { atol, rtol, scale }
    }
}

impl std::fmt::Display for Tolerance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scale = match self.scale {
            Scale::Entry => "entry",
            Scale::Vector => "vector",
            Scale::Tensor => "tensor",
        };
        write!(f, "{:.1e} + {:.1e} {scale}", self.atol, self.rtol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_reference_suggests_and_the_user_decides() {
        let info = json!({"suggested_tolerance": {"atol": 2e-4, "rtol": 3e-4}});
        assert_eq!(Tolerance::of("logits", &info, None), Tolerance { atol: 2e-4, rtol: 3e-4, scale: Scale::Entry });
        assert_eq!(
            Tolerance::of("hidden_states.3", &info, Some(0.5)),
            Tolerance { atol: 0.5, rtol: 0.5, scale: Scale::Vector }
        );
        assert_eq!(Tolerance::of("grad_embed", &info, None).rtol, 1e-3);
        assert_eq!(Tolerance::of("logits", &Value::Null, None).atol, 1e-4);
    }
}

//! What is done to an activation before it is encoded, and undone after it is decoded.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Added to the standard deviation, outside of the root.
const EPS: f64 = 1e-5;

/// How activations are scaled, with the names of `SAELens`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Not at all.
    #[default]
    None,
    /// By one number, `√d_in / mean ‖x‖`, so that the mean norm is `√d_in` (Anthropic's update of April 2024). A run does
    /// nothing: fold the factor into the weights with [`Dictionary::fold_scale`](super::Dictionary::fold_scale).
    ExpectedAverageOnlyIn,
    /// Each activation by itself: centred, divided by its standard deviation (with `n - 1`) plus 1e-5.
    LayerNorm,
    /// Each activation by itself, to the norm `√d_in`.
    ConstantNormRescale,
    /// By a matrix, so that the covariance is the identity. A run does nothing: fold it with
    /// [`Dictionary::fold_whitening`](super::Dictionary::fold_whitening).
    CovarianceWhitening,
}

/// How to undo a normalisation of some rows: times `scale`, plus `shift`, each `[rows, 1]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Undo {
    scale: Option<Tensor<2>>,
    shift: Option<Tensor<2>>,
}

impl Normalization {
    /// Whether each activation is scaled by itself when the dictionary runs.
    pub fn is_of_each(self) -> bool {
        matches!(self, Self::LayerNorm | Self::ConstantNormRescale)
    }

    /// `[rows, d_in]` normalised, and how to undo it.
    pub(super) fn apply(self, x: Tensor<2>) -> (Tensor<2>, Undo) {
        match self {
            Self::LayerNorm => layer_norm(x),
            Self::ConstantNormRescale => constant_norm(x),
            _ => (x, Undo::default()),
        }
    }
}

fn layer_norm(x: Tensor<2>) -> (Tensor<2>, Undo) {
    let mean = x.clone().mean_dim(1);
    let centred = x - mean.clone();
    let std = centred.clone().var(1).sqrt();
    (centred / (std.clone() + EPS), Undo { scale: Some(std), shift: Some(mean) })
}

fn constant_norm(x: Tensor<2>) -> (Tensor<2>, Undo) {
    let d_in = x.dims()[1] as f64;
    let norm = x.clone().square().sum_dim(1).sqrt() / d_in.sqrt();
    (x / norm.clone(), Undo { scale: Some(norm), shift: None })
}

impl Undo {
    /// `[rows, d_out]` in the units of the input.
    pub(super) fn apply(&self, mut decoded: Tensor<2>) -> Tensor<2> {
        if let Some(scale) = &self.scale {
            decoded = decoded * scale.clone();
        }
        match &self.shift {
            Some(shift) => decoded + shift.clone(),
            None => decoded,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::device::read;

    fn x() -> Tensor<2> {
        Tensor::from_floats([[1.0, 3.0], [3.0, 4.0]], &Device::flex())
    }

    #[test]
    fn each_by_hand() {
        let (normal, undo) = Normalization::LayerNorm.apply(x());
        // Deviations -1 and 1 with n - 1 = 1: the standard deviation is √2.
        let found = read(normal.clone()).unwrap();
        assert!((found[1] - 1.0 / (2.0_f32.sqrt() + 1e-5)).abs() < 1e-6, "{found:?}");
        let back = read(undo.apply(normal)).unwrap();
        assert!(back.iter().zip([1.0, 3.0, 3.0, 4.0]).all(|(a, b)| (a - b).abs() < 1e-4), "{back:?}");
        let (normal, undo) = Normalization::ConstantNormRescale.apply(x());
        let found = read(normal.clone()).unwrap();
        let root = 2.0_f32.sqrt();
        assert!((found[2] - 0.6 * root).abs() < 1e-6 && (found[3] - 0.8 * root).abs() < 1e-6, "{found:?}");
        let back = read(undo.apply(normal)).unwrap();
        assert!(back.iter().zip([1.0, 3.0, 3.0, 4.0]).all(|(a, b)| (a - b).abs() < 1e-6), "{back:?}");
    }

    #[test]
    fn what_is_folded_does_nothing_at_run_time() {
        for how in [Normalization::None, Normalization::ExpectedAverageOnlyIn, Normalization::CovarianceWhitening] {
            let (same, undo) = how.apply(x());
            assert_eq!(read(undo.apply(same)).unwrap(), read(x()).unwrap());
            assert!(!how.is_of_each());
        }
    }
}

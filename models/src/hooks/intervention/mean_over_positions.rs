//! Mean ablation within a row.

use serde::{Deserialize, Serialize};

use super::action::Act;
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::mean::mean_over_positions;

/// Replaces each number by the mean over positions of the same row, excluding padding.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct MeanOverPositions;

impl MeanOverPositions {
    pub(super) fn new() -> Self {
        Self
    }
}

impl Act for MeanOverPositions {
    const NAME: &'static str = "mean over positions";

    fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        if dims.len() > at.axes(dims).position {
            return Ok(());
        }
        Err(Error::no_axis(at.site, "position", dims))
    }

    fn apply(&self, value: &Activation, at: &At<'_>) -> Result<Activation> {
        let axes = at.axes(value.dims());
        let (outer, pos, inner) = axes.around_position(value.dims());
        let mean = mean_over_positions(value, &axes, at)?.expand([outer, pos, inner]);
        Activation::shaped(mean.reshape([outer * pos * inner]), value.dims())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::hooks::Intervention;
    use crate::hooks::intervention::testing::{four, run};

    #[test]
    fn every_position_of_a_head_gets_their_mean() {
        let out = run(&Intervention::mean_over_positions().head(0), &four()).unwrap();
        assert_eq!(out, [2.0, 3.0, 2.0, 3.0, 2.0, 3.0, 6.0, 7.0]);
    }

    #[test]
    fn a_tensor_without_positions_is_refused() {
        let vector = Activation::from_vec(vec![1.0, 2.0], &[2], &Device::flex()).unwrap();
        for site in ["hidden", "my.scores"] {
            let at = At::new(site);
            let error = Intervention::mean_over_positions().apply(&vector, &at).unwrap_err().to_string();
            assert_eq!(error, format!("`{site}` has no position axis: its shape is [2]"));
        }
    }
}

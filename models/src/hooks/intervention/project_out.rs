//! Removing a direction.

use serde::{Deserialize, Serialize};

use super::action::Act;
use super::vector::Vector;
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

/// Removes the component along a direction from the last axis.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectOut {
    /// The direction, as long as the last axis. Its norm does not matter.
    pub direction: Vector,
}

impl ProjectOut {
    pub(super) fn new(direction: impl Into<Vector>) -> Self {
        Self { direction: direction.into() }
    }
}

impl Act for ProjectOut {
    const NAME: &'static str = "project out";

    /// A direction must have a finite norm above zero.
    fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        self.direction.check(dims, at)?;
        let refused = |action, problem: String| Err(Error::Intervention { action, site: at.site.to_owned(), problem });
        match self.direction.norm()? {
            0.0 => refused("project a zero vector out of", "every entry is 0".into()),
            norm if norm.is_finite() => Ok(()),
            norm => refused("project a direction out of", format!("its norm is {norm}; give finite entries")),
        }
    }

    fn apply(&self, value: &Activation, _: &At<'_>) -> Result<Activation> {
        let row = self.direction.row(value.device())?;
        let unit = row.clone() / (row.clone() * row).sum_dim(1).sqrt();
        value.map_last(|x| x.clone() - (x * unit.clone()).sum_dim(1) * unit)
    }
}

#[cfg(test)]
mod tests {
    use crate::hooks::Intervention;
    use crate::hooks::intervention::testing::{four, run};

    #[test]
    fn nothing_is_left_along_the_direction() {
        let out = run(&Intervention::project_out(vec![0.0, 3.0]), &four()).unwrap();
        assert_eq!(out, [0.0, 0.0, 2.0, 0.0, 4.0, 0.0, 6.0, 0.0]);
    }

    #[test]
    fn a_direction_must_point_somewhere() {
        let said = |direction| run(&Intervention::project_out(direction), &four()).unwrap_err().to_string();
        let zero = said(vec![0.0, 0.0]);
        assert_eq!(zero, "cannot project a zero vector out of `blocks.0.attn.z`: every entry is 0");
        let nan = said(vec![f32::NAN, 1.0]);
        assert_eq!(nan, "cannot project a direction out of `blocks.0.attn.z`: its norm is NaN; give finite entries");
    }
}

//! Sets to zero.

use serde::{Deserialize, Serialize};

use super::action::Act;
use crate::error::Result;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

/// Sets to zero.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Zero;

impl Zero {
    pub(super) fn new() -> Self {
        Self
    }
}

impl Act for Zero {
    const NAME: &'static str = "zero";

    fn apply(&self, value: &Activation, _: &At<'_>) -> Result<Activation> {
        value.map_flat(|x| x.zeros_like())
    }
}

#[cfg(test)]
mod tests {
    use crate::hooks::Intervention;
    use crate::hooks::intervention::testing::{four, run};

    #[test]
    fn one_head_is_zeroed_at_the_last_position() {
        let out = run(&Intervention::zero().head(1).positions([-1]), &four()).unwrap();
        assert_eq!(out, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 0.0]);
    }
}

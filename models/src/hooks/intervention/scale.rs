//! Multiplies by a factor.

use serde::{Deserialize, Serialize};

use super::action::Act;
use crate::error::Result;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

/// Multiplies by a factor.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The factor.
    #[serde(with = "crate::hooks::tensor::numbers::one")]
    pub factor: f32,
}

impl Scale {
    pub(super) fn new(factor: f32) -> Self {
        Self { factor }
    }
}

impl Act for Scale {
    const NAME: &'static str = "scale";

    fn apply(&self, value: &Activation, _: &At<'_>) -> Result<Activation> {
        value.map_flat(|x| x * self.factor)
    }
}

#[cfg(test)]
mod tests {
    use crate::hooks::Intervention;
    use crate::hooks::intervention::testing::{four, run};

    #[test]
    fn one_entry_of_the_last_axis_is_doubled() {
        let doubled = run(&Intervention::scale(2.0).features([1]), &four()).unwrap();
        assert_eq!(doubled, [0.0, 2.0, 2.0, 6.0, 4.0, 10.0, 6.0, 14.0]);
    }
}

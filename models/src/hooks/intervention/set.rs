//! Sets to one value.

use serde::{Deserialize, Serialize};

use super::action::Act;
use crate::error::Result;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

/// Sets to one value.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// The value, in the units of the site.
    #[serde(with = "crate::hooks::tensor::numbers::one")]
    pub value: f32,
}

impl Set {
    pub(super) fn new(value: f32) -> Self {
        Self { value }
    }
}

impl Act for Set {
    const NAME: &'static str = "set";

    fn apply(&self, value: &Activation, _: &At<'_>) -> Result<Activation> {
        value.map_flat(|x| x.full_like(self.value))
    }
}

#[cfg(test)]
mod tests {
    use crate::hooks::intervention::testing::{four, run};
    use crate::hooks::{Action, Intervention};

    #[test]
    fn every_number_becomes_the_value() {
        assert_eq!(
            run(&Intervention::set(-2.0).features([0]), &four()).unwrap(),
            [-2.0, 1.0, -2.0, 3.0, -2.0, 5.0, -2.0, 7.0]
        );
    }

    #[test]
    fn a_value_that_is_not_a_number_is_refused() {
        let error = serde_json::from_str::<Action>(r#"{"do": "set", "value": "much"}"#).unwrap_err().to_string();
        assert!(error.starts_with("`much` is not a number"), "{error}");
    }
}

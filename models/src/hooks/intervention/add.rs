//! Steering.

use serde::{Deserialize, Serialize};

use super::action::Act;
use super::vector::Vector;
use crate::error::Result;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

/// Adds a vector along the last axis, `coefficient` times.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {
    /// The vector, as long as the last axis.
    pub vector: Vector,
    /// The factor of the vector.
    #[serde(with = "crate::hooks::tensor::numbers::one")]
    pub coefficient: f32,
}

impl Add {
    pub(super) fn new(vector: impl Into<Vector>, coefficient: f32) -> Self {
        Self { vector: vector.into(), coefficient }
    }
}

impl Act for Add {
    const NAME: &'static str = "add";

    fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        self.vector.check(dims, at)
    }

    fn apply(&self, value: &Activation, _: &At<'_>) -> Result<Activation> {
        let row = self.vector.row(value.device())?;
        value.map_last(|x| x + row * self.coefficient)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::hooks::Intervention;
    use crate::hooks::intervention::testing::{four, run};

    #[test]
    fn a_vector_is_numbers_a_tensor_or_an_activation() {
        let tensor = Tensor::<3>::from_floats([[[1.0, -1.0]]], &Device::flex());
        for steered in [
            Intervention::add(vec![1.0, -1.0], 2.0),
            Intervention::add(&tensor, 2.0),
            Intervention::add(Activation::new(tensor.clone()), 2.0),
        ] {
            let out = run(&steered.head(0), &four()).unwrap();
            assert_eq!(out, [2.0, -1.0, 2.0, 3.0, 6.0, 3.0, 6.0, 7.0]);
        }
    }

    #[test]
    fn a_record_keeps_the_numbers_of_a_tensor() {
        let tensor = Tensor::<1>::from_floats([0.1, 1e-40], &Device::flex());
        let text = serde_json::to_string(&Intervention::add(tensor, 2.0)).unwrap();
        assert_eq!(text, r#"{"action":{"do":"add","vector":[0.1,1e-40],"coefficient":2.0}}"#);
        let back: Intervention = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
    }

    #[test]
    fn a_vector_of_another_length_is_refused() {
        for (vector, dims) in [(vec![1.0; 3], "[3]"), (Vec::new(), "[0]")] {
            let error = run(&Intervention::add(vector, 1.0), &four()).unwrap_err().to_string();
            let expected = format!("the edit at `blocks.0.attn.z` returned a tensor of shape {dims}, the site has [2]");
            assert_eq!(error, expected);
        }
        let rows = Tensor::<2>::zeros([3, 2], &Device::flex());
        let error = run(&Intervention::add(rows, 1.0), &four()).unwrap_err().to_string();
        assert!(error.contains("returned a tensor of shape [3, 2]"), "{error}");
    }
}

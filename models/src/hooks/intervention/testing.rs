//! A small tensor for the actions' tests.

use burn::tensor::Device;

use super::intervention::Intervention;
use crate::error::Result;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

/// 0 to 7 as a `z` of `[1, 2, 2, 2]`.
pub(super) fn four() -> Activation {
    Activation::from_vec((0..8).map(|x| x as f32).collect(), &[1, 2, 2, 2], &Device::flex()).unwrap()
}

/// The result of an intervention on a `z`.
pub(super) fn run(intervention: &Intervention, z: &Activation) -> Result<Vec<f32>> {
    intervention.apply(z, &At::new("blocks.0.attn.z"))?.to_vec()
}

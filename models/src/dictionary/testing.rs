//! Small dictionaries for tests.

use burn::module::Module as _;
use burn::tensor::{Device, Tensor};

use super::architectures::Architecture;
use super::{Batch, Dictionary, DictionaryConfig, Gate, Parameters};

/// A dictionary with these matrices, no biases, and the thresholds and gates that it starts with.
pub(super) fn tiny<const N: usize>(
    architecture: impl Into<Architecture>,
    encoder: [[f32; N]; 2],
    decoder: [[f32; 2]; N],
) -> Dictionary {
    let device = Device::flex();
    let config = DictionaryConfig::autoencoder(2, N, architecture);
    let parts = config.architecture.encoder().parts();
    let zeros = || Tensor::<1>::zeros([N], &device);
    let parameters = Parameters {
        w_enc: Tensor::from_floats(encoder, &device),
        b_enc: (!parts.gate).then(zeros),
        w_dec: Tensor::from_floats(decoder, &device),
        b_dec: Tensor::zeros([2], &device),
        w_skip: None,
        threshold: parts.threshold.map(|start| zeros() + start),
        gate: parts.gate.then(|| Gate { b_gate: zeros(), b_mag: zeros(), r_mag: zeros() }),
        centred: true,
    };
    Dictionary::of(config, parameters).unwrap()
}

/// Rows that are encoded and predicted.
pub(super) fn batch<const ROWS: usize>(rows: [[f32; 2]; ROWS]) -> Batch<'static> {
    Batch::of(Tensor::from_floats(rows, &Device::flex()))
}

/// The same dictionary with gradients at its parameters.
pub(super) fn tracked(dictionary: Dictionary) -> Dictionary {
    dictionary.train()
}

pub(super) fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    crate::device::read(tensor).unwrap()
}

pub(super) fn close(found: &[f32], expected: &[f32]) {
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5 * (1.0 + b.abs());
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(near), "{found:?} {expected:?}");
}

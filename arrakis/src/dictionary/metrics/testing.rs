//! Batches by hand, and the numbers of `tests/fixtures/dictionary/make_metrics.py`.

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;

use super::Coded;

fn tensor<const W: usize>(rows: &[[f32; W]]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(rows.concat(), [rows.len(), W]), &Device::flex())
}

pub(super) fn coded<const D: usize, const F: usize>(
    target: &[[f32; D]],
    output: &[[f32; D]],
    latents: &[[f32; F]],
) -> Coded {
    Coded::new(tensor(target), tensor(output), tensor(latents)).unwrap()
}

/// Recorded activations, and what `SAELens` and numpy make of them.
pub(super) struct Reference(Value);

pub(super) fn reference() -> Reference {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/dictionary/metrics.json");
    Reference(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

impl Reference {
    pub(super) fn number(&self, name: &str) -> f64 {
        self.0[name].as_f64().unwrap_or_else(|| panic!("no number {name}"))
    }

    pub(super) fn numbers(&self, name: &str) -> Vec<f64> {
        self.0[name].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    }

    /// A matrix, `[row, column]`.
    pub(super) fn tensor(&self, name: &str) -> Tensor<2> {
        let rows: Vec<Vec<f64>> = serde_json::from_value(self.0[name].clone()).unwrap();
        let (count, width) = (rows.len(), rows[0].len());
        let flat: Vec<f32> = rows.concat().into_iter().map(|number| number as f32).collect();
        Tensor::from_data(TensorData::new(flat, [count, width]), &Device::flex())
    }

    /// The activations in batches of different sizes.
    pub(super) fn batches(&self) -> Vec<Coded> {
        let [x, y, z] = ["target", "output", "latents"].map(|name| self.tensor(name));
        let tokens = x.dims()[0];
        let part = |start: usize, length: usize| {
            let narrow = |tensor: &Tensor<2>| tensor.clone().narrow(0, start, length);
            Coded::new(narrow(&x), narrow(&y), narrow(&z)).unwrap()
        };
        vec![part(0, 7), part(7, 20), part(27, tokens - 27)]
    }
}

//! How far a lens is from the model's own prediction.

use arrakis_models::{Tokens, log_softmax};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::tools::place::Place;

/// `KL(model || lens)` of each position in nats: `[batch, pos]`. `model` holds log-probabilities and `lens` logits, both
/// `[batch, pos, d_vocab]`.
pub(super) fn of_positions(model: Tensor<3>, lens: Tensor<3>) -> Tensor<2> {
    let [batch, pos, _] = lens.dims();
    let lens = log_softmax(lens);
    (model.clone().exp() * (model - lens)).sum_dim(2).reshape([batch, pos])
}

/// The mean of each prompt over its own tokens, `[batch]`.
pub(super) fn of_prompts(positions: &Tensor<2>, tokens: &Tokens) -> Tensor<1> {
    let batch = tokens.batch();
    (positions.clone() * weights(tokens, &positions.device(), false)).sum_dim(1).reshape([batch])
}

/// The mean over all tokens without padding, `[1]`.
pub(super) fn of_batch(positions: &Tensor<2>, tokens: &Tokens) -> Tensor<1> {
    (positions.clone() * weights(tokens, &positions.device(), true)).sum()
}

/// The share of each token in a mean, `[batch, pos]`: of the whole batch or of its own prompt. Padding has none.
fn weights(tokens: &Tokens, device: &burn::tensor::Device, whole: bool) -> Tensor<2> {
    let count = |row: &[bool]| row.iter().filter(|real| **real).count();
    let all: usize = tokens.real().iter().map(|row| count(row)).sum();
    let share = |row: &Vec<bool>| {
        let share = 1.0 / (if whole { all } else { count(row) }) as f32;
        row.iter().map(|real| if *real { share } else { 0.0 }).collect::<Vec<f32>>()
    };
    let values: Vec<f32> = tokens.real().iter().flat_map(share).collect();
    Tensor::from_data(TensorData::new(values, [tokens.batch(), tokens.pos()]), device)
}

/// A lens at one point of the stream. Its label is `tuned lens, 3_pre`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LensStep {
    /// The point of the stream, such as `3_pre`.
    pub step: String,
    /// `logit lens` or `tuned lens`.
    pub lens: String,
}

impl Place for LensStep {
    type Row = String;
    type Column = String;
    const AXES: [&'static str; 2] = ["step", "lens"];

    fn at(row: &String, column: &String) -> Self {
        Self { step: row.clone(), lens: column.clone() }
    }

    fn row_label(row: &String) -> String {
        row.clone()
    }

    fn column_label(column: &String) -> String {
        column.clone()
    }

    fn label(&self) -> String {
        format!("{}, {}", self.lens, self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::close;
    use arrakis_models::{Side, device};
    use burn::tensor::Device;

    #[test]
    fn by_hand_without_padding() {
        let device = Device::flex();
        // The model says 1/2, 1/2; the lens says 1/4, 3/4 at the first token, and the same at the second.
        let half = 0.5_f32.ln();
        let model = Tensor::<3>::from_floats([[[half, half], [half, half]]; 2], &device);
        let lens = Tensor::<3>::from_floats([[[0.0, 3_f32.ln()], [7.0, 7.0]]; 2], &device);
        let positions = of_positions(model, lens);
        let apart = 0.5 * (0.5_f64 / 0.25).ln() + 0.5 * (0.5_f64 / 0.75).ln();
        close(device::read(positions.clone()).unwrap()[0], apart, 1e-6);
        let tokens = Tokens::padded(&[vec![1, 2], vec![3]], Side::Right, 0).unwrap();
        let prompts = device::read(of_prompts(&positions, &tokens)).unwrap();
        close(prompts[0], apart / 2.0, 1e-6);
        close(prompts[1], apart, 1e-6);
        close(device::read(of_batch(&positions, &tokens)).unwrap()[0], 2.0 * apart / 3.0, 1e-6);
    }
}

//! How far the next token of an edited run is from that of the whole model.

use arrakis_models::{Tokens, log_softmax};
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::refuse::refuse;
use crate::error::Result;
use crate::tools::Position;

/// The tokens of each prompt at which the next token of two models is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DivergenceAt {
    /// The last token: what the prompt asks for.
    #[default]
    Last,
    /// Every token: what the model is trained for.
    Every,
    /// These positions of each prompt.
    Positions(Vec<Position>),
}

/// The next token of the whole model at some tokens of each prompt.
pub(super) struct Divergence {
    /// The compared tokens as indices of `[prompt * pos]`.
    slots: Vec<usize>,
    /// The share of each in the mean over the positions of a prompt and over prompts, `[slot]`.
    weights: Tensor<1>,
    /// `[slot, d_vocab]`
    log_probs: Tensor<2>,
    /// Rows × positions of the prompts.
    tokens: usize,
}

impl Divergence {
    /// From the logits of the whole model, `[prompt, pos, d_vocab]`.
    pub(super) fn from(logits: &Tensor<3>, tokens: &Tokens, at: &DivergenceAt) -> Result<Self> {
        let (pos, by_row) = (tokens.pos(), by_row(tokens, at)?);
        let share = |row: &Vec<usize>| vec![1.0 / (row.len() * by_row.len()) as f32; row.len()];
        let weights: Vec<f32> = by_row.iter().flat_map(share).collect();
        let slots: Vec<usize> =
            by_row.iter().enumerate().flat_map(|(row, own)| own.iter().map(move |at| row * pos + at)).collect();
        let log_probs = log_probs(logits, &slots);
        let weights = Tensor::from_floats(weights.as_slice(), &logits.device());
        Ok(Self { slots, weights, log_probs, tokens: tokens.batch() * pos })
    }

    /// The mean divergence of each copy of the prompts, from logits `[copy * prompt, pos, d_vocab]`: `[copy]`, in nats.
    pub(super) fn of_copies(&self, logits: &Tensor<3>, copies: usize) -> Tensor<1> {
        let slots: Vec<usize> =
            (0..copies).flat_map(|copy| self.slots.iter().map(move |slot| copy * self.tokens + slot)).collect();
        let clean = self.log_probs.clone().repeat_dim(0, copies);
        let apart = (clean.clone().exp() * (clean - log_probs(logits, &slots))).sum_dim(1);
        let apart = apart.reshape([copies, self.slots.len()]) * self.weights.clone().unsqueeze();
        apart.sum_dim(1).reshape([copies])
    }
}

/// The compared tokens of each prompt, padding counted.
fn by_row(tokens: &Tokens, at: &DivergenceAt) -> Result<Vec<Vec<usize>>> {
    let last = [Position::LAST];
    let positions = match at {
        DivergenceAt::Last => &last[..],
        DivergenceAt::Positions(positions) if positions.is_empty() => {
            return Err(refuse("no position is named to compare the next token at; give at least one"));
        }
        DivergenceAt::Positions(positions) => positions,
        DivergenceAt::Every => {
            let real = |row: &Vec<bool>| (0..row.len()).filter(|at| row[*at]).collect();
            return Ok(tokens.real().iter().map(real).collect());
        }
    };
    let by_position = positions.iter().map(|position| position.of(tokens)).collect::<Result<Vec<_>>>()?;
    Ok((0..tokens.batch()).map(|row| by_position.iter().map(|rows| rows[row]).collect()).collect())
}

/// Log-probabilities of the next token at some slots of `[row, pos, d_vocab]`: `[slot, d_vocab]`.
fn log_probs(logits: &Tensor<3>, slots: &[usize]) -> Tensor<2> {
    let [rows, pos, d_vocab] = logits.dims();
    let slots: Vec<i64> = slots.iter().map(|slot| *slot as i64).collect();
    let at = Tensor::<1, Int>::from_data(TensorData::new(slots.clone(), [slots.len()]), &logits.device());
    log_softmax(logits.clone().reshape([rows * pos, d_vocab]).select(0, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::close;
    use arrakis_models::{Side, device};

    /// Two prompts of 2 and 1 tokens; the edited model gives both tokens of the vocabulary one half everywhere.
    #[test]
    fn by_hand() {
        let tokens = Tokens::padded(&[vec![1, 2], vec![3]], Side::Left, 0).unwrap();
        let logit = |p: f32| [p.ln(), (1.0 - p).ln()];
        let clean = [[logit(0.9), logit(0.5)], [logit(0.3), logit(0.75)]];
        let clean = Tensor::<3>::from_floats(clean, &burn::tensor::Device::flex());
        let kl = |p: f64| p * (2.0 * p).ln() + (1.0 - p) * (2.0 * (1.0 - p)).ln();
        let first = |second: f64| f64::midpoint(kl(0.9), second);
        for (at, expected) in [
            (DivergenceAt::Last, kl(0.75) / 2.0),
            (DivergenceAt::Every, f64::midpoint(first(0.0), kl(0.75))),
            (DivergenceAt::Positions(vec![0.into()]), f64::midpoint(kl(0.9), kl(0.75))),
        ] {
            let found = Divergence::from(&clean, &tokens, &at).unwrap();
            let even = Tensor::<3>::zeros([4, 2, 2], &clean.device());
            for copy in device::read(found.of_copies(&even, 2)).unwrap() {
                close(copy, expected, 1e-6);
            }
            close(device::read(found.of_copies(&clean, 1)).unwrap()[0], 0.0, 1e-6);
        }
        let beyond = DivergenceAt::Positions(vec![1.into()]);
        let error = Divergence::from(&clean, &tokens, &beyond).err().unwrap().to_string();
        assert_eq!(error, "position 1 is out of range: there are 1, numbered from 0");
        let none = DivergenceAt::Positions(Vec::new());
        let error = Divergence::from(&clean, &tokens, &none).err().unwrap().to_string();
        assert_eq!(error, "ablation: no position is named to compare the next token at; give at least one");
    }
}

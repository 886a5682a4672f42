//! Cross entropy of the next token.

use burn::tensor::{Int, Tensor, TensorData};

use super::HookedTransformer;
use crate::error::{Error, Result};
use crate::kernels::log_softmax;
use crate::tokens::Tokens;

impl HookedTransformer {
    /// Mean cross entropy in nats of each token given those before it, `[1]`. Pairs that include padding do not count.
    ///
    /// `logits` is `[batch, pos, d_vocab]`, from a run on `tokens`.
    ///
    /// # Errors
    ///
    /// [`Error::NoLoss`] if no two neighbouring tokens are real, [`Error::LogitsShape`] if the shapes differ,
    /// [`Error::Unsupported`] for an encoder.
    pub fn loss(&self, logits: Tensor<3>, tokens: &Tokens) -> Result<Tensor<1>> {
        let real = tokens.real();
        let weights: Vec<f32> =
            real.iter().flat_map(|row| row.windows(2).map(|pair| f32::from(u8::from(pair[0] && pair[1])))).collect();
        let count: f32 = weights.iter().sum();
        if count == 0.0 {
            return Err(Error::NoLoss { problem: "no token has a next token; give a prompt of at least two tokens" });
        }
        let losses = self.loss_per_token(logits, tokens)?;
        let [batch, pos] = losses.dims();
        let weights = Tensor::<2>::from_data(TensorData::new(weights, [batch, pos]), &losses.device());
        Ok((losses * weights).sum() / count)
    }

    /// Cross entropy in nats of each token except the first, `[batch, pos - 1]`.
    ///
    /// # Errors
    ///
    /// [`Error::LogitsShape`] if the logits are not for these tokens, [`Error::NoLoss`] for a single token,
    /// [`Error::Unsupported`] for an encoder.
    pub fn loss_per_token(&self, logits: Tensor<3>, tokens: &Tokens) -> Result<Tensor<2>> {
        if self.config().bidirectional {
            return Err(Error::Unsupported {
                what: "the loss of the next token".into(),
                why: "this model is an encoder, whose positions see the tokens after them; use `masked_loss`".into(),
            });
        }
        let [batch, pos, _] = logits.dims();
        if [batch, pos] != [tokens.batch(), tokens.pos()] {
            return Err(Error::LogitsShape { logits: [batch, pos], tokens: [tokens.batch(), tokens.pos()] });
        }
        if pos < 2 {
            return Err(Error::NoLoss { problem: "no token has a next token; give a prompt of at least two tokens" });
        }
        let next: Vec<i64> = tokens.ids().iter().flat_map(|row| row[1..].iter().map(|id| i64::from(*id))).collect();
        let next = Tensor::<3, Int>::from_data(TensorData::new(next, [batch, pos - 1, 1]), &logits.device());
        let log_probs = log_softmax(logits.narrow(1, 0, pos - 1));
        Ok(log_probs.gather(2, next).squeeze_dim::<2>(2).neg())
    }

    /// Mean cross entropy in nats of the original tokens at the masked positions, `[1]`: the loss BERT is trained with.
    ///
    /// `logits` is `[batch, pos, d_vocab]`; `labels` is `[batch][pos]`, `None` at positions that were not masked.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] if the shapes differ, [`Error::NoLoss`] if nothing was masked, [`Error::OutOfRange`] for a
    /// label that is not a token.
    pub fn masked_loss(&self, logits: Tensor<3>, labels: &[Vec<Option<u32>>]) -> Result<Tensor<1>> {
        let [batch, pos, vocab] = logits.dims();
        if labels.len() != batch || labels.iter().any(|row| row.len() != pos) {
            let actual = labels.iter().map(Vec::len).sum();
            return Err(Error::Count { what: "labels, one for each position".into(), expected: batch * pos, actual });
        }
        let masked = labels.iter().flatten().enumerate().filter_map(|(at, label)| Some((at as i64, (*label)?)));
        let (at, ids): (Vec<i64>, Vec<u32>) = masked.unzip();
        let count = at.len();
        if count == 0 {
            return Err(Error::NoLoss {
                problem: "no position has a label; give the original token at each masked position",
            });
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocab) {
            return Err(Error::out_of_range("token", *id, vocab));
        }
        let device = logits.device();
        let at = Tensor::<1, Int>::from_data(TensorData::new(at, [count]), &device);
        let ids: Vec<i64> = ids.into_iter().map(i64::from).collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [count, 1]), &device);
        let log_probs = log_softmax(logits.reshape([batch * pos, vocab]).select(0, at));
        Ok(log_probs.gather(1, ids).mean().neg())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HookedAutoModel;
    use crate::transformer::TransformerConfig;

    #[test]
    fn logits_of_other_tokens_are_refused_with_both_shapes() {
        let model = HookedAutoModel::lively(&TransformerConfig::plain("test", 1, 12, 3, 20, 16), 1).unwrap();
        let (logits, tokens) = (model.forward([1, 2, 3]).unwrap(), Tokens::new(vec![vec![1, 2]]).unwrap());
        assert_eq!(
            model.loss(logits, &tokens).unwrap_err().to_string(),
            "the logits are for 1 × 3 tokens, the tokens are 1 × 2: pass the tokens of the same run"
        );
    }
}

//! What a run is judged by: one number from its logits, differentiable.

use std::fmt;
use std::sync::Arc;

use arrakis_models::{HookedTransformer, IntoTokens, SweepCase, SweepResult, Tokens, device};
use burn::tensor::{Int, Tensor, TensorData, activation};

use super::common;
use super::position::Position;
use crate::error::{Error, Result};

type Compute = dyn Fn(&Tensor<3>, &Tokens) -> Result<Tensor<1>> + Send + Sync;

#[derive(Clone)]
enum Kind {
    LogitDiff { answers: Vec<u32>, wrong: Vec<u32> },
    Logit { answers: Vec<u32> },
    LogProb { answers: Vec<u32> },
    Loss,
    Closure(Arc<Compute>),
}

/// One number from a run's logits, in nats unless it is a closure of your own. Cheap to clone.
///
/// Batches are averaged over rows. Everything is computed on tensors, so gradients flow through it.
///
/// ```
/// use arrakis::tools::Metric;
/// let by_name = Metric::logit_diff(5335, 1757);          // one pair for every row
/// let by_row = Metric::logit_diffs(vec![5335, 1757], vec![1757, 5335]);
/// let own = Metric::new("mean logit", |logits, _| Ok(logits.clone().mean()));
/// ```
#[derive(Clone)]
pub struct Metric {
    name: String,
    kind: Kind,
    pos: Position,
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metric({}, {:?})", self.name, self.pos)
    }
}

impl Metric {
    fn of(name: String, kind: Kind) -> Self {
        Self { name, kind, pos: Position::Last }
    }

    /// `logit(answer) - logit(wrong)` at the last token of every row.
    pub fn logit_diff(answer: u32, wrong: u32) -> Self {
        Self::of(
            format!("logit({answer}) - logit({wrong})"),
            Kind::LogitDiff { answers: vec![answer], wrong: vec![wrong] },
        )
    }

    /// The same with an answer and a wrong token for each row.
    pub fn logit_diffs(answers: Vec<u32>, wrong: Vec<u32>) -> Self {
        Self::of("logit difference".into(), Kind::LogitDiff { answers, wrong })
    }

    /// One token's logit at the last token of every row.
    pub fn logit(token: u32) -> Self {
        Self::of(format!("logit({token})"), Kind::Logit { answers: vec![token] })
    }

    /// One token's log-probability at the last token of every row.
    pub fn log_prob(token: u32) -> Self {
        Self::of(format!("log p({token})"), Kind::LogProb { answers: vec![token] })
    }

    /// The same with a token for each row.
    pub fn log_probs(tokens: Vec<u32>) -> Self {
        Self::of("log-probability".into(), Kind::LogProb { answers: tokens })
    }

    /// Mean cross entropy of each token given those before it.
    pub fn loss() -> Self {
        Self::of("loss".into(), Kind::Loss)
    }

    /// A closure over logits `[batch, pos, d_vocab]` and tokens; what it returns is averaged.
    pub fn new(name: &str, compute: impl Fn(&Tensor<3>, &Tokens) -> Result<Tensor<1>> + Send + Sync + 'static) -> Self {
        Self::of(name.to_owned(), Kind::Closure(Arc::new(compute)))
    }

    /// Read at this position instead of the last token; the loss and closures take no notice.
    #[must_use]
    pub fn at(self, pos: impl Into<Position>) -> Self {
        Self { pos: pos.into(), ..self }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What to write beside its numbers.
    pub fn units(&self) -> String {
        match self.kind {
            Kind::Closure(_) => self.name.clone(),
            _ => format!("{} (nats)", self.name),
        }
    }

    /// The metric, `[1]`.
    ///
    /// # Errors
    ///
    /// A token, position or number of rows that does not fit.
    pub fn tensor(&self, model: &HookedTransformer, logits: &Tensor<3>, tokens: &Tokens) -> Result<Tensor<1>> {
        match &self.kind {
            Kind::Loss => Ok(model.loss(logits.clone(), tokens)?),
            _ => Ok(self.per_row(model, logits, tokens)?.mean()),
        }
    }

    /// The metric of each row, `[batch]` (for a closure, whatever it returns): a sample for a test.
    ///
    /// # Errors
    ///
    /// As [`Metric::tensor`].
    pub fn per_row(&self, model: &HookedTransformer, logits: &Tensor<3>, tokens: &Tokens) -> Result<Tensor<1>> {
        match &self.kind {
            Kind::LogitDiff { answers, wrong } => {
                let rows = self.rows(logits, tokens)?;
                Ok(pick(&rows, answers)? - pick(&rows, wrong)?)
            }
            Kind::Logit { answers } => pick(&self.rows(logits, tokens)?, answers),
            Kind::LogProb { answers } => pick(&activation::log_softmax(self.rows(logits, tokens)?, 1), answers),
            Kind::Loss => row_losses(model, logits, tokens),
            Kind::Closure(compute) => compute(logits, tokens),
        }
    }

    /// The metric as a number.
    ///
    /// # Errors
    ///
    /// As [`Metric::tensor`], or a device that fails.
    pub fn value(&self, model: &HookedTransformer, logits: &Tensor<3>, tokens: &Tokens) -> Result<f32> {
        common::number(self.tensor(model, logits, tokens)?)
    }

    /// The metric of each prompt of a batch under the untouched model: a sample for a test.
    ///
    /// # Errors
    ///
    /// Those of the prompts, and as [`Metric::tensor`].
    pub fn values(&self, model: &HookedTransformer, prompts: impl IntoTokens) -> Result<Vec<f64>> {
        let tokens = prompts.into_tokens(model)?;
        let rows = self.per_row(model, &model.forward(&tokens)?, &tokens)?;
        Ok(device::read(rows)?.into_iter().map(f64::from).collect())
    }

    /// Runs a sweep of edits over prompts under this metric; only the logits it reads are computed.
    ///
    /// # Errors
    ///
    /// Those of the sweep, and a metric that gives other than one number a row.
    pub fn sweep(
        &self,
        model: &HookedTransformer,
        tokens: &Tokens,
        cases: impl IntoIterator<Item = SweepCase>,
    ) -> Result<SweepResult> {
        let sweep = model.sweep(tokens)?.cases(cases);
        let sweep = if self.reads_last_only(tokens) { sweep.last_only() } else { sweep };
        sweep.run(|logits| self.each_row(model, &logits, tokens))
    }

    /// One number a row, `[batch]`: what is defined only for the batch as a whole stands in every row.
    fn each_row(&self, model: &HookedTransformer, logits: &Tensor<3>, tokens: &Tokens) -> Result<Tensor<1>> {
        let even = tokens.real().iter().flatten().all(|real| *real);
        let whole = matches!(self.kind, Kind::Loss) && !even;
        let rows = if whole { self.tensor(model, logits, tokens)? } else { self.per_row(model, logits, tokens)? };
        Ok(if rows.dims() == [1] { rows.expand([tokens.batch()]) } else { rows })
    }

    /// Whether nothing but each row's last position is read.
    fn reads_last_only(&self, tokens: &Tokens) -> bool {
        let known = !matches!(self.kind, Kind::Loss | Kind::Closure(_));
        known && self.pos == Position::Last && tokens.last_positions().iter().all(|last| *last + 1 == tokens.pos())
    }

    /// Logits at the position, `[batch, d_vocab]`.
    fn rows(&self, logits: &Tensor<3>, tokens: &Tokens) -> Result<Tensor<2>> {
        let [batch, pos, d_vocab] = logits.dims();
        if [batch, pos] == [tokens.batch(), 1] && self.reads_last_only(tokens) {
            return Ok(logits.clone().reshape([batch, d_vocab]));
        }
        if [batch, pos] != [tokens.batch(), tokens.pos()] {
            return Err(refuse(format!(
                "logits of {batch} × {pos} positions do not belong to tokens of {} × {}",
                tokens.batch(),
                tokens.pos()
            )));
        }
        let at: Vec<i64> =
            self.pos.of(tokens)?.into_iter().enumerate().map(|(row, index)| (row * pos + index) as i64).collect();
        let at = Tensor::<1, Int>::from_data(TensorData::new(at, [batch]), &logits.device());
        Ok(logits.clone().reshape([batch * pos, d_vocab]).select(0, at))
    }
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "Metric", problem }
}

/// The number of each row at its token: `[batch, d_vocab]` to `[batch]`; one token serves every row.
fn pick(rows: &Tensor<2>, ids: &[u32]) -> Result<Tensor<1>> {
    let [batch, d_vocab] = rows.dims();
    if ids.len() != 1 && ids.len() != batch {
        return Err(refuse(format!("got {} tokens for {batch} rows; give one for all or one each", ids.len())));
    }
    ids.iter().try_for_each(|id| common::within("token", *id as usize, d_vocab))?;
    let ids: Vec<i64> = (0..batch).map(|row| i64::from(ids[row % ids.len()])).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [batch, 1]), &rows.device());
    Ok(rows.clone().gather(1, ids).reshape([batch]))
}

/// Mean loss of each row over its pairs of real tokens.
fn row_losses(model: &HookedTransformer, logits: &Tensor<3>, tokens: &Tokens) -> Result<Tensor<1>> {
    let losses = model.loss_per_token(logits.clone(), tokens)?;
    let [batch, pairs] = losses.dims();
    let counted = |row: &Vec<bool>| {
        let kept: Vec<f32> = row.windows(2).map(|pair| f32::from(u8::from(pair[0] && pair[1]))).collect();
        let count: f32 = kept.iter().sum();
        kept.into_iter().map(move |kept| kept / count.max(1.0))
    };
    let weights: Vec<f32> = tokens.real().iter().flat_map(counted).collect();
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [batch, pairs]), &losses.device());
    Ok((losses * weights).sum_dim(1).reshape([batch]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture};

    #[test]
    fn by_hand() {
        let model = fixture("gpt2");
        let tokens = Tokens::new(vec![vec![1, 2], vec![3, 4]]).unwrap();
        let logits = Tensor::<3>::from_floats([[[0.0, 1.0], [2.0, 5.0]], [[0.0, 0.0], [1.0, 0.0]]], model.device());
        let value = |metric: Metric| metric.value(&model, &logits, &tokens).unwrap();
        close(value(Metric::logit_diff(1, 0)), f32::midpoint(3.0, -1.0), 1e-6);
        close(value(Metric::logit_diff(1, 0).at(0)), f32::midpoint(1.0, 0.0), 1e-6);
        close(value(Metric::logit_diffs(vec![1, 0], vec![0, 1])), f32::midpoint(3.0, 1.0), 1e-6);
        close(value(Metric::logit(0)), 1.5, 1e-6);
        let log_prob = -(1.0f32 + (-3.0f32).exp()).ln() - (1.0 + 1.0f32.exp()).ln();
        close(value(Metric::log_prob(1)), log_prob / 2.0, 1e-6);
    }

    #[test]
    fn a_padded_prompt_reads_as_it_does_alone() {
        let model = fixture("gpt2");
        let rows = [vec![5, 6, 7, 8], vec![9, 10]];
        for metric in [Metric::logit_diff(3, 4), Metric::logit_diff(3, 4).at(1), Metric::loss()] {
            let alone: Vec<f64> = rows.iter().flat_map(|row| metric.values(&model, row.as_slice()).unwrap()).collect();
            for side in [arrakis_models::Side::Left, arrakis_models::Side::Right] {
                let together = metric.values(&model, Tokens::padded(&rows, side, 0).unwrap()).unwrap();
                for (together, alone) in together.iter().zip(&alone) {
                    close(*together as f32, *alone as f32, 1e-5);
                }
            }
        }
        let short = Tokens::padded(&rows, arrakis_models::Side::Left, 0).unwrap();
        let error = Metric::logit(1).at(2).values(&model, short).unwrap_err().to_string();
        assert_eq!(error, "position 2 is out of range: there are 2, numbered from 0");
    }

    #[test]
    fn the_loss_is_the_models() {
        let model = fixture("gpt2");
        let tokens = Tokens::padded(&[vec![5, 6, 7, 8], vec![9, 10]], arrakis_models::Side::Left, 0).unwrap();
        let logits = model.forward(&tokens).unwrap();
        let by_row = arrakis_models::device::read(Metric::loss().per_row(&model, &logits, &tokens).unwrap()).unwrap();
        close(Metric::loss().value(&model, &logits, &tokens).unwrap(), (3.0 * by_row[0] + by_row[1]) / 4.0, 1e-5);
    }

    #[test]
    fn mistakes_are_named() {
        let model = fixture("gpt2");
        let tokens = Tokens::new(vec![vec![1, 2]]).unwrap();
        let logits = model.forward(&tokens).unwrap();
        let message = |metric: Metric| metric.value(&model, &logits, &tokens).unwrap_err().to_string();
        assert_eq!(message(Metric::logit(120)), "token 120 is out of range: there are 120, numbered from 0");
        assert_eq!(message(Metric::logit(1).at(2)), "position 2 is out of range: there are 2, numbered from 0");
        assert_eq!(
            message(Metric::log_probs(vec![1, 2, 3])),
            "`Metric`: got 3 tokens for 1 rows; give one for all or one each"
        );
    }
}

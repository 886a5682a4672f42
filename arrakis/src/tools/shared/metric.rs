//! A metric: one differentiable number from a run's logits.

use std::fmt;
use std::sync::Arc;

use arrakis_models::{HookedTransformer, IntoTokens, SweepCase, SweepResult, Tokens, log_softmax};
use burn::tensor::{Int, Tensor, TensorData, activation};

use super::answer::Answer;
use super::common;
use super::position::Position;
use crate::error::{Error, Result};

type Compute = dyn Fn(&Tensor<3>, &Tokens) -> Result<Tensor<1>> + Send + Sync;

#[derive(Clone)]
enum Kind {
    LogitDiff { answers: Vec<Answer>, wrong: Vec<Answer> },
    Logit { answers: Vec<Answer> },
    LogProb { answers: Vec<Answer> },
    Prob { answers: Vec<Answer> },
    Loss,
    Closure { name: String, compute: Arc<Compute> },
}

/// One number from a run's logits, in nats unless it is a probability or a closure of your own. Cheap to clone.
///
/// Batches are averaged over rows. Everything is computed on tensors, so gradients flow through it. Answers are ids or
/// texts of one token; texts are looked up in the model that the metric is used on.
///
/// ```
/// use arrakis::tools::Metric;
/// let by_name = Metric::logit_diff(" Mary", " John");    // one pair for every row
/// let by_row = Metric::logit_diffs([" Mary", " John"], [" John", " Mary"]);
/// let by_id = Metric::log_prob(5335).at(-2);             // at the last token but one
/// let own = Metric::new("mean logit", |logits, _| Ok(logits.clone().mean()));
/// ```
#[derive(Clone)]
pub struct Metric {
    kind: Kind,
    pos: Position,
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metric({}, {:?})", self.name(), self.pos)
    }
}

impl Metric {
    fn of(kind: Kind) -> Self {
        Self { kind, pos: Position::LAST }
    }

    /// `logit(answer) - logit(wrong)` in nats, at the last token of every row.
    pub fn logit_diff(answer: impl Into<Answer>, wrong: impl Into<Answer>) -> Self {
        let (answers, wrong) = (vec![answer.into()], vec![wrong.into()]);
        Self::of(Kind::LogitDiff { answers, wrong })
    }

    /// [`Metric::logit_diff`] with an answer and a wrong token for each row.
    pub fn logit_diffs<A: Into<Answer>, W: Into<Answer>>(
        answers: impl IntoIterator<Item = A>,
        wrong: impl IntoIterator<Item = W>,
    ) -> Self {
        Self::of(Kind::LogitDiff { answers: all(answers), wrong: all(wrong) })
    }

    /// One token's logit in nats, at the last token of every row.
    pub fn logit(answer: impl Into<Answer>) -> Self {
        Self::of(Kind::Logit { answers: vec![answer.into()] })
    }

    /// One token's log-probability in nats, at the last token of every row.
    pub fn log_prob(answer: impl Into<Answer>) -> Self {
        Self::of(Kind::LogProb { answers: vec![answer.into()] })
    }

    /// [`Metric::log_prob`] with a token for each row.
    pub fn log_probs<A: Into<Answer>>(answers: impl IntoIterator<Item = A>) -> Self {
        Self::of(Kind::LogProb { answers: all(answers) })
    }

    /// One token's probability, at the last token of every row.
    pub fn prob(answer: impl Into<Answer>) -> Self {
        Self::of(Kind::Prob { answers: vec![answer.into()] })
    }

    /// [`Metric::prob`] with a token for each row.
    pub fn probs<A: Into<Answer>>(answers: impl IntoIterator<Item = A>) -> Self {
        Self::of(Kind::Prob { answers: all(answers) })
    }

    /// The cross entropy of each token given those before it, in nats, averaged over tokens.
    pub fn loss() -> Self {
        Self::of(Kind::Loss)
    }

    /// A closure over logits (`[batch, pos, d_vocab]`) and tokens. The numbers that it returns are averaged.
    pub fn new(name: &str, compute: impl Fn(&Tensor<3>, &Tokens) -> Result<Tensor<1>> + Send + Sync + 'static) -> Self {
        Self::of(Kind::Closure { name: name.to_owned(), compute: Arc::new(compute) })
    }

    /// Reads the metric at this position of every row instead of the last. The loss and closures ignore it.
    #[must_use]
    pub fn at(self, position: impl Into<Position>) -> Self {
        Self { pos: position.into(), ..self }
    }

    /// The metric's name. Tokens are named as they were given, by text or id.
    pub fn name(&self) -> String {
        self.described(&Answer::to_string)
    }

    /// The name with its units, for tables and figures. Tokens are named by their texts in this model.
    pub fn units(&self, model: &HookedTransformer) -> String {
        self.in_units(&self.described(&|answer| answer.label(model)))
    }

    /// What the numbers are, with their units, whichever answers they are about: `probability`, `logit (nats)`.
    pub fn kind(&self) -> String {
        self.in_units(self.general())
    }

    fn in_units(&self, name: &str) -> String {
        let has_none = matches!(self.kind, Kind::Prob { .. } | Kind::Closure { .. });
        if has_none { name.to_owned() } else { format!("{name} (nats)") }
    }

    /// The name without answers.
    fn general(&self) -> &str {
        match &self.kind {
            Kind::LogitDiff { .. } => "logit difference",
            Kind::Logit { .. } => "logit",
            Kind::LogProb { .. } => "log-probability",
            Kind::Prob { .. } => "probability",
            Kind::Loss => "loss",
            Kind::Closure { name, .. } => name,
        }
    }

    fn described(&self, token: &dyn Fn(&Answer) -> String) -> String {
        let one = |answers: &[Answer]| match answers {
            [answer] => Some(token(answer)),
            _ => None,
        };
        let named = match &self.kind {
            Kind::LogitDiff { answers, wrong } => {
                one(answers).zip(one(wrong)).map(|(answer, wrong)| format!("logit({answer}) - logit({wrong})"))
            }
            Kind::Logit { answers } => one(answers).map(|answer| format!("logit({answer})")),
            Kind::LogProb { answers } => one(answers).map(|answer| format!("log p({answer})")),
            Kind::Prob { answers } => one(answers).map(|answer| format!("p({answer})")),
            Kind::Loss | Kind::Closure { .. } => None,
        };
        named.unwrap_or_else(|| self.general().to_owned())
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

    /// The metric of each row, as a sample for a test: `[batch]`, or what a closure returns.
    ///
    /// # Errors
    ///
    /// Those of [`Metric::tensor`].
    pub fn per_row(&self, model: &HookedTransformer, logits: &Tensor<3>, tokens: &Tokens) -> Result<Tensor<1>> {
        let of_rows = |rows: Tensor<2>, answers: &[Answer]| pick(&rows, &ids(model, answers)?);
        match &self.kind {
            Kind::LogitDiff { answers, wrong } => {
                let rows = self.rows(logits, tokens)?;
                Ok(of_rows(rows.clone(), answers)? - of_rows(rows, wrong)?)
            }
            Kind::Logit { answers } => of_rows(self.rows(logits, tokens)?, answers),
            Kind::LogProb { answers } => of_rows(log_softmax(self.rows(logits, tokens)?), answers),
            Kind::Prob { answers } => of_rows(activation::softmax(self.rows(logits, tokens)?, 1), answers),
            Kind::Loss => row_losses(model, logits, tokens),
            Kind::Closure { compute, .. } => compute(logits, tokens),
        }
    }

    /// The metric as a number.
    ///
    /// # Errors
    ///
    /// Those of [`Metric::tensor`], or a device that fails.
    pub fn value(&self, model: &HookedTransformer, logits: &Tensor<3>, tokens: &Tokens) -> Result<f64> {
        common::number(self.tensor(model, logits, tokens)?)
    }

    /// The metric of each prompt under the unedited model, as a sample for a test: `[batch]`.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, and the errors of [`Metric::tensor`].
    pub fn values(&self, model: &HookedTransformer, prompts: impl IntoTokens) -> Result<Vec<f64>> {
        let tokens = prompts.into_tokens(model)?;
        common::numbers(self.per_row(model, &model.forward(&tokens)?, &tokens)?)
    }

    /// The metric of each prompt, from given logits: `[batch]`.
    pub(crate) fn of_each(&self, model: &HookedTransformer, logits: &Tensor<3>, tokens: &Tokens) -> Result<Vec<f64>> {
        common::numbers(self.each_row(model, logits, tokens)?)
    }

    /// Runs a sweep of edits over prompts under this metric. Only the logits that it reads are computed.
    ///
    /// # Errors
    ///
    /// Those of the sweep, and a metric that does not give one number for each row.
    pub fn sweep(
        &self,
        model: &HookedTransformer,
        tokens: &Tokens,
        cases: impl IntoIterator<Item = SweepCase>,
    ) -> Result<SweepResult> {
        let resolved = self.resolved(model)?;
        let sweep = model.sweep(tokens)?.cases(cases);
        let sweep = if self.reads_last_only(tokens) { sweep.last_only() } else { sweep };
        sweep.run(|logits| resolved.each_row(model, &logits, tokens))
    }

    /// A metric that is linear in the logits, as signed tokens for each prompt and the position they are read at. None
    /// for a metric that is not a logit or a logit difference.
    pub(crate) fn linear(&self, model: &HookedTransformer, batch: usize) -> Result<Option<Linear>> {
        let signed = match &self.kind {
            Kind::Logit { answers } => vec![(ids(model, answers)?, 1.0)],
            Kind::LogitDiff { answers, wrong } => vec![(ids(model, answers)?, 1.0), (ids(model, wrong)?, -1.0)],
            _ => return Ok(None),
        };
        signed.iter().try_for_each(|(ids, _)| fits(ids.len(), batch))?;
        let of_row = |row: usize| signed.iter().map(|(ids, sign)| (ids[row % ids.len()], *sign)).collect();
        Ok(Some(Linear { terms: (0..batch).map(of_row).collect(), position: self.pos }))
    }

    /// The same metric with texts replaced by ids, so that they are looked up once.
    fn resolved(&self, model: &HookedTransformer) -> Result<Self> {
        self.with_answers(|answers| Ok(all(ids(model, answers)?)))
    }

    /// The same metric for a batch with every row `times` times, as [`Tokens::repeated`] orders them.
    pub(crate) fn repeated(&self, times: usize) -> Self {
        let each = |answers: &[Answer]| {
            let times = if answers.len() == 1 { 1 } else { times };
            Ok(std::iter::repeat_n(answers, times).flatten().cloned().collect())
        };
        self.with_answers(each).expect("BUG: repeating answers does not fail")
    }

    fn with_answers(&self, map: impl Fn(&[Answer]) -> Result<Vec<Answer>>) -> Result<Self> {
        let kind = match &self.kind {
            Kind::LogitDiff { answers, wrong } => Kind::LogitDiff { answers: map(answers)?, wrong: map(wrong)? },
            Kind::Logit { answers } => Kind::Logit { answers: map(answers)? },
            Kind::LogProb { answers } => Kind::LogProb { answers: map(answers)? },
            Kind::Prob { answers } => Kind::Prob { answers: map(answers)? },
            other => other.clone(),
        };
        Ok(Self { kind, ..self.clone() })
    }

    /// One number for each row, `[batch]`. A number that only the whole batch has is repeated in every row.
    fn each_row(&self, model: &HookedTransformer, logits: &Tensor<3>, tokens: &Tokens) -> Result<Tensor<1>> {
        let even = tokens.real().iter().flatten().all(|real| *real);
        let whole = matches!(self.kind, Kind::Loss) && !even;
        let rows = if whole { self.tensor(model, logits, tokens)? } else { self.per_row(model, logits, tokens)? };
        Ok(if rows.dims() == [1] { rows.expand([tokens.batch()]) } else { rows })
    }

    /// Whether only each row's last position is read.
    fn reads_last_only(&self, tokens: &Tokens) -> bool {
        let known = !matches!(self.kind, Kind::Loss | Kind::Closure { .. });
        known && self.pos == Position::LAST && tokens.last_positions().iter().all(|last| *last + 1 == tokens.pos())
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

/// A logit or a difference of logits.
pub(crate) struct Linear {
    /// Tokens with their signs, `[prompt][term]`.
    pub(crate) terms: Vec<Vec<(u32, f32)>>,
    /// The position they are read at.
    pub(crate) position: Position,
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "Metric", problem }
}

fn all<A: Into<Answer>>(answers: impl IntoIterator<Item = A>) -> Vec<Answer> {
    answers.into_iter().map(Into::into).collect()
}

fn ids(model: &HookedTransformer, answers: &[Answer]) -> Result<Vec<u32>> {
    answers.iter().map(|answer| answer.id(model)).collect()
}

/// Checks that there is one token for all rows, or one for each.
fn fits(tokens: usize, batch: usize) -> Result<()> {
    if tokens == 1 || tokens == batch {
        return Ok(());
    }
    Err(refuse(format!("got {tokens} tokens for {batch} rows; give one for all rows or one for each")))
}

/// Each row's number at its token, `[batch, d_vocab]` to `[batch]`. A single token is used for every row.
fn pick(rows: &Tensor<2>, ids: &[u32]) -> Result<Tensor<1>> {
    let [batch, d_vocab] = rows.dims();
    fits(ids.len(), batch)?;
    ids.iter().try_for_each(|id| common::within("token", *id as usize, d_vocab))?;
    let ids: Vec<i64> = (0..batch).map(|row| i64::from(ids[row % ids.len()])).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [batch, 1]), &rows.device());
    Ok(rows.clone().gather(1, ids).reshape([batch]))
}

/// The mean loss of each row over its pairs of tokens without padding, `[batch]`.
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
mod tests;

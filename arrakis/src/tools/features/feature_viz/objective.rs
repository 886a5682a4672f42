//! What a search maximises: a unit at a position, weighed against how likely the model finds the tokens.

use std::sync::{Arc, Mutex, PoisonError};

use arrakis_models::site::Place;
use arrakis_models::{Activation, Edit, HookedTransformer, Plan, RunOptions, Tokens, log_softmax};
use burn::tensor::{Int, Tensor, TensorData};

use super::{FeatureViz, refuse};
use crate::corpus::Unit;
use crate::error::Result;
use crate::tools::shared::{common, finite, vocabulary};
use crate::tools::{Position, Tool};

/// A unit, and the position it is read at.
pub(super) struct Objective<'a> {
    pub(super) model: &'a HookedTransformer,
    pub(super) unit: &'a Unit,
    pub(super) at: Position,
}

/// The numbers of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Scored {
    /// The unit's activation.
    pub(super) activation: f64,
    /// The mean log-probability of the tokens after the first, in nats per token; 0 if it was not asked for.
    pub(super) log_prob: f64,
}

/// Rows scored, and what their scores depend on.
pub(super) struct Sloped {
    pub(super) rows: Vec<Scored>,
    /// The gradient of each row's score at its embeddings, `[row, pos, d_model]`.
    pub(super) at_embed: Tensor<3>,
    /// The log-probability of every token at every position but the first, `[row, pos - 1, d_vocab]`.
    pub(super) log_probs: Option<Tensor<3>>,
}

impl Objective<'_> {
    /// Activations, and log-probabilities if asked for, of rows of one length.
    pub(super) fn of_rows(&self, rows: &[Vec<u32>], fluency: bool) -> Result<(Vec<Scored>, usize)> {
        let pos = rows.first().map_or(1, Vec::len);
        let (mut scored, mut forwards) = (Vec::with_capacity(rows.len()), 0);
        for rows in rows.chunks(common::copies(pos)) {
            let tokens = Tokens::new(rows.to_vec())?;
            let plan = Plan::new().capture(self.unit.site());
            let outcome = self.model.run_from(&tokens, plan, None, &self.options(fluency))?;
            let read = self.read(outcome.cache.activation(self.unit.site())?, &tokens)?;
            let likely = fluency.then(|| self.log_prob(&outcome.output, &tokens)).transpose()?;
            scored.extend(self.numbers(read, likely, &tokens)?);
            forwards += 1;
        }
        Ok((scored, forwards))
    }

    /// Scores of rows at given embeddings `[row, pos, d_model]`, with their gradients; `weights` weigh each row's
    /// log-probability.
    pub(super) fn slopes(&self, tokens: &Tokens, embed: Option<Tensor<3>>, weights: &[f64]) -> Result<Sloped> {
        let fluency = weights.iter().any(|weight| *weight != 0.0);
        let seen: Arc<Mutex<Option<Activation>>> = Arc::default();
        let keep = Arc::clone(&seen);
        let look = Edit::any("look", move |value, _| {
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(value.clone());
            Ok(value)
        });
        let mut plan = Plan::new();
        if let Some(embed) = embed {
            let embed = Activation::new(embed);
            plan = plan.edit("embed", Edit::any("embeddings", move |_, _| Ok(embed.clone())).unmeasured());
        }
        let plan = plan.grad("embed").edit(self.unit.site(), look.unmeasured());
        let outcome = self.model.run_from(tokens, plan, None, &self.options(fluency))?;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let read = self.read(&seen.expect("BUG: the edit fired"), tokens)?;
        let likely = fluency.then(|| self.log_prob(&outcome.output, tokens)).transpose()?;
        let rows = self.numbers(read.clone(), likely.clone(), tokens)?;
        let score = likely.map_or_else(|| read.clone(), |likely| read.clone() + likely * row(weights, &read));
        let slope = outcome.gradients(score.sum())?;
        let slope = slope.activation("embed")?;
        let shape: [usize; 3] = [slope.dims()[0], slope.dims()[1], slope.dims()[2]];
        let at_embed = Tensor::from_data(TensorData::new(slope.to_vec()?, shape), self.model.device());
        let log_probs = fluency.then(|| {
            let [_, pos, _] = outcome.output.dims();
            log_softmax(outcome.output.detach().narrow(1, 0, pos - 1))
        });
        Ok(Sloped { rows, at_embed, log_probs })
    }

    /// The unit at its position, `[row]`.
    fn read(&self, value: &Activation, tokens: &Tokens) -> Result<Tensor<1>> {
        let all = self.unit.read(self.model, value)?;
        let [rows, _] = all.dims();
        let at: Vec<i64> = self.at.of(tokens)?.into_iter().map(|at| at as i64).collect();
        let at = Tensor::<2, Int>::from_data(TensorData::new(at, [rows, 1]), &all.device());
        Ok(all.gather(1, at).reshape([rows]))
    }

    /// Mean log-probability of each row's tokens after the first, `[row]`.
    fn log_prob(&self, logits: &Tensor<3>, tokens: &Tokens) -> Result<Tensor<1>> {
        let losses = self.model.loss_per_token(logits.clone(), tokens)?;
        Ok(losses.mean_dim(1).reshape([tokens.batch()]).neg())
    }

    fn numbers(&self, read: Tensor<1>, likely: Option<Tensor<1>>, tokens: &Tokens) -> Result<Vec<Scored>> {
        let activations = common::numbers(read)?;
        let log_probs = likely.map(common::numbers).transpose()?.unwrap_or_else(|| vec![0.0; activations.len()]);
        let check = |what: &str, values: &[f64]| finite::check_all(FeatureViz::NAME, self.model, tokens, what, values);
        check("the activation", &activations)?;
        check("the log-probability", &log_probs)?;
        let pairs = activations.into_iter().zip(log_probs);
        Ok(pairs.map(|(activation, log_prob)| Scored { activation, log_prob }).collect())
    }

    /// Without log-probabilities a forward stops after the unit's block.
    fn options(&self, fluency: bool) -> RunOptions {
        let stop = match self.model.site_table().place(self.unit.site()) {
            (Place::Before, _) => Some(0),
            (Place::Block, Some(layer)) => Some(layer as isize + 1),
            _ => None,
        };
        RunOptions { stop_at_layer: stop.filter(|_| !fluency), ..RunOptions::default() }
    }
}

/// The token embeddings of the whole vocabulary as they enter the model, `[d_vocab, d_model]`.
pub(super) fn table(model: &HookedTransformer) -> Tensor<2> {
    vocabulary::embeddings(model, &vocabulary::all(model))
}

/// Tokens that stand for text: neither special ones nor rows of the embedding that the tokenizer does not know.
pub(super) fn ordinary(model: &HookedTransformer) -> Result<Vec<u32>> {
    let d_vocab = model.config().d_vocab as u32;
    let (known, special) = match model.tokenizer() {
        Ok(tokenizer) => (d_vocab.min(tokenizer.len() as u32), tokenizer.special()),
        Err(_) => (d_vocab, std::collections::BTreeMap::default()),
    };
    let ordinary: Vec<u32> = (0..known).filter(|id| !special.contains_key(id)).collect();
    if ordinary.len() > 1 { Ok(ordinary) } else { Err(refuse("the vocabulary has no tokens to choose from".into())) }
}

/// Numbers of each row as a tensor beside another.
fn row(numbers: &[f64], beside: &Tensor<1>) -> Tensor<1> {
    let numbers: Vec<f32> = numbers.iter().map(|number| *number as f32).collect();
    Tensor::from_floats(numbers.as_slice(), &beside.device())
}

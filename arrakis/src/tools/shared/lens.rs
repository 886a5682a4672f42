//! Logits read from the residual stream at each depth, through a map that each lens chooses.

use arrakis_models::{HookedTransformer, IntoTokens, Tokens};
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::place::{StepPosition, TokenAt};
use super::score_table::ScoreTable;
use super::{common, finite};
use crate::error::Result;
use crate::plot::Heatmap;

/// A token and its likelihood at one point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The token's id.
    pub token: u32,
    /// The token's text.
    pub text: String,
    /// The token's logit, in nats.
    pub logit: f64,
    /// The token's log-probability, in nats.
    pub log_prob: f64,
}

/// The likeliest tokens at each point of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lens {
    /// `[step][pos][rank]`, likeliest first.
    pub top: Vec<Vec<Vec<Candidate>>>,
    /// Entropy of the distribution in nats, `[step][pos]`.
    pub entropy: ScoreTable<StepPosition>,
}

/// One token's rank, logit and log-probability at each point of the stream, averaged over prompts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetLens {
    /// The token looked for.
    pub target: u32,
    /// How many logits are strictly larger, `[step][pos]`; 0 for the likeliest token.
    pub rank: ScoreTable<StepPosition>,
    /// The logit in nats, `[step][pos]`.
    pub logit: ScoreTable<StepPosition>,
    /// The log-probability in nats, `[step][pos]`.
    pub log_prob: ScoreTable<StepPosition>,
}

/// A lens on a model: the points of the stream that it reads, and the logits it reads there.
pub(crate) struct LensReader<'a, D> {
    pub(crate) tool: &'static str,
    pub(crate) model: &'a HookedTransformer,
    /// The label and the site of each point, from the embedding to the end.
    pub(crate) steps: Vec<(String, String)>,
    /// The logits of a point, by its index: `[batch, pos, d_model]` to `[batch, pos, d_vocab]`.
    pub(crate) decode: D,
}

impl<D: Fn(usize, Tensor<3>) -> Tensor<3>> LensReader<'_, D> {
    /// The `k` likeliest tokens at each point.
    pub(crate) fn top(&self, prompt: impl IntoTokens, k: usize) -> Result<Lens> {
        let tokens = common::one_row(self.tool, self.model, prompt)?;
        let (mut top, mut entropies) = (Vec::new(), Vec::new());
        self.each_step(&tokens, |read| {
            let at = |(logits, log_probs): (&Vec<f64>, &Vec<f64>)| self.candidates(logits, log_probs, k);
            top.push(read.logits.iter().zip(&read.log_probs).map(at).collect());
            entropies.push(read.log_probs.iter().map(|row| entropy(row)).collect());
        })?;
        let positions = common::positions(self.model, &tokens);
        Ok(Lens { top, entropy: ScoreTable::new(self.tool, "entropy (nats)", self.labels(), positions, entropies)? })
    }

    /// Rank, logit and log-probability of one token at each point, averaged over prompts of one length.
    pub(crate) fn target(&self, prompts: impl IntoTokens, answer: impl Into<Answer>) -> Result<TargetLens> {
        let target = answer.into().id(self.model)?;
        let name = Answer::from(target).label(self.model);
        let tokens = common::aligned(self.tool, self.model, prompts)?;
        let index = target as usize;
        let (mut ranks, mut logits, mut log_probs) = (Vec::new(), Vec::new(), Vec::new());
        self.each_step(&tokens, |read| {
            ranks.extend(by_cell(&tokens, &read.logits, |row| rank(row, index)));
            logits.extend(by_cell(&tokens, &read.logits, |row| row[index]));
            log_probs.extend(by_cell(&tokens, &read.log_probs, |row| row[index]));
        })?;
        let positions = common::positions(self.model, &tokens);
        let table = |units: String, cells: Vec<Vec<f64>>| {
            ScoreTable::of_prompts(self.tool, units, self.labels(), positions.clone(), cells)
                .map(|table| table.measured_on(&tokens))
        };
        Ok(TargetLens {
            target,
            rank: table(format!("rank of {name}"), ranks)?,
            logit: table(format!("logit({name})"), logits)?,
            log_prob: table(format!("log p({name}) (nats)"), log_probs)?,
        })
    }

    /// The logits at each point by label, each `[batch, pos, d_vocab]`.
    pub(crate) fn logits(&self, prompts: impl IntoTokens) -> Result<Vec<(String, Tensor<3>)>> {
        let tokens = prompts.into_tokens(self.model)?;
        let cache = self.model.capture(&tokens, self.steps.iter().map(|(_, site)| site.clone()))?;
        let step = |(index, (label, site)): (usize, &(String, String))| {
            Ok((label.clone(), (self.decode)(index, cache.get(site.as_str())?)))
        };
        self.steps.iter().enumerate().map(step).collect()
    }

    /// Runs once, then passes the reading of each point to `take`, in order.
    fn each_step(&self, tokens: &Tokens, mut take: impl FnMut(Read)) -> Result<()> {
        let cache = self.model.capture(tokens, self.steps.iter().map(|(_, site)| site.clone()))?;
        for (index, (label, site)) in self.steps.iter().enumerate() {
            let read = Read::of((self.decode)(index, cache.get(site.as_str())?))?;
            if let Some(value) = read.fault() {
                finite::check(self.tool, self.model, tokens, &format!("a logit of `{label}`"), value)?;
            }
            take(read);
        }
        Ok(())
    }

    fn labels(&self) -> Vec<String> {
        self.steps.iter().map(|(label, _)| label.clone()).collect()
    }

    fn candidates(&self, logits: &[f64], log_probs: &[f64], k: usize) -> Vec<Candidate> {
        let candidate = |id: usize| Candidate {
            token: id as u32,
            text: common::label(self.model, id as u32),
            logit: logits[id],
            log_prob: log_probs[id],
        };
        common::largest(logits, k).into_iter().map(candidate).collect()
    }
}

/// The reading of one point, each field `[batch * pos][d_vocab]`.
struct Read {
    logits: Vec<Vec<f64>>,
    log_probs: Vec<Vec<f64>>,
}

impl Read {
    fn of(logits: Tensor<3>) -> Result<Self> {
        let [batch, pos, d_vocab] = logits.dims();
        let logits = logits.reshape([batch * pos, d_vocab]);
        Ok(Self { log_probs: common::rows(activation::log_softmax(logits.clone(), 1))?, logits: common::rows(logits)? })
    }

    /// The first number that leaves no valid distribution. A logit of minus infinity is valid: that token cannot occur.
    fn fault(&self) -> Option<f64> {
        self.log_probs.iter().chain(&self.logits).flatten().copied().find(|x| x.is_nan() || *x == f64::INFINITY)
    }
}

/// How many logits are strictly larger.
fn rank(logits: &[f64], index: usize) -> f64 {
    logits.iter().filter(|logit| **logit > logits[index]).count() as f64
}

/// One number for each position, `[pos][prompt]`, from rows in the order of prompts.
fn by_cell(tokens: &Tokens, rows: &[Vec<f64>], read: impl Fn(&[f64]) -> f64) -> Vec<Vec<f64>> {
    let pos = tokens.pos();
    (0..pos).map(|at| (0..tokens.batch()).map(|prompt| read(&rows[prompt * pos + at])).collect()).collect()
}

/// The entropy in nats. A token of probability zero adds nothing.
fn entropy(log_probs: &[f64]) -> f64 {
    -log_probs.iter().filter(|p| **p > f64::NEG_INFINITY).map(|log_prob| log_prob.exp() * log_prob).sum::<f64>()
}

impl Lens {
    /// The likeliest token at each point, coloured by its probability, as a panel for a figure.
    pub fn heatmap(&self) -> Heatmap {
        let best = |read: fn(&Candidate) -> f64| {
            let of_step = move |step: &Vec<Vec<Candidate>>| {
                step.iter().map(|top| top.first().map_or(f64::NAN, read)).collect::<Vec<_>>()
            };
            self.top.iter().map(of_step).collect::<Vec<_>>()
        };
        let texts = self.top.iter().map(|step| {
            step.iter().map(|top| top.first().map(|best| best.text.clone()).unwrap_or_default()).collect::<Vec<_>>()
        });
        let table = ScoreTable { values: best(|best| best.log_prob.exp()), ..self.entropy.clone() };
        table.heatmap().units("probability of the likeliest token").sequential().cell_text(texts)
    }

    /// The tokens, `[pos]`.
    pub fn tokens(&self) -> &[TokenAt] {
        &self.entropy.columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tie_loses_no_rank_and_a_token_that_cannot_occur_is_not_a_fault() {
        assert_eq!((rank(&[1.0, 1.0], 0), rank(&[1.0, 1.0], 1)), (0.0, 0.0));
        let masked = Read { logits: vec![vec![0.0, f64::NEG_INFINITY]], log_probs: vec![vec![0.0, f64::NEG_INFINITY]] };
        assert!(masked.fault().is_none() && entropy(&masked.log_probs[0]) == 0.0);
    }
}

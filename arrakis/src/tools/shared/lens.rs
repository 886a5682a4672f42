//! Logits read from the residual stream at each depth, through a map that each lens chooses.

use std::ops::Range;

use arrakis_models::{ActivationCache, HookedTransformer, IntoTokens, Tokens, device, log_softmax};
use burn::tensor::Tensor;
use rayon::prelude::*;
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

/// Logits that a lens holds at a time, in bytes. More points share a product where they are fewer.
const LOGITS: usize = 128 << 20;

/// A lens on a model: the points of the stream that it reads, and what stands between them and the final norm.
pub(crate) struct LensReader<'a, T> {
    pub(crate) tool: &'static str,
    pub(crate) model: &'a HookedTransformer,
    /// The label and the site of each point, from the embedding to the end.
    pub(crate) steps: Vec<(String, String)>,
    /// The stream at a point, by its index, as the final norm reads it: `[batch, pos, d_model]` to the same shape.
    pub(crate) translate: T,
}

impl<T: Fn(usize, Tensor<3>) -> Tensor<3>> LensReader<'_, T> {
    /// The `k` likeliest tokens at each point.
    pub(crate) fn top(&self, prompt: impl IntoTokens, k: usize) -> Result<Lens> {
        let tokens = common::one_row(self.tool, self.model, prompt)?;
        let (mut top, mut entropies) = (Vec::new(), Vec::new());
        let model = self.model;
        let at = |read: Read<'_>| (candidates(model, read, k), entropy(read.log_probs));
        self.each_step(&tokens, at, |rows| {
            let (candidates, entropy) = rows.into_iter().unzip();
            top.push(candidates);
            entropies.push(entropy);
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
        let at = |read: Read<'_>| {
            [rank(read.logits, index), f64::from(read.logits[index]), f64::from(read.log_probs[index])]
        };
        self.each_step(&tokens, at, |rows| {
            for (cells, which) in [&mut ranks, &mut logits, &mut log_probs].into_iter().zip(0..) {
                cells.extend(by_cell(&tokens, &rows, which));
            }
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
        let step = |(index, (label, _)): (usize, &(String, String))| {
            Ok((label.clone(), self.decode(&cache, index..index + 1)?))
        };
        self.steps.iter().enumerate().map(step).collect()
    }

    /// Runs once, reads every row of each point, and passes what was read to `take`, point by point.
    fn each_step<R: Send>(
        &self,
        tokens: &Tokens,
        read: impl Fn(Read<'_>) -> R + Sync,
        mut take: impl FnMut(Vec<R>),
    ) -> Result<()> {
        let cache = self.model.capture(tokens, self.steps.iter().map(|(_, site)| site.clone()))?;
        let rows = tokens.batch() * tokens.pos();
        let (steps, together) = (self.steps.len(), together(rows * self.model.config().d_vocab));
        for first in (0..steps).step_by(together) {
            let range = first..(first + together).min(steps);
            let mut results = read_rows(self.decode(&cache, range.clone())?, &read)?.into_iter();
            for (label, _) in &self.steps[range] {
                let rows: std::result::Result<_, f64> = results.by_ref().take(rows).collect();
                let what = || format!("a logit of `{label}`");
                take(rows.map_err(|value| finite::refused(self.tool, self.model, tokens, &what(), value))?);
            }
        }
        Ok(())
    }

    /// The logits of some points, one after another: `[points * batch, pos, d_vocab]`.
    fn decode(&self, cache: &ActivationCache, points: Range<usize>) -> Result<Tensor<3>> {
        let read = |index: usize| Ok((self.translate)(index, cache.get(self.steps[index].1.as_str())?));
        let mut streams = points.map(read).collect::<Result<Vec<Tensor<3>>>>()?;
        let stream = if streams.len() == 1 { streams.remove(0) } else { Tensor::cat(streams, 0) };
        Ok(self.model.net().forward_unembed(stream))
    }

    fn labels(&self) -> Vec<String> {
        self.steps.iter().map(|(label, _)| label.clone()).collect()
    }
}

/// How many points share a product, if one of them has so many logits.
fn together(logits: usize) -> usize {
    (LOGITS / size_of::<f32>() / logits.max(1)).max(1)
}

/// One position of one prompt at one point, `[d_vocab]` each.
#[derive(Clone, Copy)]
struct Read<'a> {
    logits: &'a [f32],
    log_probs: &'a [f32],
}

impl Read<'_> {
    /// The first number that is no log-probability: a logit that is NaN or plus infinity makes one. A logit of minus infinity
    /// is valid: that token cannot occur.
    fn fault(&self) -> Option<f64> {
        self.log_probs.iter().copied().find(|p| p.is_nan()).map(f64::from)
    }
}

/// What each row of logits says, or the number that is no logit.
fn read_rows<R: Send>(
    logits: Tensor<3>,
    read: &(impl Fn(Read<'_>) -> R + Sync),
) -> Result<Vec<std::result::Result<R, f64>>> {
    let [_, _, d_vocab] = logits.dims();
    let (log_probs, logits) = (device::read(log_softmax(logits.clone()))?, device::read(logits)?);
    let rows = logits.par_chunks(d_vocab).zip(log_probs.par_chunks(d_vocab));
    let row = |(logits, log_probs)| {
        let row = Read { logits, log_probs };
        row.fault().map_or_else(|| Ok(read(row)), Err)
    };
    Ok(rows.map(row).collect())
}

/// The `k` likeliest tokens.
fn candidates(model: &HookedTransformer, read: Read<'_>, k: usize) -> Vec<Candidate> {
    let candidate = |id: usize| Candidate {
        token: id as u32,
        text: common::label(model, id as u32),
        logit: f64::from(read.logits[id]),
        log_prob: f64::from(read.log_probs[id]),
    };
    let logits: Vec<f64> = read.logits.iter().copied().map(f64::from).collect();
    common::largest(&logits, k).into_iter().map(candidate).collect()
}

/// How many logits are strictly larger.
fn rank(logits: &[f32], index: usize) -> f64 {
    logits.iter().filter(|logit| **logit > logits[index]).count() as f64
}

/// One of three numbers for each position, `[pos][prompt]`, from rows in the order of prompts.
fn by_cell(tokens: &Tokens, rows: &[[f64; 3]], which: usize) -> Vec<Vec<f64>> {
    let pos = tokens.pos();
    (0..pos).map(|at| (0..tokens.batch()).map(|prompt| rows[prompt * pos + at][which]).collect()).collect()
}

/// The entropy in nats. A token of probability zero adds nothing.
fn entropy(log_probs: &[f32]) -> f64 {
    let possible = log_probs.iter().filter(|p| **p > f32::NEG_INFINITY).map(|p| f64::from(*p));
    -possible.map(|log_prob| log_prob.exp() * log_prob).sum::<f64>()
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
        let masked = Read { logits: &[0.0, f32::NEG_INFINITY], log_probs: &[0.0, f32::NEG_INFINITY] };
        assert!(masked.fault().is_none() && entropy(masked.log_probs) == 0.0);
    }

    #[test]
    fn points_share_a_product_within_the_memory() {
        let rows = |rows: usize| together(rows * 50_257);
        assert_eq!((rows(15), rows(1024), together(0)), (44, 1, 33_554_432));
    }
}

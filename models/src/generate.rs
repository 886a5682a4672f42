//! Text token by token, with hooks active at every step and keys and values kept between them.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;

use crate::device;
use crate::error::{Error, Result};
use crate::hooks::{ActivationCache, Plan};
use crate::model::{HookedTransformer, RunOptions};
use crate::tokens::{IntoTokens, Tokens};
use crate::transformer::KvCache;

/// How to generate.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Tokens to add, at most.
    pub max_new_tokens: usize,
    /// 0 takes the likeliest token; above, logits are divided by it and a token is drawn.
    pub temperature: f32,
    /// Only this many of the likeliest tokens are drawn from.
    pub top_k: Option<usize>,
    /// Only the fewest likeliest tokens whose probability reaches this are drawn from.
    pub top_p: Option<f32>,
    /// Subtracted from a token's logit for each time it has occurred.
    pub frequency_penalty: f32,
    /// Logits of tokens that have occurred are divided by this where positive, multiplied where negative.
    pub repetition_penalty: f32,
    /// A row ends when it has produced one of these.
    pub stop_tokens: Vec<u32>,
    /// Seed of the draws.
    pub seed: u64,
    /// Whether keys and values are kept; without, every step recomputes the whole prefix.
    pub use_cache: bool,
    /// What is captured and edited at every step.
    pub plan: Plan,
}

impl Default for Generation {
    fn default() -> Self {
        Self {
            max_new_tokens: 20,
            temperature: 0.0,
            top_k: None,
            top_p: None,
            frequency_penalty: 0.0,
            repetition_penalty: 1.0,
            stop_tokens: Vec::new(),
            seed: 0,
            use_cache: true,
            plan: Plan::new(),
        }
    }
}

impl Generation {
    /// Greedy, this many tokens.
    pub fn greedy(max_new_tokens: usize) -> Self {
        Self { max_new_tokens, ..Self::default() }
    }
}

/// What was generated.
#[derive(Debug)]
pub struct Generated {
    /// Each row's prompt, without padding, with what was added.
    pub ids: Vec<Vec<u32>>,
    /// The logits each added token was chosen from, `[step][batch][d_vocab]`, before penalties.
    pub logits: Vec<Vec<Vec<f32>>>,
    /// What each step's plan captured: the prompt first, then one token a step, or all where a cache is started anew.
    pub steps: Vec<ActivationCache>,
}

impl HookedTransformer {
    /// Continues a prompt. Hooks are active during the prompt and at each step; an edit is told the
    /// position its first token has in the whole sequence ([`crate::hooks::At::offset`]).
    ///
    /// # Errors
    ///
    /// Those of a run; [`Error::TooLong`] when the context would overflow, [`Error::Absent`] for an encoder.
    pub fn generate(&self, prompt: impl IntoTokens, how: &Generation) -> Result<Generated> {
        self.generate_streaming(prompt, how, |_| {})
    }

    /// The same; `each` is given the tokens of every step as they come, one a row.
    ///
    /// # Errors
    ///
    /// As [`HookedTransformer::generate`].
    pub fn generate_streaming(
        &self,
        prompt: impl IntoTokens,
        how: &Generation,
        mut each: impl FnMut(&[u32]),
    ) -> Result<Generated> {
        if self.config().bidirectional {
            return Err(Error::Absent {
                what: "generation token by token".into(),
                why: "it is an encoder: every position sees the ones behind it, so a text cannot grow at its end; run `forward` on a text with mask tokens".into(),
            });
        }
        let mut tokens = prompt.into_tokens(self)?;
        let mut cache = KvCache::new(self.config());
        let mut rng = ChaCha8Rng::seed_from_u64(how.seed);
        let mut done = vec![false; tokens.batch()];
        let mut made = Generated { ids: rows(&tokens), logits: Vec::new(), steps: Vec::new() };
        let mut pending = tokens.clone();
        let how =
            &Generation { plan: how.plan.clone().after_prompt(made.ids.iter().map(Vec::len).collect()), ..how.clone() };
        for _ in 0..how.max_new_tokens {
            let (logits, step) = self.step(&tokens, &pending, &mut cache, how)?;
            let chosen: Vec<u32> =
                logits.iter().zip(&made.ids).map(|(logits, row)| choose(logits, row, how, &mut rng)).collect();
            for (row, (id, done)) in chosen.iter().zip(&mut done).enumerate() {
                if !*done {
                    made.ids[row].push(*id);
                    *done = how.stop_tokens.contains(id);
                }
            }
            made.logits.push(logits);
            made.steps.push(step);
            each(&chosen);
            if done.iter().all(|done| *done) {
                break;
            }
            pending = tokens.extend(&chosen);
        }
        Ok(made)
    }

    /// Logits of each row's next token, `[batch][d_vocab]`.
    fn step(
        &self,
        all: &Tokens,
        pending: &Tokens,
        cache: &mut KvCache,
        how: &Generation,
    ) -> Result<(Vec<Vec<f32>>, ActivationCache)> {
        let options = RunOptions::default();
        let anew = how.use_cache && cache.is_outgrown(self.config(), all.positions());
        if anew {
            *cache = KvCache::new(self.config());
        }
        let run = if how.use_cache && !anew { pending } else { all };
        let outcome = if how.use_cache {
            self.run_cached(run, how.plan.clone(), cache, &options)?
        } else {
            self.run_from(run, how.plan.clone(), None, &options)?
        };
        let last = at_last(outcome.output, run)?;
        Ok((last, outcome.cache))
    }
}

/// Each row's logits at its last real token.
fn at_last(logits: Tensor<3>, tokens: &Tokens) -> Result<Vec<Vec<f32>>> {
    let [batch, pos, vocab] = logits.dims();
    let flat: Vec<i64> =
        tokens.last_positions().iter().enumerate().map(|(row, last)| (row * pos + last) as i64).collect();
    let index = Tensor::from_data(TensorData::new(flat, [batch]), &logits.device());
    let values = device::read(logits.reshape([batch * pos, vocab]).select(0, index))?;
    Ok(values.chunks(vocab).map(<[f32]>::to_vec).collect())
}

fn rows(tokens: &Tokens) -> Vec<Vec<u32>> {
    let keep = |(ids, real): (&Vec<u32>, &Vec<bool>)| {
        ids.iter().zip(real).filter(|(_, real)| **real).map(|(id, _)| *id).collect()
    };
    tokens.ids().iter().zip(tokens.real()).map(keep).collect()
}

/// The next token of one row.
fn choose(logits: &[f32], earlier: &[u32], how: &Generation, rng: &mut ChaCha8Rng) -> u32 {
    let mut logits = logits.to_vec();
    penalise(&mut logits, earlier, how);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    if how.temperature <= 0.0 {
        return order[0] as u32;
    }
    order.truncate(how.top_k.unwrap_or(order.len()).clamp(1, order.len()));
    let top = logits[order[0]];
    let mut weights: Vec<f64> = order.iter().map(|id| f64::from((logits[*id] - top) / how.temperature).exp()).collect();
    if let Some(top_p) = how.top_p {
        weights.truncate(nucleus(&weights, f64::from(top_p)));
    }
    let draw = rand::distr::weighted::WeightedIndex::new(&weights).map_or(0, |weighted| weighted.sample(rng));
    order[draw] as u32
}

/// How many of the sorted weights it takes to reach `top_p` of their sum: the one that crosses is kept.
fn nucleus(weights: &[f64], top_p: f64) -> usize {
    let total: f64 = weights.iter().sum();
    let mut sum = 0.0;
    let crossing = weights.iter().position(|weight| {
        sum += weight / total;
        sum >= top_p
    });
    crossing.map_or(weights.len(), |index| index + 1)
}

fn penalise(logits: &mut [f32], earlier: &[u32], how: &Generation) {
    let mut counts = BTreeMap::new();
    for id in earlier {
        *counts.entry(*id as usize).or_insert(0u32) += 1;
    }
    for (id, count) in counts {
        let logit = &mut logits[id];
        *logit = if *logit > 0.0 { *logit / how.repetition_penalty } else { *logit * how.repetition_penalty };
        *logit -= count as f32 * how.frequency_penalty;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_that_crosses_top_p_is_kept() {
        assert_eq!(nucleus(&[0.5, 0.3, 0.2], 0.6), 2);
        assert_eq!(nucleus(&[0.5, 0.3, 0.2], 0.5), 1);
        assert_eq!(nucleus(&[0.5, 0.3, 0.2], 1.1), 3);
    }

    #[test]
    fn penalties_by_hand() {
        let how = Generation { frequency_penalty: 0.5, repetition_penalty: 2.0, ..Generation::default() };
        let mut logits = [4.0, -4.0, 1.0];
        penalise(&mut logits, &[0, 1, 1], &how);
        assert_eq!(logits, [1.5, -9.0, 1.0]);
    }
}

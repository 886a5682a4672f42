//! Generates text token by token. Hooks are active at every step; keys and values are kept between steps.

mod sample;
mod settings;

pub use settings::Generation;

use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::device;
use crate::error::{Error, Result};
use crate::hooks::{ActivationCache, Effect, Plan, warn_unchanged};
use crate::model::{HookedTransformer, IntoTokens, RunOptions};
use crate::tokens::Tokens;
use crate::transformer::KvCache;
use sample::choose;

/// What was generated.
#[derive(Debug)]
pub struct Generated {
    /// For each row, the prompt without padding, followed by the new tokens.
    pub ids: Vec<Vec<u32>>,
    /// `[step][batch][d_vocab]`.
    logits: Vec<Vec<Vec<f32>>>,
    /// What the plan captured at each step: first at the prompt, then at one token a step. If dynamic or `LongRoPE`
    /// scaling changes the rotation of all keys, that step captures at the whole text.
    pub steps: Vec<ActivationCache>,
    /// The number of tensors that each part of the plan met over all steps, in the order the parts were added.
    pub fired: Vec<usize>,
    /// How much each edit changed over all steps, in the order the edits were added.
    pub effects: Vec<Effect>,
}

impl Generated {
    /// The logits `[d_vocab]` from which a row's token was chosen at a step, before penalties and temperature. A
    /// negative step counts from the end. A row that has ended repeats its stop token until all rows have ended; the
    /// length of its `ids` says how many steps it took.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a step or a row that does not exist.
    pub fn logits(&self, step: isize, row: usize) -> Result<&[f32]> {
        let steps = self.logits.len();
        let place = if step < 0 { step + steps as isize } else { step };
        let at = usize::try_from(place).ok().and_then(|place| self.logits.get(place));
        let rows = at.ok_or_else(|| Error::out_of_range("step", step, steps))?;
        rows.get(row).map(Vec::as_slice).ok_or_else(|| Error::out_of_range("row", row, rows.len()))
    }

    /// The logits of a row at all steps, `[step, d_vocab]`, row-major.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a row that does not exist.
    pub fn logits_of_row(&self, row: usize) -> Result<Vec<f32>> {
        let steps = (0..self.logits.len() as isize).map(|step| self.logits(step, row));
        Ok(steps.collect::<Result<Vec<_>>>()?.concat())
    }
}

/// What generation carries from step to step.
struct Progress {
    /// All tokens, padded.
    tokens: Tokens,
    /// The tokens that are not in the cache.
    pending: Tokens,
    cache: KvCache,
    /// A random generator for each row.
    draws: Vec<ChaCha8Rng>,
    /// Tokens that end a row.
    stops: Vec<u32>,
    /// Rows that have produced a stop token.
    done: Vec<bool>,
    made: Generated,
}

impl HookedTransformer {
    /// Continues a prompt. Each row ends by itself, at one of the model's stop tokens unless these are ignored
    /// ([`Generation::ignore_eos`]). Hooks are active at the prompt and at each step. An edit gets the position of its
    /// first token in the whole sequence ([`crate::hooks::At::offset`]).
    ///
    /// # Errors
    ///
    /// Those of a run; [`Error::Setting`] for a setting that is not valid, [`Error::TooLong`] if the prompt and all new
    /// tokens do not fit in the context, [`Error::NoLogits`] if a token's logits are not numbers,
    /// [`Error::Unsupported`] for an encoder.
    pub fn generate(&self, prompt: impl IntoTokens, how: &Generation) -> Result<Generated> {
        self.generate_streaming(prompt, how, |_| {})
    }

    /// Like [`HookedTransformer::generate`]. `each` also gets the new tokens of every step, one a row; `None` for a row
    /// that has ended.
    ///
    /// # Errors
    ///
    /// As [`HookedTransformer::generate`].
    pub fn generate_streaming(
        &self,
        prompt: impl IntoTokens,
        how: &Generation,
        mut each: impl FnMut(&[Option<u32>]),
    ) -> Result<Generated> {
        let tokens = prompt.into_tokens(self)?;
        self.check_generation(&tokens, how)?;
        let mut progress = self.start(tokens, how);
        let prompt: Vec<usize> = progress.made.ids.iter().map(Vec::len).collect();
        let plan = how.plan.clone().after_prompt(prompt, how.max_new_tokens);
        let reaches_logits = self.reaches_logits(&plan);
        for _ in 0..how.max_new_tokens {
            let logits = self.step(&mut progress, &plan, how.use_cache, reaches_logits)?;
            each(&progress.choose(logits, how)?);
            if progress.done.iter().all(|done| *done) {
                break;
            }
        }
        warn_unchanged(&how.plan.edited(), &progress.made.effects);
        Ok(progress.made)
    }

    fn check_generation(&self, tokens: &Tokens, how: &Generation) -> Result<()> {
        if self.config().bidirectional {
            return Err(Error::Unsupported {
                what: "generation with an encoder".into(),
                why: "every position sees the tokens after it, so a text cannot grow at its end; run `forward` on a text with mask tokens".into(),
            });
        }
        how.check(self.config().d_vocab)?;
        // The last token is chosen but not run.
        let longest = tokens.pos() + how.max_new_tokens.saturating_sub(1);
        let n_ctx = self.config().position_limit();
        if longest > n_ctx { Err(Error::TooLong { tokens: longest, n_ctx }) } else { Ok(()) }
    }

    fn start(&self, tokens: Tokens, how: &Generation) -> Progress {
        let draws = (0..tokens.batch() as u64).map(|row| {
            let mut draws = ChaCha8Rng::seed_from_u64(how.seed);
            draws.set_stream(how.stream.wrapping_add(row));
            draws
        });
        Progress {
            draws: draws.collect(),
            stops: how
                .stop_tokens
                .iter()
                .chain(self.stop_tokens().iter().filter(|_| !how.ignore_eos))
                .copied()
                .collect(),
            done: vec![false; tokens.batch()],
            made: Generated {
                ids: rows(&tokens),
                logits: Vec::new(),
                steps: Vec::new(),
                fired: vec![0; how.plan.patterns().count()],
                effects: vec![Effect::default(); how.plan.edited().len()],
            },
            pending: tokens.clone(),
            cache: KvCache::new(self.config()),
            tokens,
        }
    }

    /// Logits of each row's next token, `[batch][d_vocab]`. Those of other positions are computed only for a plan that
    /// meets them, and beside rows that end in padding.
    fn step(
        &self,
        progress: &mut Progress,
        plan: &Plan,
        use_cache: bool,
        reaches_logits: bool,
    ) -> Result<Vec<Vec<f32>>> {
        if !use_cache || progress.cache.is_outgrown(self.config(), progress.tokens.positions()) {
            (progress.cache, progress.pending) = (KvCache::new(self.config()), progress.tokens.clone());
        }
        let padded = progress.pending.real().iter().any(|row| row.last() == Some(&false));
        let options = RunOptions { last_only: !reaches_logits && !padded, ..RunOptions::default() };
        let outcome = self.run_cached(&progress.pending, plan.clone(), &mut progress.cache, &options)?;
        let made = &mut progress.made;
        made.fired.iter_mut().zip(&outcome.fired).for_each(|(sum, fired)| *sum += fired);
        made.effects.iter_mut().zip(&outcome.effects).for_each(|(sum, effect)| *sum = sum.and(*effect));
        made.steps.push(outcome.cache);
        at_last(outcome.output, &progress.pending)
    }
}

impl Progress {
    /// Adds a token to each row that has not ended. The others continue with their stop token, which nothing reads.
    fn choose(&mut self, logits: Vec<Vec<f32>>, how: &Generation) -> Result<Vec<Option<u32>>> {
        let mut chosen = Vec::new();
        for (row, ids) in self.made.ids.iter_mut().enumerate() {
            let next = if self.done[row] { None } else { Some(choose(&logits[row], ids, how, &mut self.draws[row])?) };
            ids.extend(next);
            self.done[row] |= next.is_some_and(|id| self.stops.contains(&id));
            chosen.push(next);
        }
        let column: Vec<u32> = self.made.ids.iter().map(|ids| ids[ids.len() - 1]).collect();
        self.pending = self.tokens.extend(&column);
        self.made.logits.push(logits);
        Ok(chosen)
    }
}

/// Each row's logits at its last real token. A run for the last position has no others.
fn at_last(logits: Tensor<3>, tokens: &Tokens) -> Result<Vec<Vec<f32>>> {
    let [batch, pos, vocab] = logits.dims();
    let place = |(row, last): (usize, &usize)| (row * pos + (*last).min(pos - 1)) as i64;
    let flat: Vec<i64> = tokens.last_positions().iter().enumerate().map(place).collect();
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

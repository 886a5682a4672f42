//! The tokens that activate units most, and a sample over the whole range.

use serde::{Deserialize, Serialize};

use crate::corpus::batch::{Batch, Token, UnitValues};
use crate::corpus::draw::lot;
use crate::corpus::reducer::Reducer;
use crate::corpus::state::State;
use crate::corpus::unit::Unit;
use crate::corpus::window::Window;
use crate::error::Result;

/// For each unit the tokens with the highest activations, and tokens drawn from all active ones.
///
/// Equal activations are ordered by document and position. It holds for each unit `k + drawn` examples of
/// `12 (before + after + 1)` bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopActivations {
    settings: Settings,
    found: Vec<Found>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    k: usize,
    around: (usize, usize),
    several: bool,
    drawn: usize,
    seed: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Found {
    unit: Unit,
    tokens: u64,
    active: u64,
    top: Vec<Example>,
    drawn: Vec<(u64, Example)>,
}

/// A token that a unit was active on, with the tokens around it in its window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The document, from 0.
    pub document: usize,
    /// The position in the document.
    pub position: usize,
    /// The unit's activation there, in the units of its site.
    pub activation: f64,
    /// The tokens around it.
    pub tokens: Vec<u32>,
    /// The unit's activation at each of them.
    pub activations: Vec<f64>,
    /// Which of them is the token itself.
    pub at: usize,
}

/// Examples of equal rank: a share of all active tokens, ordered by activation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// The lowest activation drawn.
    pub low: f64,
    /// The highest activation drawn.
    pub high: f64,
    /// Tokens drawn, highest activation first.
    pub examples: Vec<Example>,
}

/// What was found for a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitExamples {
    /// The unit.
    pub unit: Unit,
    /// Tokens seen.
    pub tokens: u64,
    /// Tokens on which its activation was above 0.
    pub active: u64,
    /// The highest activations, highest first.
    pub top: Vec<Example>,
    /// Shares of the active tokens, highest first; empty unless asked for.
    pub quantiles: Vec<Quantile>,
}

impl TopActivations {
    /// The `k` windows with the highest activations of each unit, one token a window, with five tokens on either side.
    pub fn new(units: impl IntoIterator<Item = Unit>, k: usize) -> Self {
        let found = |unit| Found { unit, tokens: 0, active: 0, top: Vec::new(), drawn: Vec::new() };
        let settings = Settings { k, around: (5, 5), several: false, drawn: 0, seed: 0 };
        Self { settings, found: units.into_iter().map(found).collect() }
    }

    /// Keeps this many tokens before and after each.
    #[must_use]
    pub fn around(mut self, before: usize, after: usize) -> Self {
        self.settings.around = (before, after);
        self
    }

    /// Lets one window give several of the highest activations.
    #[must_use]
    pub fn several_per_window(mut self) -> Self {
        self.settings.several = true;
        self
    }

    /// Draws tokens from all on which a unit's activation is above 0, without replacement.
    #[must_use]
    pub fn drawn(mut self, tokens: usize, seed: u64) -> Self {
        (self.settings.drawn, self.settings.seed) = (tokens, seed);
        self
    }

    /// What was found for each unit, in the order the units were given; the drawn tokens in `bins` shares of equal
    /// size.
    pub fn examples(&self, bins: usize) -> Vec<UnitExamples> {
        self.found.iter().map(|found| found.examples(bins)).collect()
    }
}

impl Found {
    fn examples(&self, bins: usize) -> UnitExamples {
        let mut drawn: Vec<&Example> = self.drawn.iter().map(|(_, example)| example).collect();
        drawn.sort_by(|a, b| before(a).partial_cmp(&before(b)).unwrap_or(std::cmp::Ordering::Equal));
        let share = |bin: usize| &drawn[bin * drawn.len() / bins..(bin + 1) * drawn.len() / bins];
        let quantile = |examples: &[&Example]| {
            let (first, last) = (examples.first()?, examples.last()?);
            let examples = examples.iter().map(|example| (*example).clone()).collect();
            Some(Quantile { low: last.activation, high: first.activation, examples })
        };
        let quantiles = (0..bins).filter_map(|bin| quantile(share(bin))).collect();
        let (unit, top) = (self.unit.clone(), self.top.clone());
        UnitExamples { unit, tokens: self.tokens, active: self.active, top, quantiles }
    }

    fn update(&mut self, batch: &Batch<'_>, settings: &Settings) -> Result<()> {
        let values = batch.unit(&self.unit)?;
        let value = |token: &Token| f64::from(values.at(token.row, token.slot));
        let example = |token: &Token| made(token, &batch.windows()[token.row], &values, settings.around);
        let tokens = batch.counted();
        for own in tokens.chunk_by(|a, b| a.row == b.row) {
            let best = own.iter().reduce(|best, next| if value(next) > value(best) { next } else { best });
            let candidates = if settings.several { own } else { best.map_or(&[][..], std::slice::from_ref) };
            for token in candidates {
                self.rank(token, value(token), settings.k, example);
            }
        }
        for token in tokens.iter().filter(|token| value(token) > 0.0) {
            self.active += 1;
            self.draw(lot(settings.seed, token), token, settings.drawn, example);
        }
        self.tokens += tokens.len() as u64;
        Ok(())
    }

    /// Adds what was found in other batches.
    fn join(&mut self, other: Self, settings: &Settings) {
        let by_lot = |lot: u64, example: &Example| (lot, example.document, example.position);
        self.top.extend(other.top);
        self.top.sort_by(|a, b| before(a).partial_cmp(&before(b)).unwrap_or(std::cmp::Ordering::Equal));
        self.top.truncate(settings.k);
        self.drawn.extend(other.drawn);
        self.drawn.sort_by_key(|(lot, example)| by_lot(*lot, example));
        self.drawn.truncate(settings.drawn);
        (self.tokens, self.active) = (self.tokens + other.tokens, self.active + other.active);
    }

    /// Keeps a token if it is among the `k` highest.
    fn rank(&mut self, token: &Token, value: f64, k: usize, example: impl Fn(&Token) -> Example) {
        let own = (-value, token.document, token.position);
        let at = self.top.partition_point(|other| before(other) < own);
        if at < k {
            self.top.insert(at, example(token));
            self.top.truncate(k);
        }
    }

    /// Keeps a token if its lot is among the lowest.
    fn draw(&mut self, lot: u64, token: &Token, most: usize, example: impl Fn(&Token) -> Example) {
        let own = (lot, token.document, token.position);
        let at = self.drawn.partition_point(|(lot, other)| (*lot, other.document, other.position) < own);
        if at < most {
            self.drawn.insert(at, (lot, example(token)));
            self.drawn.truncate(most);
        }
    }
}

/// The order of examples: the highest activation first, then by place.
fn before(example: &Example) -> (f64, usize, usize) {
    (-example.activation, example.document, example.position)
}

/// A token with its surroundings inside its window.
fn made(token: &Token, window: &Window, values: &UnitValues, (left, right): (usize, usize)) -> Example {
    let first = token.slot.saturating_sub(left);
    let last = (token.slot + right).min(window.ids.len() - 1);
    let activations: Vec<f64> = (first..=last).map(|slot| f64::from(values.at(token.row, slot))).collect();
    Example {
        document: token.document,
        position: token.position,
        activation: activations[token.slot - first],
        tokens: window.ids[first..=last].to_vec(),
        activations,
        at: token.slot - first,
    }
}

impl Reducer for TopActivations {
    fn name(&self) -> String {
        let units: Vec<&Unit> = self.found.iter().map(|found| &found.unit).collect();
        format!("top activations {:?} of {units:?}", self.settings)
    }

    fn sites(&self) -> Vec<String> {
        self.found.iter().map(|found| found.unit.site().to_owned()).collect()
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        let first = self.found.iter().all(|found| found.tokens == 0);
        for found in &mut self.found {
            if first {
                found.unit.check(batch.model())?;
            }
            found.update(batch, &self.settings)?;
        }
        Ok(())
    }

    fn state(&self) -> Result<State> {
        State::of(self)
    }

    fn restore(&mut self, state: State) -> Result<()> {
        *self = state.data()?;
        Ok(())
    }

    fn is_joinable(&self) -> bool {
        self.found.iter().all(|found| found.tokens == 0)
    }

    fn join(&mut self, state: State) -> Result<()> {
        let other: Self = state.data()?;
        self.found.iter_mut().zip(other.found).for_each(|(own, other)| own.join(other, &self.settings));
        Ok(())
    }
}

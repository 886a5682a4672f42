//! A claim on its bench, as `cargo test` and a suite run it.

#![cfg_attr(not(feature = "harness"), allow(dead_code, reason = "a suite alone asks for some of it"))]

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::hypothesis::judged;
use crate::bench::Bench;
use crate::error::Result;
use crate::hypothesis::{Stability, Verdict};
use crate::tools::PromptPairs;

/// How often a claim is repeated if only `resample` is given.
const REPEATS: usize = 20;

type Make = Box<dyn Fn() -> Result<Bench> + Send + Sync>;
type Call = Box<dyn Fn(&Bench, Option<u64>) -> Result<(), String> + Send + Sync>;

/// A claim of `#[test_hypothesis(bench = ..)]`: how to run it, and what is expected of it.
pub struct Case {
    module: &'static str,
    name: &'static str,
    bench: Make,
    call: Call,
    seeds: usize,
    resamples: Option<&'static str>,
    rejected: bool,
    ignored: bool,
}

impl Case {
    /// The claim of a function. `call` calls it on a bench; a draw resamples an argument.
    pub fn new(
        module: &'static str,
        name: &'static str,
        bench: impl Fn() -> Result<Bench> + Send + Sync + 'static,
        call: impl Fn(&Bench, Option<u64>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let (bench, call) = (Box::new(bench), Box::new(call));
        Self { module, name, bench, call, seeds: 1, resamples: None, rejected: false, ignored: false }
    }

    /// Repeats it under so many seeds of the bench.
    #[must_use]
    pub fn seeds(self, seeds: usize) -> Self {
        Self { seeds, ..self }
    }

    /// Repeats it on resamples of this argument.
    #[must_use]
    pub fn resamples(self, argument: &'static str) -> Self {
        Self { resamples: Some(argument), ..self }
    }

    /// Its claim is false, and must be rejected.
    #[must_use]
    pub fn rejected(self) -> Self {
        Self { rejected: true, ..self }
    }

    /// A suite leaves it out unless it is asked for.
    #[must_use]
    pub fn ignored(self) -> Self {
        Self { ignored: true, ..self }
    }

    /// The path of its function, without the crate.
    pub(crate) fn path(&self) -> String {
        match self.module.split_once("::") {
            Some((_, module)) => format!("{module}::{}", self.name),
            None => self.name.to_owned(),
        }
    }

    pub(crate) fn is_rejected(&self) -> bool {
        self.rejected
    }

    pub(crate) fn is_ignored(&self) -> bool {
        self.ignored
    }

    /// The verdict, and the verdicts under other seeds and on resamples.
    pub(crate) fn judge(&self) -> Result<(Verdict, Vec<Stability>), String> {
        let name = self.name;
        let bench = (self.bench)().map_err(|error| format!("`{name}` has no bench: {error}"))?;
        let verdict = judged(name, &bench, |bench| (self.call)(bench, None))?;
        let mut stability = Vec::new();
        if self.seeds > 1 {
            let first = bench.current_seed();
            let seeds = (0..self.seeds as u64).map(|add| first.wrapping_add(add));
            let verdicts = seeds.map(|seed| judged(name, &bench.clone().seed(seed), |bench| (self.call)(bench, None)));
            stability.push(Stability::of("seeds", &verdicts.collect::<Result<Vec<_>, _>>()?));
        }
        if let Some(argument) = self.resamples {
            let draws = 0..self.seeds.max(REPEATS) as u64;
            let verdicts = draws.map(|draw| judged(name, &bench, |bench| (self.call)(bench, Some(draw))));
            stability
                .push(Stability::of(&format!("resamples of `{argument}`"), &verdicts.collect::<Result<Vec<_>, _>>()?));
        }
        Ok((verdict, stability))
    }

    /// Fails if the claim does not hold. Prints the verdict in both cases.
    ///
    /// # Panics
    ///
    /// If the claim does not hold, or the function fails.
    #[track_caller]
    pub fn assert_holds(&self) {
        match self.judge() {
            Ok((verdict, stability)) => {
                let more = stability.iter().fold(String::new(), |text, one| text + "\n  " + &one.to_string());
                assert!(verdict.holds, "the claim of `{}` does not hold\n{verdict}{more}", self.name);
                println!("{verdict}{more}");
            }
            Err(message) => panic!("{message}"),
        }
    }
}

/// A value of which a claim can be repeated on resamples, as a bootstrap does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be resampled",
    label = "resample `PromptPairs`, or a `Vec` whose items can be cloned"
)]
pub trait Resample: Sized {
    /// As many of its parts, drawn with replacement; the same for the same draw.
    #[must_use]
    fn resample(self, draw: u64) -> Self;
}

impl Resample for PromptPairs {
    fn resample(self, draw: u64) -> Self {
        self.resampled(draw)
    }
}

impl<T: Clone> Resample for Vec<T> {
    fn resample(self, draw: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(draw);
        (0..self.len()).filter_map(|_| self.choose(&mut rng).cloned()).collect()
    }
}

/// The value itself, or a resample of it.
pub fn resampled<T: Resample>(value: T, draw: Option<u64>) -> T {
    match draw {
        Some(draw) => value.resample(draw),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resample_has_as_many_values_and_repeats_by_draw() {
        let values: Vec<usize> = (0..20).collect();
        let drawn = resampled(values.clone(), Some(3));
        assert_eq!(drawn.len(), 20);
        assert!(drawn.iter().all(|value| values.contains(value)) && drawn != values);
        assert_eq!(drawn, resampled(values.clone(), Some(3)));
        assert_ne!(drawn, resampled(values.clone(), Some(4)));
        assert_eq!(resampled(values.clone(), None), values);
        assert!(resampled(Vec::<f64>::new(), Some(1)).is_empty());
    }

    #[test]
    fn a_path_has_no_crate() {
        let case = |module| Case::new(module, "moves", Bench::embedded, |_, _| Ok(()));
        assert_eq!((case("laws::names").path(), case("laws").path()), ("names::moves".into(), "moves".into()));
    }
}

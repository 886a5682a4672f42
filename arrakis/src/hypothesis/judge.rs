//! Judges a claim: from a measurement and a null to a verdict.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::choose::shape;
use super::data::{Data, Design, Pairing};
use super::effects::EffectSize;
use super::estimand::Estimand;
use super::ground::{Interval, TestResult};
use super::shape::Shape;
use super::statistic::Statistic;
use super::tests::levels;
use super::variance::{Part, VarianceComponent, named};
use super::{Alternative, Claim, Null, NullSummary, Sample, Test, Verdict};
use crate::error::{Error, Result};

/// The null after its draws are taken.
enum Against {
    Value(f64),
    Sample(Sample),
    Draws(Sample),
}

/// What a statistic finds.
struct Found {
    result: TestResult,
    interval: Option<Interval>,
    effect_size: Option<EffectSize>,
    estimand: Estimand,
    estimate: f64,
    why: String,
    caution: Option<String>,
    variance: Vec<VarianceComponent>,
    least: Option<usize>,
}

impl Claim {
    /// Compares `observed` with `null`.
    ///
    /// A sample whose place was searched for on the same prompts counts the comparisons of the search ([`Origin`](super::Origin)).
    /// The seed of every draw comes from [`Claim::seed`], so the verdict is reproducible.
    ///
    /// # Errors
    ///
    /// - Those of [`Claim::validate`].
    /// - [`Error::Claim`] if the place of `observed` was searched for on the same prompts among more places than the claim
    ///   states.
    /// - [`Error::Claim`] if the test does not fit the measurement, with the tests that do; if two samples may be pairs or
    ///   independent, and nothing says which; and if the test is not about what the claim is about.
    /// - [`Error::Statistics`] and [`Error::Degenerate`] from the test itself.
    /// - Any error of a draw of the null.
    pub fn judge(&self, observed: Sample, null: Null) -> Result<Verdict> {
        let (claim, selected) = self.facing(observed.origin())?;
        let origin = observed.origin().cloned();
        let mut verdict = claim.as_planned(observed, null, Self::judge_as_it_is)?;
        verdict.notes.splice(..0, selected);
        Ok(Verdict { origin, ..verdict })
    }

    fn judge_as_it_is(&self, observed: Sample, null: Null) -> Result<Verdict> {
        self.validate()?;
        let design = self.design(&observed, &null)?;
        let test = self.choose(&observed, &null, design, self.seen(design, &observed, &null).as_ref())?;
        let (statistic, design) = test.statistic().zip(design).expect("BUG: a chosen test fits a design");
        let against = self.draw(null)?;
        let found = self.find(statistic, design, data(statistic, design, &observed, &against))?;
        Ok(self.verdict(test, observed, against, found))
    }

    /// The shape of the values, for the automatic choice; `None` while the null is still to be drawn.
    fn seen(&self, design: Option<Design>, observed: &Sample, null: &Null) -> Option<Shape> {
        let values = observed.values();
        let data = match (design?, null) {
            _ if self.test != Test::Auto => return None,
            (Design::Draws, _) | (_, Null::Draws(_)) => return None,
            (_, Null::Value(null)) => Data::Number { observed: values, null: *null },
            (Design::Samples { pairing, .. }, Null::Sample(null)) => {
                Data::Samples { observed: values, null: null.values(), paired: pairing == Pairing::Paired }
            }
            _ => return None,
        };
        shape(&self.terms(), data)
    }

    fn find(&self, statistic: &dyn Statistic, design: Design, data: Data) -> Result<Found> {
        let terms = self.terms();
        let result = statistic.run(&terms, data)?;
        let shape = shape(&terms, data);
        let caution = shape.and_then(|shape| statistic.caution(&shape, &terms));
        let effect_size = match statistic.effect(data) {
            Ok(effect) => Some(effect),
            Err(Error::Degenerate { .. }) => None,
            Err(error) => return Err(error),
        };
        let estimand = statistic.estimand(design);
        let interval = statistic.interval(&terms, data)?;
        let holds = terms.rejects(result.p_value);
        Ok(Found {
            interval: interval
                .filter(|interval| !statistic.has_direction() || agrees(interval, holds, self.alternative)),
            effect_size,
            estimand,
            estimate: statistic.estimate(&terms, data)?,
            why: why(estimand, statistic.assumes(), shape),
            caution,
            variance: self.variance(data)?,
            least: statistic.least(&terms),
            result,
        })
    }

    /// Takes the draws of the null, each from its own seed.
    fn draw(&self, null: Null) -> Result<Against> {
        let mut draw = match null {
            Null::Value(value) => return Ok(Against::Value(value)),
            Null::Sample(sample) => return Ok(Against::Sample(sample)),
            Null::Draws(draw) => draw,
        };
        self.check_drawn()?;
        let mut seeds = ChaCha8Rng::seed_from_u64(self.seed);
        let draws = (0..self.draws).map(|_| draw(seeds.next_u64())).collect::<Result<Vec<f64>>>()?;
        Ok(Against::Draws(Sample::new(draws)?))
    }

    /// The variance components of the groupings that are given.
    fn variance(&self, data: Data) -> Result<Vec<VarianceComponent>> {
        let given = [("groups", &self.groups), ("nested", &self.nested), ("crossed", &self.crossed)];
        let given: Vec<(&str, &Vec<String>)> =
            given.into_iter().filter_map(|(name, groups)| Some((name, groups.as_ref()?))).collect();
        if given.is_empty() {
            return Ok(Vec::new());
        }
        let samples = match data {
            Data::Samples { observed, null, paired: false } => vec![observed.to_vec(), null.to_vec()],
            other => vec![other.differences()?],
        };
        let all: usize = samples.iter().map(Vec::len).sum();
        if let Some((name, groups)) = given.iter().find(|(_, groups)| groups.len() != all) {
            let problem = format!("there are {all} values, and `{name}` has {}", groups.len());
            return Err(self.refuse(problem, "give one group per value"));
        }
        let mut start = 0;
        let part = |values: Vec<f64>| {
            let range = start..start + values.len();
            start = range.end;
            Part { values, levels: given.iter().map(|(_, groups)| levels(&groups[range.clone()])).collect() }
        };
        let parts: Vec<Part> = samples.into_iter().map(part).collect();
        let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
        Ok(named(&names, &parts))
    }

    fn verdict(&self, test: Test, observed: Sample, against: Against, found: Found) -> Verdict {
        let (null, null_values) = match against {
            Against::Value(value) => (NullSummary::Value(value), vec![value]),
            Against::Sample(sample) => (NullSummary::Sample(sample.summary()), sample.into()),
            Against::Draws(sample) => (NullSummary::Draws(sample.summary()), sample.into()),
        };
        let summary = observed.summary();
        Verdict {
            claim: self.clone(),
            difference: summary.mean - null.mean(),
            notes: self.notes(&found, summary.n),
            observed: summary,
            null,
            test,
            method: found.result.method.into(),
            statistic: found.result.statistic,
            df: found.result.df,
            p_value: found.result.p_value,
            alpha_corrected: self.alpha_corrected(),
            estimand: Some(found.estimand),
            estimate: Some(found.estimate),
            effect_size: found.effect_size,
            ci: found.interval,
            holds: self.terms().rejects(found.result.p_value),
            why: found.why,
            caution: found.caution,
            variance: found.variance,
            observed_values: observed.into(),
            null_values,
            origin: None,
        }
    }

    fn notes(&self, found: &Found, n: usize) -> Vec<String> {
        let mut notes = found.result.notes.clone();
        if !self.terms().rejects(found.result.smallest_p) {
            let smallest = crate::fmt::short(found.result.smallest_p);
            let more = found.least.map_or_else(|| "more".to_owned(), |least| format!("at least {least}"));
            notes.push(format!(
                "with n = {n} the smallest p-value of this test is {smallest}, so the claim cannot hold: measure {more}"
            ));
        }
        if found.effect_size.is_none() {
            notes.push("the values do not vary, so there is no effect size".into());
        }
        if found.interval.is_none() && n > 1 && found.effect_size.is_some() {
            notes.push("there is no interval: no finite one is the dual of this test at this alpha".into());
        }
        if self.selected {
            notes.push(format!(
                "chosen among {} places on these values: the interval is as wide as for all of them together",
                self.comparisons
            ));
        }
        notes
    }
}

/// Whether an interval excludes zero, on the claimed side, exactly if the claim holds.
fn agrees(interval: &Interval, holds: bool, alternative: Alternative) -> bool {
    let excludes = match alternative {
        Alternative::Greater => interval.low > 0.0,
        Alternative::Less => interval.high < 0.0,
        Alternative::TwoSided => interval.low > 0.0 || interval.high < 0.0,
    };
    excludes == holds
}

/// What is tested, under which assumption, on what kind of values.
fn why(estimand: Estimand, assumes: &str, shape: Option<Shape>) -> String {
    let seen = shape.map_or_else(String::new, |shape| format!("; {}", shape.words()));
    format!("about the {estimand}, assuming {assumes}{seen}")
}

/// The numbers of a measurement of this `design`.
fn data<'a>(statistic: &dyn Statistic, design: Design, observed: &'a Sample, against: &'a Against) -> Data<'a> {
    let values = observed.values();
    match (design, against) {
        (Design::Draws, Against::Sample(null) | Against::Draws(null)) => {
            Data::Draws { observed: values[0], null: null.values() }
        }
        (_, Against::Value(null)) => Data::Number { observed: values, null: *null },
        (_, Against::Sample(null) | Against::Draws(null)) => {
            // If nobody said how the samples belong together, the test that was named does.
            let pairs = |binary| Design::Samples { pairing: Pairing::Paired, binary };
            let paired = match design {
                Design::Samples { pairing: Pairing::Unsaid, binary } => statistic.fits(pairs(binary)),
                Design::Samples { pairing, .. } => pairing == Pairing::Paired,
                _ => false,
            };
            Data::Samples { observed: values, null: null.values(), paired }
        }
    }
}

#[cfg(test)]
mod tests;

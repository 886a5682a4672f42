//! The exact binomial test: does an event happen with a given probability?
//!
//! Source: Clopper & Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial"
//! (1934).

use statrs::function::beta::beta_reg;
use statrs::function::factorial::ln_binomial;

use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::effects::{EffectSize, cohen_h};
use crate::hypothesis::estimand::Estimand;
use crate::hypothesis::ground::guard::{check_level, mean, refuse};
use crate::hypothesis::ground::student::bisect;
use crate::hypothesis::ground::{Alternative, Interval, TestResult};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "binomial";

/// Tests whether `successes` of `trials` independent trials are consistent with a success probability of `probability`.
///
/// The statistic is the observed proportion. Two-sided adds up every count that is no more likely than the observed
/// one.
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for no trials, more successes than trials, or a probability
/// outside `(0, 1)`.
pub fn binomial(successes: u64, trials: u64, probability: f64, alternative: Alternative) -> Result<TestResult> {
    check_counts(successes, trials)?;
    if !(probability > 0.0 && probability < 1.0) {
        let problem = format!("the null probability is {probability}");
        return Err(refuse(TEST, problem, "give one between 0 and 1, such as one over the number of choices"));
    }
    let p_value = tail(successes, trials, probability, alternative);
    let extreme = |count| tail(count, trials, probability, alternative);
    let floor = extreme(0).min(extreme(trials));
    Ok(TestResult::new(TEST, "exact", successes as f64 / trials as f64, p_value)?.smallest_p(floor))
}

/// The Clopper-Pearson interval at `level` for the probability of success.
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for no trials, more successes than trials, or a level outside
/// `(0, 1)`.
pub fn clopper_pearson(successes: u64, trials: u64, level: f64) -> Result<Interval> {
    check_counts(successes, trials)?;
    check_level(TEST, level)?;
    let tail = (1.0 - level) / 2.0;
    let low = if successes == 0 { 0.0 } else { bisect(0.0, 1.0, |p| at_least(successes, trials, p) < tail) };
    let high = if successes == trials { 1.0 } else { bisect(0.0, 1.0, |p| at_most(successes, trials, p) > tail) };
    Interval::new(low, high, level, "clopper-pearson")
}

fn check_counts(successes: u64, trials: u64) -> Result<()> {
    if trials > 0 && successes <= trials {
        return Ok(());
    }
    Err(refuse(
        TEST,
        format!("{successes} successes in {trials} trials"),
        "count at least one trial, and no more successes than trials",
    ))
}

fn tail(successes: u64, trials: u64, probability: f64, alternative: Alternative) -> f64 {
    match alternative {
        Alternative::Greater => at_least(successes, trials, probability),
        Alternative::Less => at_most(successes, trials, probability),
        Alternative::TwoSided => no_likelier(successes, trials, probability),
    }
}

fn at_least(successes: u64, trials: u64, probability: f64) -> f64 {
    if successes == 0 { 1.0 } else { beta_reg(successes as f64, (trials - successes + 1) as f64, probability) }
}

fn at_most(successes: u64, trials: u64, probability: f64) -> f64 {
    at_least(trials - successes, trials, 1.0 - probability)
}

/// The counts on the far side of the expected one that are no likelier are found by halving.
fn no_likelier(successes: u64, trials: u64, probability: f64) -> f64 {
    let ln_chance = |count: u64| {
        ln_binomial(trials, count) + count as f64 * probability.ln() + (trials - count) as f64 * (-probability).ln_1p()
    };
    // Counts exactly as likely as the observed one may differ from it by rounding.
    let limit = ln_chance(successes) + 1e-7;
    let mode = (((trials + 1) as f64 * probability) as u64).min(trials);
    let turn = |mut low: u64, mut high: u64, rising: bool| {
        while low < high {
            let middle = low + (high - low) / 2;
            if (ln_chance(middle) <= limit) == rising { low = middle + 1 } else { high = middle }
        }
        low
    };
    // Likely counts are those from `first` up to, but without, `end`.
    let (first, end) = (turn(0, mode, true), turn(mode, trials + 1, false));
    let below = if first == 0 { 0.0 } else { at_most(first - 1, trials, probability) };
    let above = if end > trials { 0.0 } else { at_least(end, trials, probability) };
    if first >= end { 1.0 } else { below + above }
}

/// See [`binomial`].
pub(super) struct Binomial;

impl Statistic for Binomial {
    fn assumes(&self) -> &'static str {
        "independent trials with the same probability of success"
    }

    fn estimand(&self, _design: Design) -> Estimand {
        Estimand::Proportion
    }

    fn fits(&self, design: Design) -> bool {
        design == Design::Number { binary: true }
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (values, null) = data.number();
        binomial(successes(values), values.len() as u64, null, terms.alternative)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let (values, null) = data.number();
        interval_of(successes(values), values.len() as u64, null, terms)
    }

    fn effect(&self, data: Data) -> Result<EffectSize> {
        let (values, null) = data.number();
        Ok(EffectSize::new("cohen_h", cohen_h(mean(values), null)?))
    }
}

/// The interval of the probability minus `null`.
pub(super) fn interval_of(successes: u64, trials: u64, null: f64, terms: &Terms) -> Result<Option<Interval>> {
    let estimate = successes as f64 / trials as f64 - null;
    let p_value = |shift: f64, alternative: Alternative| match null + shift {
        // At its ends a probability allows only one count.
        probability if probability <= 0.0 => {
            if successes == 0 && probability == 0.0 {
                1.0
            } else {
                0.0
            }
        }
        probability if probability >= 1.0 => {
            if successes == trials && probability == 1.0 {
                1.0
            } else {
                0.0
            }
        }
        probability => tail(successes, trials, probability, alternative),
    };
    terms.dual(estimate, 0.25, "dual of the binomial test", p_value)
}

/// The number of values that are 1.
pub(super) fn successes(values: &[f64]) -> u64 {
    values.iter().filter(|&&value| value == 1.0).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_null_rate, assert_power, reference};
    use rand::Rng;

    #[test]
    fn scipy_gives_the_same_numbers() {
        for row in reference("binomial").as_array().unwrap() {
            let number = |key: &str| row[key].as_f64().unwrap();
            let (k, n) = (number("k") as u64, number("n") as u64);
            for alternative in [Alternative::Greater, Alternative::Less, Alternative::TwoSided] {
                let found = binomial(k, n, number("p"), alternative).unwrap();
                assert_close(found.p_value, number(&alternative.to_string()), 1e-10);
            }
            let interval = clopper_pearson(k, n, 0.95).unwrap();
            assert_close(interval.low, number("low"), 1e-10);
            assert_close(interval.high, number("high"), 1e-10);
        }
    }

    #[test]
    fn a_hand_computed_case() {
        // Three heads of three: 1/8 one-sided, and three tails are equally unlikely.
        assert_close(binomial(3, 3, 0.5, Alternative::Greater).unwrap().p_value, 1.0 / 8.0, 1e-14);
        assert_close(binomial(3, 3, 0.5, Alternative::TwoSided).unwrap().p_value, 2.0 / 8.0, 1e-14);
        assert_close(binomial(3, 3, 0.5, Alternative::Less).unwrap().p_value, 1.0, 1e-14);
    }

    #[test]
    fn it_errs_one_time_in_twenty_and_finds_a_true_effect() {
        let count =
            |rng: &mut rand_chacha::ChaCha8Rng, n: u64, p: f64| (0..n).filter(|_| rng.random_bool(p)).count() as u64;
        assert_null_rate(|rng, _| binomial(count(rng, 400, 0.25), 400, 0.25, Alternative::Greater).unwrap());
        assert_power(0.95, |rng, _| binomial(count(rng, 100, 0.7), 100, 0.5, Alternative::TwoSided).unwrap());
    }

    #[test]
    fn impossible_counts_are_refused_by_name() {
        assert_eq!(
            binomial(4, 3, 0.5, Alternative::Less).unwrap_err().to_string(),
            "`binomial`: 4 successes in 3 trials; count at least one trial, and no more successes than trials"
        );
        assert!(binomial(0, 0, 0.5, Alternative::Less).is_err());
        assert!(binomial(1, 2, 1.0, Alternative::Less).is_err());
        assert!(binomial(1, 2, f64::NAN, Alternative::Less).is_err());
        assert_eq!(clopper_pearson(0, 10, 0.95).unwrap().low, 0.0);
    }
}

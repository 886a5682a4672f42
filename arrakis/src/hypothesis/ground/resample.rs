//! Bootstrap confidence intervals: how much a statistic would vary between samples.
//!
//! Source: Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), chapters 13 (percentile) and 14 (`BCa`).

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::Interval;
use super::guard::{check, check_draws, check_level, finite_result, mean, refuse};
use crate::error::Result;

const TEST: &str = "bootstrap";

/// How bootstrap draws become an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalMethod {
    /// The quantiles of the draws.
    Percentile,
    /// The quantiles, corrected for bias and for a spread that changes with the statistic.
    #[default]
    Bca,
}

/// Options of a bootstrap; the default is `BCa` at 95% from 2000 draws with seed 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bootstrap {
    /// The confidence level, in `(0, 1)`.
    pub level: f64,
    /// The number of samples drawn.
    pub draws: usize,
    /// The seed of the draws.
    pub seed: u64,
    /// How the draws become an interval.
    pub method: IntervalMethod,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { level: 0.95, draws: 2000, seed: 0, method: IntervalMethod::Bca }
    }
}

impl Bootstrap {
    fn check(self) -> Result<()> {
        check_draws(TEST, self.draws)?;
        check_level(TEST, self.level)
    }
}

/// The confidence interval of `statistic` over independent `values`.
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for fewer than two values, values or statistics that are not
/// finite, 0 draws, or a level outside `(0, 1)`.
pub fn bootstrap(values: &[f64], options: Bootstrap, statistic: impl Fn(&[f64]) -> f64) -> Result<Interval> {
    check(TEST, "values", values, 2)?;
    options.check()?;
    of_units(&values.chunks(1).collect::<Vec<_>>(), options, statistic)
}

/// The confidence interval of `statistic` if values of one group are not independent, such as the prompts of one
/// template. Whole groups are drawn.
///
/// `groups[i]` is the group of `values[i]`; the statistic gets the values of the drawn groups one after the other.
///
/// # Errors
///
/// As [`bootstrap`]; also for lengths that differ and for fewer than two groups.
pub fn cluster_bootstrap<G: Ord>(
    values: &[f64],
    groups: &[G],
    options: Bootstrap,
    statistic: impl Fn(&[f64]) -> f64,
) -> Result<Interval> {
    check(TEST, "values", values, 2)?;
    options.check()?;
    if values.len() != groups.len() {
        let problem = format!("there are {} values and {} groups", values.len(), groups.len());
        return Err(refuse(TEST, problem, "give one group per value"));
    }
    let mut clusters: BTreeMap<&G, Vec<f64>> = BTreeMap::new();
    for (group, &value) in groups.iter().zip(values) {
        clusters.entry(group).or_default().push(value);
    }
    if clusters.len() < 2 {
        return Err(refuse(TEST, "all values belong to one group", "give at least two groups, or use `bootstrap`"));
    }
    of_units(&clusters.values().map(Vec::as_slice).collect::<Vec<_>>(), options, statistic)
}

/// The percentile confidence interval of `mean(a) - mean(b)` for independent samples, each resampled separately.
///
/// # Errors
///
/// As [`bootstrap`], for either sample.
pub fn bootstrap_difference(a: &[f64], b: &[f64], options: Bootstrap) -> Result<Interval> {
    check(TEST, "a", a, 2)?;
    check(TEST, "b", b, 2)?;
    options.check()?;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut drawn_mean = |values: &[f64]| {
        let total: f64 = values.iter().map(|_| values[rng.random_range(0..values.len())]).sum();
        total / values.len() as f64
    };
    let draws =
        (0..options.draws).map(|_| finite_result(TEST, drawn_mean(a) - drawn_mean(b))).collect::<Result<_>>()?;
    percentile(draws, options.level)
}

fn of_units(units: &[&[f64]], options: Bootstrap, statistic: impl Fn(&[f64]) -> f64) -> Result<Interval> {
    let observed = finite_statistic(statistic(&units.concat()))?;
    let draws = draw(units, options, &statistic)?;
    match options.method {
        IntervalMethod::Percentile => percentile(draws, options.level),
        IntervalMethod::Bca => bca(draws, observed, acceleration(units, &statistic)?, options.level),
    }
}

fn finite_statistic(value: f64) -> Result<f64> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(refuse(TEST, format!("the statistic is {value} on a drawn sample"), "use one that is finite on every sample"))
}

fn draw(units: &[&[f64]], options: Bootstrap, statistic: &impl Fn(&[f64]) -> f64) -> Result<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut sample = Vec::new();
    let mut one = || {
        sample.clear();
        for _ in units {
            sample.extend_from_slice(units[rng.random_range(0..units.len())]);
        }
        finite_statistic(statistic(&sample))
    };
    (0..options.draws).map(|_| one()).collect()
}

/// At most so many samples with something left out are taken: of more units, several are left out together. Their sums keep
/// the skewness of the statistic.
const JACKKNIFES: usize = 1000;

/// One sixth of the skewness of the statistic over samples with one unit left out; 0 if leaving one out changes
/// nothing.
fn acceleration(units: &[&[f64]], statistic: &impl Fn(&[f64]) -> f64) -> Result<f64> {
    let blocks = units.len().min(JACKKNIFES);
    let without = |left_out: usize| {
        let kept = units.iter().enumerate().filter(|(i, _)| i % blocks != left_out);
        finite_statistic(statistic(&kept.flat_map(|(_, unit)| *unit).copied().collect::<Vec<f64>>()))
    };
    let jackknife: Vec<f64> = (0..blocks).map(without).collect::<Result<_>>()?;
    let centre = mean(&jackknife);
    let power_sum = |power: i32| jackknife.iter().map(|value| (centre - value).powi(power)).sum::<f64>();
    let acceleration = power_sum(3) / (6.0 * power_sum(2).powf(1.5));
    Ok(if acceleration.is_finite() { acceleration } else { 0.0 })
}

fn percentile(mut draws: Vec<f64>, level: f64) -> Result<Interval> {
    draws.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Interval::new(quantile(&draws, tail), quantile(&draws, 1.0 - tail), level, "percentile bootstrap")
}

/// Efron & Tibshirani, equations 14.10 and 14.14; percentile if every draw lies on one side of the observed value,
/// because the bias correction would then be infinite.
fn bca(mut draws: Vec<f64>, observed: f64, acceleration: f64, level: f64) -> Result<Interval> {
    let (below, equal) = draws.iter().fold((0, 0), |(below, equal), &draw| {
        (below + usize::from(draw < observed), equal + usize::from(draw == observed))
    });
    if 2 * below + equal == 0 || 2 * below + equal == 2 * draws.len() {
        return percentile(draws, level);
    }
    let normal = Normal::standard();
    let bias = normal.inverse_cdf((below as f64 + equal as f64 / 2.0) / draws.len() as f64);
    let corrected = |share: f64| {
        let z = bias + normal.inverse_cdf(share);
        normal.cdf(bias + z / (1.0 - acceleration * z))
    };
    let tail = (1.0 - level) / 2.0;
    let (low, high) = (corrected(tail), corrected(1.0 - tail));
    draws.sort_by(f64::total_cmp);
    Interval::new(quantile(&draws, low), quantile(&draws, high), level, "bca bootstrap")
}

/// The quantile of sorted values, with linear interpolation.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, normals, numbers, reference, seeded};
    use super::*;

    fn with(draws: usize, method: IntervalMethod) -> Bootstrap {
        Bootstrap { draws, method, ..Bootstrap::default() }
    }

    #[test]
    fn from_the_same_draws_intervals_are_scipys() {
        let expected = reference("bootstrap");
        let (values, draws) = (numbers(&expected["values"]), numbers(&expected["draws"]));
        let lean = expected["acceleration"].as_f64().unwrap();
        for (found, key) in [
            (percentile(draws.clone(), 0.95).unwrap(), "percentile"),
            (bca(draws.clone(), mean(&values), lean, 0.95).unwrap(), "bca"),
        ] {
            let expected = numbers(&expected[key]);
            assert_close(found.low, expected[0], 1e-10);
            assert_close(found.high, expected[1], 1e-10);
        }
    }

    #[test]
    fn with_many_draws_the_interval_approaches_scipys_of_a_million() {
        let expected = numbers(&reference("bootstrap")["many_percentile"]);
        let values = numbers(&reference("bootstrap")["values"]);
        let found = bootstrap(&values, with(20_000, IntervalMethod::Percentile), mean).unwrap();
        let tolerance = 0.02 * (expected[1] - expected[0]);
        assert_close(found.low, expected[0], tolerance);
        assert_close(found.high, expected[1], tolerance);
    }

    #[test]
    fn the_acceleration_of_a_mean_is_its_closed_form() {
        let values = numbers(&reference("bootstrap")["values"]);
        let units: Vec<&[f64]> = values.chunks(1).collect();
        assert_close(
            acceleration(&units, &mean).unwrap(),
            reference("bootstrap")["acceleration"].as_f64().unwrap(),
            1e-10,
        );
    }

    #[test]
    fn leaving_out_blocks_keeps_the_acceleration() {
        let values: Vec<f64> = normals(&mut seeded(9), 4000).iter().map(|x| x.exp()).collect();
        let units: Vec<&[f64]> = values.chunks(1).collect();
        let centre = mean(&values);
        let power_sum = |power: i32| values.iter().map(|value| (value - centre).powi(power)).sum::<f64>();
        let exact = power_sum(3) / (6.0 * power_sum(2).powf(1.5));
        assert_close(acceleration(&units, &mean).unwrap() / exact, 1.0, 0.25);
    }

    #[test]
    fn nineteen_of_twenty_intervals_contain_the_mean() {
        let rng = &mut seeded(5);
        for method in [IntervalMethod::Percentile, IntervalMethod::Bca] {
            let covered = (0..400).filter(|_| {
                let found = bootstrap(&normals(rng, 40), with(300, method), mean).unwrap();
                found.low <= 0.0 && 0.0 <= found.high
            });
            let share = covered.count() as f64 / 400.0;
            assert!((0.90..=0.98).contains(&share), "{method:?} covers {share}");
        }
    }

    #[test]
    fn groups_of_similar_values_widen_the_interval() {
        let levels = normals(&mut seeded(1), 20);
        let values: Vec<f64> = levels.iter().flat_map(|&level| [level; 10]).collect();
        let groups: Vec<usize> = (0..200).map(|i| i / 10).collect();
        let width = |interval: Interval| interval.high - interval.low;
        let alone = width(bootstrap(&values, Bootstrap::default(), mean).unwrap());
        let clustered = width(cluster_bootstrap(&values, &groups, Bootstrap::default(), mean).unwrap());
        assert_close(clustered / alone, 10f64.sqrt(), 0.4);
    }

    #[test]
    fn the_interval_of_a_difference_of_means_is_centred_on_it() {
        let (a, b) = (normals(&mut seeded(2), 100), normals(&mut seeded(3), 100));
        let found = bootstrap_difference(&a, &b, Bootstrap::default()).unwrap();
        assert_close(f64::midpoint(found.low, found.high), mean(&a) - mean(&b), 0.02);
        let student = crate::hypothesis::stats::welch_interval(&a, &b, 0.95).unwrap();
        assert_close(found.high - found.low, student.high - student.low, 0.05);
    }

    #[test]
    fn constants_give_a_point_and_mistakes_a_name() {
        let point = bootstrap(&[2.0; 5], Bootstrap::default(), mean).unwrap();
        assert_eq!((point.low, point.high), (2.0, 2.0));
        assert_eq!(
            cluster_bootstrap(&[1.0, 2.0], &["a", "a"], Bootstrap::default(), mean).unwrap_err().to_string(),
            "`bootstrap`: all values belong to one group; give at least two groups, or use `bootstrap`"
        );
        assert!(bootstrap(&[1.0, 2.0], Bootstrap { level: 1.0, ..Bootstrap::default() }, mean).is_err());
        assert!(bootstrap(&[1.0, 2.0], Bootstrap::default(), |_| f64::NAN).is_err());
    }
}

//! The shape of measured values, as far as it decides which test can be trusted.

use statrs::distribution::{ContinuousCDF, Normal};

use super::data::{Data, Terms};
use super::ground::Alternative;
use super::ground::guard::{largest, mean, moments};

/// A value this many times farther from the median than the median value is an outlier.
const OUTLYING: f64 = 8.0;

/// The shape of the values that a test is about: the differences from the null, or two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Shape {
    /// The number of values, of groups, or the length of the shorter sample.
    pub(crate) n: usize,
    /// The values are means of groups.
    pub(crate) grouped: bool,
    /// Two independent samples.
    pub(crate) two: bool,
    /// Both have the same length.
    pub(crate) balanced: bool,
    /// The skewness, of two samples the larger one in magnitude. 0 for a normal distribution, 2 for an exponential one.
    pub(crate) skewness: f64,
    /// The larger standard deviation of two samples over the smaller one.
    pub(crate) spread: f64,
    /// How many values are outliers.
    pub(crate) outliers: usize,
    /// The share of values that equal another one.
    pub(crate) tied: f64,
    /// No sample varies.
    pub(crate) constant: bool,
}

impl Shape {
    /// The shape of differences from the null.
    pub(crate) fn of_differences(values: &[f64], grouped: bool) -> Self {
        let found = moments(values);
        Self {
            n: values.len(),
            grouped,
            two: false,
            balanced: true,
            skewness: skewness(values),
            spread: 1.0,
            outliers: outliers(values),
            tied: tied(values),
            constant: found.is_constant(largest(values)),
        }
    }

    /// The shape of two independent samples.
    pub(crate) fn of_samples(a: &[f64], b: &[f64]) -> Self {
        let (in_a, in_b) = (Self::of_differences(a, false), Self::of_differences(b, false));
        let (sd_a, sd_b) = (moments(a).sd, moments(b).sd);
        let (small, large) = (sd_a.min(sd_b), sd_a.max(sd_b));
        Self {
            n: a.len().min(b.len()),
            two: true,
            balanced: a.len() == b.len(),
            skewness: if in_a.skewness.abs() > in_b.skewness.abs() { in_a.skewness } else { in_b.skewness },
            spread: if small > 0.0 { large / small } else { f64::INFINITY },
            outliers: in_a.outliers + in_b.outliers,
            tied: in_a.tied.max(in_b.tied),
            constant: in_a.constant && in_b.constant,
            ..in_a
        }
    }

    /// The shape of `data`; `None` for one value against draws.
    pub(crate) fn of(data: Data) -> Option<Self> {
        match data {
            Data::Draws { .. } => None,
            Data::Samples { observed, null, paired: false } => Some(Self::of_samples(observed, null)),
            other => Some(Self::of_differences(&other.differences().ok()?, false)),
        }
    }

    /// In words: `the 12 differences have skewness 1.8 and 2 outliers, and 30% are tied`.
    pub(crate) fn words(&self) -> String {
        let what = match (self.two, self.grouped) {
            (true, true) => format!("the samples (the one with fewer groups has {})", self.n),
            (true, false) => format!("the samples (the shorter has {} values)", self.n),
            (_, true) => format!("the {} groups", self.n),
            _ => format!("the {} values", self.n),
        };
        if self.constant {
            return format!("{what} do not vary");
        }
        let mut words = vec![format!("{what} have skewness {:.1}", self.skewness)];
        if self.two && (self.spread > 1.5) {
            words.push(format!("standard deviations of ratio {:.1}", self.spread));
        }
        if self.outliers > 0 {
            words.push(format!("{} outlier{}", self.outliers, if self.outliers == 1 { "" } else { "s" }));
        }
        if self.tied > 0.1 {
            words.push(format!("{:.0}% ties", 100.0 * self.tied));
        }
        words.join(", ")
    }

    /// Why a test of a mean may make more false claims than α: too few values, or too much skew for their number.
    ///
    /// The error of a bootstrap-t is about `z^2 skewness^2 / n`, and the skewness of few values is not known.
    pub(crate) fn doubt(&self, terms: &Terms, limits: Limits) -> Option<Doubt> {
        let z_squared = z_squared(terms);
        let least = (limits.few * z_squared).ceil() as usize;
        if self.n < least {
            return Some(Doubt::Few { least });
        }
        let enough = (z_squared * self.skewness.powi(2) / limits.skew).ceil() as usize;
        (self.n < enough).then_some(Doubt::Skewed { least: enough })
    }
}

/// How few and how skewed the values of a test of a mean may be, found by simulation (`tests/bench/claims`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The least `n / z^2`.
    few: f64,
    /// The largest `z^2 skewness^2 / n`.
    skew: f64,
}

impl Limits {
    /// Of tests that assume normal or symmetric values.
    pub(crate) const PLAIN: Self = Self { few: 5.0, skew: 0.05 };
    /// Of tests that allow for skew, and of means of groups.
    pub(crate) const GUARDED: Self = Self { few: 5.0, skew: 0.12 };
    /// Of two samples of one shape, which are exchangeable.
    pub(crate) const ALIKE: Self = Self { few: 1.5, skew: 0.5 };
}

/// Why a level may not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Too few values to see their shape; at least so many would do.
    Few { least: usize },
    /// Too few values for their skewness; at least so many would do.
    Skewed { least: usize },
}

/// The square of the normal quantile at the corrected α.
fn z_squared(terms: &Terms) -> f64 {
    let tail = if terms.alternative == Alternative::TwoSided { terms.alpha / 2.0 } else { terms.alpha };
    Normal::standard().inverse_cdf(tail.min(0.5)).powi(2)
}

/// The third standardised moment; 0 for constants.
fn skewness(values: &[f64]) -> f64 {
    let found = moments(values);
    if found.is_constant(largest(values)) {
        return 0.0;
    }
    let cubes: Vec<f64> = values.iter().map(|value| ((value - found.mean) / found.sd).powi(3)).collect();
    let n = found.n;
    let skewness = mean(&cubes) * (n / (n - 1.0)).powf(1.5);
    if skewness.is_finite() { skewness } else { 0.0 }
}

/// How many values lie far from the median, in median distances from it; none if half of the values are the median.
fn outliers(values: &[f64]) -> usize {
    let centre = median(values.to_vec());
    let distances: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
    let typical = median(distances.clone());
    if typical > 0.0 { distances.iter().filter(|distance| **distance > OUTLYING * typical).count() } else { 0 }
}

/// The median; the mean of the middle two of an even number.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

fn tied(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let tied: usize = sorted.chunk_by(|a, b| a == b).filter(|group| group.len() > 1).map(<[f64]>::len).sum();
    tied as f64 / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::ground::testing::assert_close;
    use super::*;

    fn terms(alpha: f64) -> Terms<'static> {
        let alternative = Alternative::Greater;
        Terms { alternative, alpha, draws: 999, seed: 0, margin: None, groups: None, crossed: None }
    }

    #[test]
    fn a_hand_computed_shape() {
        // Moments about the mean 2: m2 = 14/4, m3 = 18/4... of 0, 1, 2, 5.
        let shape = Shape::of_differences(&[0.0, 1.0, 2.0, 5.0], false);
        let (m2, m3) = ((4.0 + 1.0 + 0.0 + 9.0) / 4.0, (-8.0 - 1.0 + 0.0 + 27.0) / 4.0);
        assert_close(shape.skewness, m3 / f64::powf(m2, 1.5), 1e-12);
        assert_eq!((shape.n, shape.tied, shape.outliers, shape.constant), (4, 0.0, 0, false));
        let shape = Shape::of_differences(&[1.0, 1.0, 2.0, 3.0, 100.0], false);
        assert_eq!((shape.outliers, shape.tied), (1, 0.4));
        assert_eq!(shape.words(), "the 5 values have skewness 1.5, 1 outlier, 40% ties");
        assert!(Shape::of_differences(&[0.1; 7], false).words().ends_with("do not vary"));
        let two = Shape::of_samples(&[0.0, 1.0, 2.0], &[0.0, 4.0, 8.0, 4.0]);
        assert_eq!((two.n, two.balanced), (3, false));
        assert!(two.words().contains("standard deviations of ratio 3.3"), "{}", two.words());
    }

    #[test]
    fn few_and_skewed_values_are_doubted_more_the_smaller_alpha_is() {
        let shape = |n, skewness| Shape { n, skewness, ..Shape::of_differences(&[1.0, 2.0, 4.0], false) };
        // z^2 is 2.706: 5 z^2 is 13.5, and 4 z^2 / 0.12 is 90.2.
        assert_eq!(shape(12, 0.0).doubt(&terms(0.05), Limits::GUARDED), Some(Doubt::Few { least: 14 }));
        assert_eq!(shape(14, 0.0).doubt(&terms(0.05), Limits::GUARDED), None);
        assert_eq!(shape(30, 2.0).doubt(&terms(0.05), Limits::GUARDED), Some(Doubt::Skewed { least: 91 }));
        assert_eq!(shape(91, 2.0).doubt(&terms(0.05), Limits::GUARDED), None);
        assert!(shape(91, 2.0).doubt(&terms(0.05 / 270.0), Limits::GUARDED).is_some());
    }
}

//! The verdict on a claim.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::effects::EffectSize;
use super::estimand::Estimand;
use super::ground::Interval;
use super::variance::VarianceComponent;
use super::{Claim, Origin, Summary, Test};
use crate::fmt::short;

/// A claim and the result of its test, with everything a reader needs to check it, the values included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The claim as it was made.
    pub claim: Claim,
    /// The measurement.
    pub observed: Summary,
    /// The null it was compared with.
    pub null: NullSummary,
    /// The test used; never [`Test::Auto`].
    pub test: Test,
    /// How its p-value was computed: `student t`, `exact`, `monte carlo` or `normal approximation`.
    pub method: String,
    /// The test's statistic; the test's function in [`stats`](super::stats) says which.
    pub statistic: f64,
    /// Degrees of freedom, for the tests that have them.
    pub df: Option<f64>,
    /// The probability, under the null, of a statistic at least as extreme; in `(0, 1]`.
    pub p_value: f64,
    /// α divided by the number of comparisons; `p_value` is compared with it.
    pub alpha_corrected: f64,
    /// The mean of the observed values minus the mean of the null, in units of the metric.
    pub difference: f64,
    /// What the test is about; `None` in records that are older than this field.
    #[serde(default)]
    pub estimand: Option<Estimand>,
    /// The estimated distance of the estimand from the null, in units of the metric.
    #[serde(default)]
    pub estimate: Option<f64>,
    /// The effect size; `None` if there is no spread to measure it in.
    pub effect_size: Option<EffectSize>,
    /// The interval of `estimate`: the distances that the test does not reject, at level 1 - α (two-sided) or 1 - 2α
    /// (one-sided, both ends), α divided by the comparisons.
    ///
    /// - A claim holds exactly if the interval excludes 0, or the smallest effect of interest, on the claimed side.
    /// - The intervals of all compared places contain their values together.
    /// - `None` for one value, and if no finite interval is the dual of the test.
    pub ci: Option<Interval>,
    /// Whether the claim holds.
    pub holds: bool,
    /// What was tested, what that assumes, and what the values look like.
    #[serde(default)]
    pub why: String,
    /// Why more than α of such claims may be false, and what would be safer; `None` if the level can be trusted.
    #[serde(default)]
    pub caution: Option<String>,
    /// How the variance divides over the groupings of the claim; empty without groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variance: Vec<VarianceComponent>,
    /// What a reader should know before trusting the verdict.
    pub notes: Vec<String>,
    /// Every observed value, in units of the metric.
    pub observed_values: Vec<f64>,
    /// Every value of the null (one, if the null is a number), in units of the metric.
    pub null_values: Vec<f64>,
    /// The place that the values belong to, how it was chosen, and the prompts of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// The null in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullSummary {
    /// A number.
    Value(f64),
    /// A sample.
    Sample(Summary),
    /// Draws of the null.
    Draws(Summary),
}

impl NullSummary {
    /// The number, or the mean.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Value(value) => *value,
            Self::Sample(summary) | Self::Draws(summary) => summary.mean,
        }
    }
}

impl fmt::Display for NullSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => f.write_str(&short(*value)),
            Self::Sample(summary) => write!(f, "sample {summary}"),
            Self::Draws(summary) => write!(f, "draws {summary}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claim = &self.claim;
        writeln!(f, "{}: {}", if self.holds { "holds" } else { "does not hold" }, claim.statement)?;
        let metric = if claim.metric.is_empty() { "observed" } else { &claim.metric };
        writeln!(f, "  {metric}: {}; {}", self.observed, self.null_in_words())?;
        writeln!(
            f,
            "  {} ({}, {}): statistic {:.4}, p = {}, alpha = {}",
            self.test,
            self.method,
            claim.alternative,
            self.statistic,
            short(self.p_value),
            self.alpha_in_words()
        )?;
        match (self.estimand, self.estimate) {
            (Some(estimand), Some(estimate)) => write!(f, "  {estimand} difference {estimate:.4}")?,
            _ => write!(f, "  difference {:.4}", self.difference)?,
        }
        if let Some(interval) = &self.ci {
            write!(f, " {interval}")?;
        }
        if let Some(effect) = &self.effect_size {
            write!(f, ", {} = {:.3}", effect.name, effect.value)?;
        }
        for VarianceComponent { source, levels, share, .. } in &self.variance {
            write!(f, "\n  variance between {levels} {source}: {:.0}%", 100.0 * share)?;
        }
        if !self.why.is_empty() {
            write!(f, "\n  why: {}", self.why)?;
        }
        if let Some(caution) = &self.caution {
            write!(f, "\n  caution: {caution}")?;
        }
        if !self.notes.is_empty() {
            write!(f, "\n  note: {}", self.notes.join("; "))?;
        }
        Ok(())
    }
}

impl Verdict {
    /// The null with its name. A number that is its own name is written once, a formula with its value.
    fn null_in_words(&self) -> String {
        let (name, null) = (&self.claim.null, self.null);
        let NullSummary::Value(value) = null else {
            return if name.is_empty() { format!("null: {null}") } else { format!("{name}: {null}") };
        };
        let is_formula = name.chars().all(|c| c.is_ascii_digit() || " +-*/().,_ef".contains(c));
        match name.replace([' ', '_'], "").parse::<f64>() {
            Ok(number) if number == value => format!("null: {null}"),
            _ if name.is_empty() => format!("null: {null}"),
            _ if is_formula => format!("null: {name} = {null}"),
            _ => format!("{name}: {null}"),
        }
    }

    fn alpha_in_words(&self) -> String {
        let (alpha, comparisons) = (self.claim.alpha, self.claim.comparisons);
        if comparisons == 1 {
            return short(alpha);
        }
        format!("{} ({} / {comparisons} comparisons)", short(self.alpha_corrected), short(alpha))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Alternative, IntoSample, Null};
    use super::*;

    fn verdict() -> Verdict {
        let claim = Claim {
            statement: "head 5.5 is an induction head".into(),
            metric: "induction score".into(),
            null: "uniform attention".into(),
            alternative: Alternative::Greater,
            ..Claim::default()
        };
        claim.judge([0.5, 0.75, 0.5, 0.75, 0.625, 0.625].into_sample().unwrap(), Null::Value(0.125)).unwrap()
    }

    #[test]
    fn a_verdict_says_what_was_found_how_and_why() {
        let lines = verdict().to_string();
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines[0], "holds: head 5.5 is an induction head");
        assert_eq!(lines[1], "  induction score: 0.6250 (sd 0.1118, n = 6); uniform attention: 0.125");
        let third = "  robust_mean (student t and bootstrap t, greater): statistic 10.9545, p = ";
        assert!(lines[2].starts_with(third) && lines[2].ends_with(", alpha = 0.05"), "{}", lines[2]);
        assert!(lines[3].starts_with("  mean difference 0.5000 [0."), "{}", lines[3]);
        assert!(lines[3].ends_with("(90% student t and bootstrap t), d_z = 4.472"), "{}", lines[3]);
        assert_eq!(
            lines[4],
            "  why: about the mean, assuming independent values whose mean is not decided by rare large ones; the 6 values \
             have skewness 0.0, 100% ties"
        );
        assert!(lines[5].starts_with("  caution: they are too few to rule out skew"), "{}", lines[5]);
        assert!(lines[6].starts_with("  note: ") && lines.len() == 7, "{lines:?}");
    }

    #[test]
    fn a_null_is_written_once() {
        let shown = |name: &str| {
            let claim = Claim { null: name.into(), ..verdict().claim };
            Verdict { claim, null: NullSummary::Value(0.5), ..verdict() }.null_in_words()
        };
        assert_eq!(
            ["0.5", "", "1.0 / 2.0", "chance"].map(shown),
            ["null: 0.5", "null: 0.5", "null: 1.0 / 2.0 = 0.5", "chance: 0.5"]
        );
        let claim = Claim { null: "- 0.5".into(), ..verdict().claim };
        assert_eq!(Verdict { claim, null: NullSummary::Value(-0.5), ..verdict() }.null_in_words(), "null: -0.5");
    }

    #[test]
    fn a_verdict_reads_back_from_its_file() {
        let text = serde_json::to_string(&verdict()).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict());
    }
}

//! The verdict on a claim.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::effects::EffectSize;
use super::ground::Interval;
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
    /// The effect size; `None` if there is no spread to measure it in.
    pub effect_size: Option<EffectSize>,
    /// The interval of `difference` at level 1 - α (two-sided) or 1 - 2α (one-sided), α uncorrected; `None` for one
    /// value.
    pub ci: Option<Interval>,
    /// Whether the claim holds.
    pub holds: bool,
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
            Self::Value(value) => write!(f, "{value:.4}"),
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
        let null = if claim.null.is_empty() { "null" } else { &claim.null };
        writeln!(f, "  {metric}: {}; {null}: {}", self.observed, self.null)?;
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
        write!(f, "  difference {:.4}", self.difference)?;
        if let Some(interval) = &self.ci {
            write!(f, " {interval}")?;
        }
        if let Some(effect) = &self.effect_size {
            write!(f, ", {} = {:.3}", effect.name, effect.value)?;
        }
        if !self.notes.is_empty() {
            write!(f, "\n  note: {}", self.notes.join("; "))?;
        }
        Ok(())
    }
}

impl Verdict {
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
    fn a_verdict_reads_in_four_lines() {
        let lines = verdict().to_string();
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines[0], "holds: head 5.5 is an induction head");
        assert_eq!(lines[1], "  induction score: 0.6250 (sd 0.1118, n = 6); uniform attention: 0.1250");
        assert_eq!(lines[2], "  sign_flip (exact, greater): statistic 0.5000, p = 0.0156, alpha = 0.05");
        assert!(lines[3].starts_with("  difference 0.5000 [0."), "{}", lines[3]);
        assert!(lines[3].ends_with("(90% bca bootstrap), d_z = 4.472"), "{}", lines[3]);
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_verdict_reads_back_from_its_file() {
        let text = serde_json::to_string(&verdict()).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict());
    }
}

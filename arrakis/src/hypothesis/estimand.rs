//! What a claim is about.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number that a test is about. The verdict names it, so that a median is not read as a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimand {
    /// The mean, or the difference of two means.
    Mean,
    /// The median, of values or of differences of pairs.
    Median,
    /// The median of the means of all pairs of values (Hodges & Lehmann). If the distribution is symmetric, it is the mean
    /// and the median.
    PseudoMedian,
    /// The median of the differences between all values of one sample and all of the other (Hodges & Lehmann).
    Shift,
    /// The share of ones.
    Proportion,
    /// One measured value.
    Value,
}

impl Estimand {
    /// Whether a test about this answers a claim about `asked`. The share of ones is the mean of zeros and ones.
    pub(crate) fn answers(self, asked: Option<Self>) -> bool {
        asked.is_none_or(|asked| asked == self || (asked == Self::Mean && self == Self::Proportion))
    }
}

impl fmt::Display for Estimand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::PseudoMedian => "pseudo-median",
            Self::Shift => "shift",
            Self::Proportion => "proportion",
            Self::Value => "value",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proportion_is_a_mean_and_a_median_is_not() {
        assert!(Estimand::Proportion.answers(Some(Estimand::Mean)) && Estimand::Median.answers(None));
        assert!(!Estimand::Median.answers(Some(Estimand::Mean)) && !Estimand::Mean.answers(Some(Estimand::Proportion)));
        assert_eq!(serde_json::to_value(Estimand::PseudoMedian).unwrap(), "pseudo_median");
    }
}

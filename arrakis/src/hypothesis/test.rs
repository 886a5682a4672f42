//! The tests by name, as a claim asks for them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A statistical test, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Chosen from what was measured: one value against draws by [`Test::MonteCarlo`], many against a number by
    /// [`Test::SignFlip`] (zeros and ones by [`Test::Binomial`]), two samples by [`Test::Permutation`].
    #[default]
    Auto,
    /// Two independent samples, about normal: their means.
    Welch,
    /// Pairs, about normal: the mean difference.
    PairedT,
    /// A sample against a number, about normal: its mean.
    OneSampleT,
    /// A sample against a number, or pairs: symmetry, by flipping signs.
    SignFlip,
    /// Two independent samples: exchangeability, by permuting labels.
    Permutation,
    /// One value among draws of the null.
    MonteCarlo,
    /// A sample against a number, or pairs: symmetry, by ranks.
    Wilcoxon,
    /// Two independent samples: which tends to be larger, by ranks.
    MannWhitney,
    /// Zeros and ones against a chance.
    Binomial,
}

impl Test {
    /// Every test, [`Test::Auto`] first.
    pub const ALL: [Self; 10] = [
        Self::Auto,
        Self::Welch,
        Self::PairedT,
        Self::OneSampleT,
        Self::SignFlip,
        Self::Permutation,
        Self::MonteCarlo,
        Self::Wilcoxon,
        Self::MannWhitney,
        Self::Binomial,
    ];

    /// The name in files and on the command line, such as `sign_flip`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Welch => "welch",
            Self::PairedT => "paired_t",
            Self::OneSampleT => "one_sample_t",
            Self::SignFlip => "sign_flip",
            Self::Permutation => "permutation",
            Self::MonteCarlo => "monte_carlo",
            Self::Wilcoxon => "wilcoxon",
            Self::MannWhitney => "mann_whitney",
            Self::Binomial => "binomial",
        }
    }

    /// Whether the p-value may come from draws, whose number then bounds it.
    pub(crate) fn draws(self) -> bool {
        matches!(self, Self::Auto | Self::SignFlip | Self::Permutation | Self::MonteCarlo)
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Test {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let near = |test: &Self| strsim::levenshtein(test.name(), text);
        let nearest = Self::ALL.into_iter().min_by_key(near).expect("BUG: there are tests");
        if nearest.name() == text {
            return Ok(nearest);
        }
        let names = Self::ALL.map(Self::name).join(", ");
        Err(Error::Statistics {
            test: "test",
            problem: format!("there is no test `{text}`"),
            fix: format!("did you mean `{nearest}`? The tests are {names}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_a_misspelt_one_is_mended() {
        for test in Test::ALL {
            assert_eq!(test.to_string().parse::<Test>().unwrap(), test);
            assert_eq!(serde_json::to_value(test).unwrap(), test.name());
        }
        let error = "sign_flop".parse::<Test>().unwrap_err().to_string();
        assert!(error.starts_with("`test`: there is no test `sign_flop`; did you mean `sign_flip`?"), "{error}");
    }
}

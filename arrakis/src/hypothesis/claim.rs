//! A claim, written down before the measurement.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::data::{DRAWS, Terms};
use super::statistic::Statistic;
use super::{Alternative, Estimand, Sample, Spending, Test};
use crate::error::{Error, Result};

/// A claim and everything that decides whether it holds, except the data.
///
/// The default is two-sided at α = 0.05, one comparison, 999 null draws with seed 0, and [`Test::Auto`]. Its statement
/// is empty and must be given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claim {
    /// What is claimed, in a sentence.
    pub statement: String,
    /// What is measured.
    pub metric: String,
    /// What the measurement would be like if the claim were false.
    pub null: String,
    /// The test that judges.
    pub test: Test,
    /// The direction of the claim.
    pub alternative: Alternative,
    /// The accepted probability of a false positive, in `(0, 1)`.
    pub alpha: f64,
    /// The number of draws of the null. A test that resamples by itself draws more if that is left at 999 and the
    /// corrected α needs more.
    pub draws: usize,
    /// The seed of the draws.
    pub seed: u64,
    /// The number of places (heads, layers, ...) examined before this claim was made; α is divided by it (Bonferroni).
    pub comparisons: usize,
    /// The family of claims that a [`Suite`](super::Suite) corrects together.
    pub family: Option<String>,
    /// For a claim of equivalence ([`Test::Tost`]): the largest distance from the null that counts as equal, in units
    /// of the metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// For values that are not independent, such as the prompts of one template: the group of each value, in the order of
    /// measurement; of two independent samples those of the null after those of the measurement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// The smallest difference from the null that is of interest, in units of the metric: a directed claim holds only if the
    /// difference is larger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_effect: Option<f64>,
    /// The numbers of values at which the claim is judged on the way, the whole sample last: each look has a share of α.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks: Option<Vec<usize>>,
    /// How the looks share α.
    #[serde(skip_serializing_if = "is_default")]
    pub spending: Spending,
    /// The group of each value in a second grouping across the first, such as its seed ([`Test::CrossedMean`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crossed: Option<Vec<String>>,
    /// The group of each value in a finer grouping within `groups`, such as its prompt. It enters the variance components
    /// only: groups that are drawn whole need no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nested: Option<Vec<String>>,
    /// Whether value i of the measurement and value i of the null belong together. It must be said for two samples of one
    /// length, unless both name their prompts ([`Sample::prompts`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paired: Option<bool>,
    /// What the claim is about, if not what the test is about: [`Test::Auto`] chooses a test of it, and any other test is
    /// checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimand: Option<Estimand>,
    /// The place that is claimed was chosen among `comparisons` on these same values.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub selected: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_default(spending: &Spending) -> bool {
    *spending == Spending::default()
}

impl Default for Claim {
    fn default() -> Self {
        Self {
            statement: String::new(),
            metric: String::new(),
            null: String::new(),
            test: Test::Auto,
            alternative: Alternative::TwoSided,
            alpha: 0.05,
            draws: DRAWS,
            seed: 0,
            comparisons: 1,
            family: None,
            margin: None,
            groups: None,
            minimum_effect: None,
            looks: None,
            spending: Spending::default(),
            crossed: None,
            nested: None,
            paired: None,
            estimand: None,
            selected: false,
        }
    }
}

impl Claim {
    /// α divided by the number of comparisons.
    pub fn alpha_corrected(&self) -> f64 {
        self.alpha / self.comparisons as f64
    }

    /// The parts of the claim that the statistics use.
    pub(super) fn terms(&self) -> Terms<'_> {
        Terms {
            alternative: self.alternative,
            alpha: self.alpha_corrected(),
            draws: self.draws,
            seed: self.seed,
            margin: self.margin,
            groups: self.groups.as_deref(),
            crossed: self.crossed.as_deref(),
        }
    }

    /// Checks that the claim can be judged, before the measurement.
    ///
    /// # Errors
    ///
    /// - [`Error::Claim`] for an empty statement, an α outside `(0, 1)`, no comparisons, or a margin that is not
    ///   positive; for an option that the test needs and does not have, or would not use, such as `draws` for a test
    ///   that draws nothing; and for a direction if the test has none.
    /// - [`Error::TooFewDraws`] if a number of draws is given, and the smallest p-value that they can give is above the
    ///   corrected α. It names the number of draws needed; above ten million it is an [`Error::Statistics`].
    pub fn validate(&self) -> Result<()> {
        if self.statement.trim().is_empty() {
            return Err(self.refuse("it has no statement", "say in a sentence what is claimed"));
        }
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(self.refuse(format!("alpha is {}", self.alpha), "use one between 0 and 1, such as 0.05"));
        }
        if self.comparisons == 0 {
            return Err(self.refuse("comparisons is 0", "give the number of places that you examined, at least 1"));
        }
        if let Some(margin) = self.margin.filter(|margin| !(*margin > 0.0 && margin.is_finite())) {
            let problem = format!("margin is {margin}");
            return Err(self.refuse(problem, "give a positive number, in units of the metric"));
        }
        self.check_plan()?;
        if self.selected && self.comparisons == 1 {
            let problem = "it was selected on these values, and comparisons is 1";
            return Err(self.refuse(problem, "give the number of places it was selected from: `comparisons = 144`"));
        }
        self.check_needs()?;
        self.check_candidates()
    }

    /// Checks the direction and the draws for every test that may be chosen.
    fn check_candidates(&self) -> Result<()> {
        let candidates = self.candidates();
        let statistics = || candidates.iter().filter_map(|test| test.statistic());
        let directed = self.alternative != Alternative::TwoSided;
        if directed && !statistics().any(Statistic::has_direction) {
            let names: Vec<String> = candidates.iter().map(|test| format!("`{test}`")).collect();
            let problem =
                format!("{} has no direction, and the alternative is `{}`", names.join(", "), self.alternative);
            return Err(self.refuse(problem, "leave `alternative` out"));
        }
        match statistics().filter_map(|statistic| statistic.tails(self.alternative)).max() {
            // Which test it is, and whether it draws, is not known yet.
            Some(_) if self.test == Test::Auto => Ok(()),
            Some(tails) if self.test == Test::MonteCarlo || self.draws != DRAWS => {
                self.terms().check_draws(self.draws, tails)
            }
            Some(_) if !self.terms().is_affordable() => Err(self.unaffordable()),
            Some(_) => Ok(()),
            None if self.draws == DRAWS => Ok(()),
            None => {
                let names: Vec<String> = candidates.iter().map(|test| format!("`{test}`")).collect();
                let problem = format!("`draws` is {}, and the test {} draws nothing", self.draws, names.join(", "));
                Err(self.refuse(problem, "leave `draws` out, or use a test that draws, such as `test = Auto`"))
            }
        }
    }

    /// The error for an α that no affordable number of draws can reach.
    pub(super) fn unaffordable(&self) -> Error {
        let alpha = crate::fmt::short(self.alpha_corrected());
        let problem = format!("at alpha = {alpha} the test needs more than ten million draws");
        self.refuse(problem, "use a test that draws nothing, such as `OneSampleT`, `SignTest`, `PairedT` or `Welch`")
    }

    /// Checks that a null that is drawn is drawn often enough, before the measurement.
    ///
    /// # Errors
    ///
    /// [`Error::TooFewDraws`]; [`Error::Statistics`] if it takes more than ten million.
    pub(crate) fn check_drawn(&self) -> Result<()> {
        self.terms().check_draws(self.draws, self.alternative.tails())
    }

    pub(crate) fn refuse(&self, problem: impl Into<String>, fix: impl Into<String>) -> Error {
        Error::Claim { statement: self.statement.clone(), problem: problem.into(), fix: fix.into() }
    }
}

/// What a measurement is compared with.
pub enum Null<'a> {
    /// A number: chance, zero, a published value.
    Value(f64),
    /// Another sample: a control, or the other half of pairs.
    Sample(Sample),
    /// A function that measures once under the null, from the seed of the draw. It is called [`Claim::draws`] times.
    Draws(Box<dyn FnMut(u64) -> Result<f64> + 'a>),
}

impl fmt::Debug for Null<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => f.debug_tuple("Value").field(value).finish(),
            Self::Sample(sample) => f.debug_tuple("Sample").field(sample).finish(),
            Self::Draws(_) => f.write_str("Draws(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        Claim { statement: "heads copy".into(), alternative: Alternative::Greater, ..Claim::default() }
    }

    #[test]
    fn an_error_about_too_few_draws_names_a_number_that_is_enough() {
        for (comparisons, alternative) in
            [(1, Alternative::Greater), (144, Alternative::TwoSided), (3, Alternative::Less)]
        {
            let asked = Claim { draws: 10, comparisons, alternative, test: Test::MonteCarlo, ..claim() };
            let Error::TooFewDraws { needed, .. } = asked.validate().unwrap_err() else { panic!("another error") };
            assert!(Claim { draws: needed, ..asked.clone() }.validate().is_ok());
            assert!(Claim { draws: needed - 1, ..asked }.validate().is_err());
        }
        assert_eq!(
            Claim { draws: 10, test: Test::SignFlip, ..claim() }.validate().unwrap_err().to_string(),
            "10 null draws cannot give a p-value below 0.0909, and the claim needs 0.05 or less; use `draws = 19` or more"
        );
    }

    #[test]
    fn an_option_that_a_test_lacks_or_does_not_use_is_refused_with_the_fix() {
        let problem = |claim: Claim| claim.validate().unwrap_err().to_string();
        let two_sided = || Claim { alternative: Alternative::TwoSided, ..claim() };
        assert_eq!(
            problem(Claim { test: Test::Tost, ..two_sided() }),
            "claim `heads copy`: the test `tost` needs margin; say which distance from the null still counts as equal: \
             `margin = 0.1`"
        );
        assert_eq!(
            problem(Claim { test: Test::ClusterBootstrap, ..claim() }),
            "claim `heads copy`: the test `cluster_bootstrap` needs groups; name the group of each value: \
             `groups = [\"a\", \"a\", \"b\", \"b\"]`"
        );
        assert_eq!(
            problem(Claim { test: Test::Welch, margin: Some(0.1), ..claim() }),
            "claim `heads copy`: `margin` is given, and the test `welch` does not use it; use `test = Tost`, or leave \
             `margin` out"
        );
        assert_eq!(
            problem(Claim { test: Test::Tost, margin: Some(0.1), ..claim() }),
            "claim `heads copy`: `tost` has no direction, and the alternative is `greater`; leave `alternative` out"
        );
        let both = Claim { margin: Some(0.1), groups: Some(vec!["a".into()]), ..two_sided() };
        assert_eq!(
            problem(both),
            "claim `heads copy`: `margin` and `groups` are given, and no test uses both; leave one of them out"
        );
        for margin in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = problem(Claim { margin: Some(margin), ..two_sided() });
            assert!(error.contains(&format!("margin is {margin}; give a positive number")), "{error}");
        }
    }

    #[test]
    fn tests_that_draw_nothing_take_no_draws() {
        assert!(Claim { test: Test::Welch, ..claim() }.validate().is_ok());
        let equal = Claim { margin: Some(0.1), alternative: Alternative::TwoSided, ..claim() };
        assert!(equal.validate().is_ok());
        assert_eq!(
            Claim { draws: 50, ..equal }.validate().unwrap_err().to_string(),
            "claim `heads copy`: `draws` is 50, and the test `tost` draws nothing; leave `draws` out, or use a test \
             that draws, such as `test = Auto`"
        );
        assert!(Claim { test: Test::Welch, draws: 0, ..claim() }.validate().is_err());
    }

    #[test]
    fn draws_are_checked_only_if_a_test_uses_them() {
        let many = Claim { comparisons: 270, ..claim() };
        assert!(many.validate().is_ok(), "which test it is depends on the values");
        assert!(Claim { test: Test::SignFlip, ..many.clone() }.validate().is_ok(), "it draws what it needs");
        assert!(matches!(many.check_drawn().unwrap_err(), Error::TooFewDraws { needed: 5399, .. }));
        let hopeless = Claim { test: Test::SignFlip, alpha: 1e-9, ..claim() };
        assert_eq!(
            hopeless.validate().unwrap_err().to_string(),
            "claim `heads copy`: at alpha = 1.0e-9 the test needs more than ten million draws; use a test that draws \
             nothing, such as `OneSampleT`, `SignTest`, `PairedT` or `Welch`"
        );
        assert!(Claim { test: Test::OneSampleT, ..hopeless.clone() }.validate().is_ok());
        let drawn = Claim { test: Test::MonteCarlo, ..hopeless };
        for draws in [999, 1_000_000] {
            assert_eq!(
                Claim { draws, ..drawn.clone() }.validate().unwrap_err().to_string(),
                "`draws`: at alpha = 1.0e-9 it takes 1e9 null draws to hold; count fewer comparisons, or measure several \
                 values and use a test that draws nothing, such as `OneSampleT` or `SignTest`"
            );
        }
    }

    #[test]
    fn what_was_selected_says_from_how_many() {
        assert_eq!(
            Claim { selected: true, ..claim() }.validate().unwrap_err().to_string(),
            "claim `heads copy`: it was selected on these values, and comparisons is 1; give the number of places it was \
             selected from: `comparisons = 144`"
        );
        assert!(Claim { selected: true, comparisons: 12, ..claim() }.validate().is_ok());
    }

    #[test]
    fn a_claim_that_cannot_be_judged_says_why() {
        let problem = |claim: Claim| claim.validate().unwrap_err().to_string();
        assert_eq!(
            problem(Claim { alpha: 0.0, ..claim() }),
            "claim `heads copy`: alpha is 0; use one between 0 and 1, such as 0.05"
        );
        assert!(problem(Claim { alpha: f64::NAN, ..claim() }).contains("alpha is NaN"));
        assert!(problem(Claim { comparisons: 0, ..claim() }).contains("comparisons is 0"));
        assert!(problem(Claim::default()).contains("no statement"));
    }

    #[test]
    fn a_claim_reads_back_from_its_file() {
        let text = serde_json::to_string(&claim()).unwrap();
        assert_eq!(serde_json::from_str::<Claim>(&text).unwrap(), claim());
        assert!(!text.contains("margin") && !text.contains("groups"), "{text}");
        let grouped = Claim { groups: Some(vec!["a".into(), "b".into()]), ..claim() };
        assert_eq!(serde_json::from_str::<Claim>(&serde_json::to_string(&grouped).unwrap()).unwrap(), grouped);
        let short: Claim = serde_json::from_str(r#"{"statement": "heads copy", "alternative": "greater"}"#).unwrap();
        assert_eq!(short, claim());
    }
}

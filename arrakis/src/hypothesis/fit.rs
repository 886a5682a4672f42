//! Which tests fit what was measured.

use super::{Claim, Null, Sample, Test};
use crate::error::{Error, Result};

impl Claim {
    /// The test to use, [`Test::Auto`] resolved.
    pub(super) fn choose(&self, observed: &Sample, null: &Null) -> Result<Test> {
        if let Null::Value(value) = null
            && !value.is_finite()
        {
            return Err(self.refuse(format!("the null value is {value}"), "give a finite number"));
        }
        let fitting = fitting(observed, null);
        match (self.test, fitting.first()) {
            (Test::Auto, Some(first)) => Ok(*first),
            (asked, _) if fitting.contains(&asked) => Ok(asked),
            (asked, _) => Err(self.misfit(asked, observed, null, &fitting)),
        }
    }

    fn misfit(&self, asked: Test, observed: &Sample, null: &Null, fitting: &[Test]) -> Error {
        let against = match null {
            Null::Value(value) => format!("the number {value}"),
            Null::Sample(sample) => format!("a sample of {}", sample.n()),
            Null::Draws(_) => "draws of the null".into(),
        };
        let problem = format!("the test `{asked}` does not fit {} observed against {against}", observed.n());
        let names: Vec<String> = fitting.iter().map(|test| format!("`{test}`")).collect();
        let fix = match null {
            _ if !names.is_empty() => format!("these do: {}", names.join(", ")),
            Null::Draws(_) => "none does: give one number, such as the mean, to hold against draws".into(),
            Null::Value(_) => "none does: measure more than one value, or give draws of the null".into(),
            Null::Sample(_) => "none does: give the null as a number, or as more than one value".into(),
        };
        self.refuse(problem, fix)
    }
}

/// The tests that fit, the automatic choice first.
fn fitting(observed: &Sample, null: &Null) -> Vec<Test> {
    match (observed.single(), null) {
        (Some(_), Null::Draws(_)) => vec![Test::MonteCarlo],
        (Some(_), Null::Sample(sample)) if sample.n() > 1 => vec![Test::MonteCarlo],
        (None, Null::Value(value)) => {
            let mut tests = vec![Test::SignFlip, Test::Wilcoxon, Test::OneSampleT];
            if observed.is_binary() && *value > 0.0 && *value < 1.0 {
                // Zeros and ones are not symmetric about a chance other than one half.
                tests.insert(0, Test::Binomial);
            }
            tests
        }
        (None, Null::Sample(sample)) if sample.n() > 1 => {
            let mut tests = vec![Test::Permutation, Test::Welch, Test::MannWhitney];
            if sample.n() == observed.n() {
                tests.extend([Test::SignFlip, Test::PairedT, Test::Wilcoxon]);
            }
            tests
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stats::testing::seeded;
    use super::super::testing::{claim, sample};
    use super::*;
    use rand::Rng;

    #[test]
    fn the_automatic_choice_follows_what_was_measured() {
        let chosen = |observed: Sample, null: Null| claim(Test::Auto).judge(observed, null).unwrap().test;
        let draws = || Null::Draws(Box::new(|seed| Ok(seeded(seed).random())));
        assert_eq!(chosen(sample(2.0), draws()), Test::MonteCarlo);
        assert_eq!(chosen(sample([0.1, 0.2, 0.4]), Null::Value(0.0)), Test::SignFlip);
        assert_eq!(chosen(sample([true, false, true]), Null::Value(0.25)), Test::Binomial);
        assert_eq!(chosen(sample([0.1, 0.2, 0.4]), Null::Sample(sample([0.0, 0.1, 0.3]))), Test::Permutation);
        assert_eq!(chosen(sample(2.0), Null::Sample(sample(vec![0.5; 19]))), Test::MonteCarlo);
    }

    #[test]
    fn a_test_that_does_not_fit_names_those_that_do() {
        let error = |test, observed, null| claim(test).judge(observed, null).unwrap_err().to_string();
        assert_eq!(
            error(Test::PairedT, sample([1.0, 2.0]), Null::Sample(sample([1.0, 2.0, 3.0]))),
            "claim `it copies`: the test `paired_t` does not fit 2 observed against a sample of 3; these do: `permutation`, \
             `welch`, `mann_whitney`"
        );
        let none = error(Test::Auto, sample(1.0), Null::Value(0.0));
        assert!(none.ends_with("none does: measure more than one value, or give draws of the null"), "{none}");
        let many = error(Test::Auto, sample([1.0, 2.0]), Null::Draws(Box::new(|_| Ok(0.0))));
        assert!(many.ends_with("give one number, such as the mean, to hold against draws"), "{many}");
        assert!(error(Test::Binomial, sample([0.5, 1.0]), Null::Value(0.5)).contains("these do: `sign_flip`"));
        assert!(error(Test::Auto, sample([0.5, 1.0]), Null::Value(f64::NAN)).contains("null value is NaN"));
    }
}

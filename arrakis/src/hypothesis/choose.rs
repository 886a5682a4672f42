//! Chooses the statistic that judges a claim, from the measurement and the claim.

use super::data::{Design, Need};
use super::{Claim, Null, Sample, Test};
use crate::error::{Error, Result};

/// The shape of a measurement; `None` if no statistic can judge it.
pub(super) fn design(observed: &Sample, null: &Null) -> Option<Design> {
    match (observed.single(), null) {
        (Some(_), Null::Draws(_)) => Some(Design::Draws),
        (Some(_), Null::Sample(sample)) if sample.n() > 1 => Some(Design::Draws),
        (None, Null::Value(value)) => {
            // Zeros and ones are symmetric only about one half.
            let binary = observed.is_binary() && *value > 0.0 && *value < 1.0;
            Some(Design::Number { binary })
        }
        (None, Null::Sample(sample)) if sample.n() > 1 => Some(Design::Samples { paired: sample.n() == observed.n() }),
        _ => None,
    }
}

impl Claim {
    /// The test to use; resolves [`Test::Auto`].
    pub(super) fn choose(&self, observed: &Sample, null: &Null, design: Option<Design>) -> Result<Test> {
        if let Null::Value(value) = null
            && !value.is_finite()
        {
            return Err(self.refuse(format!("the null value is {value}"), "give a finite number"));
        }
        let fits = |test: &Test| test.statistic().zip(design).is_some_and(|(statistic, design)| statistic.fits(design));
        let fitting: Vec<Test> = Test::ALL.iter().copied().filter(fits).collect();
        let chosen = match self.test {
            Test::Auto => fitting.iter().copied().find(|test| needs(*test) == self.given().first().copied()),
            asked => fitting.contains(&asked).then_some(asked),
        };
        chosen.ok_or_else(|| self.misfit(observed, null, &fitting))
    }

    /// The given options that only some statistics use.
    fn given(&self) -> Vec<Need> {
        let margin = self.margin.map(|_| Need::Margin);
        margin.into_iter().chain(self.groups.as_ref().map(|_| Need::Groups)).collect()
    }

    /// Checks that the claim has every option its test needs, and none that its test would not use.
    pub(super) fn check_needs(&self) -> Result<()> {
        let (needed, given) = (needs(self.test), self.given());
        if let Some(need) = needed.filter(|need| !given.contains(need)) {
            return Err(self.refuse(format!("the test `{}` needs {}", self.test, need.name()), need.fix()));
        }
        if self.test == Test::Auto {
            return match given[..] {
                [first, second, ..] => {
                    let problem =
                        format!("`{}` and `{}` are given, and no test uses both", first.name(), second.name());
                    Err(self.refuse(problem, "leave one of them out"))
                }
                _ => Ok(()),
            };
        }
        let Some(unused) = given.into_iter().find(|given| needed != Some(*given)) else { return Ok(()) };
        let users = Test::ALL.iter().filter(|test| needs(**test) == Some(unused));
        let users: Vec<String> = users.map(|test| format!("`test = {test:?}`")).collect();
        let (name, users) = (unused.name(), users.join(" or "));
        let problem = format!("`{name}` is given, and the test `{}` does not use it", self.test);
        Err(self.refuse(problem, format!("use {users}, or leave `{name}` out")))
    }

    /// The tests that may judge the claim, as far as is known before the measurement.
    pub(super) fn candidates(&self) -> Vec<Test> {
        match self.test {
            Test::Auto => {
                let given = self.given().first().copied();
                Test::ALL.iter().copied().filter(|test| *test != Test::Auto && needs(*test) == given).collect()
            }
            asked => vec![asked],
        }
    }

    fn misfit(&self, observed: &Sample, null: &Null, fitting: &[Test]) -> Error {
        let against = match null {
            Null::Value(value) => format!("the number {value}"),
            Null::Sample(sample) => format!("a sample of {}", sample.n()),
            Null::Draws(_) => "draws of the null".into(),
        };
        let problem =
            format!("the test `{}` does not fit a sample of {} compared with {against}", self.test, observed.n());
        let given = self.given().first().copied();
        let names: Vec<String> = fitting.iter().filter_map(|test| named(*test, given)).collect();
        let fix = match null {
            _ if !names.is_empty() => format!("these do: {}", names.join(", ")),
            Null::Draws(_) => "none does: give one number, such as the mean, to compare with draws".into(),
            Null::Value(_) => "none does: measure more than one value, or give draws of the null".into(),
            Null::Sample(_) => "none does: give the null as a number, or as more than one value".into(),
        };
        self.refuse(problem, fix)
    }
}

fn needs(test: Test) -> Option<Need> {
    test.statistic()?.needs()
}

/// A test that would fit, with the given option that it does not use; `None` if it needs an option that is not given.
fn named(test: Test, given: Option<Need>) -> Option<String> {
    match (needs(test), given) {
        (needed, given) if needed == given => Some(format!("`{test}`")),
        (None, Some(unused)) => Some(format!("`{test}` (without `{}`)", unused.name())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ground::testing::seeded;
    use super::super::testing::{claim, sample};
    use super::*;
    use rand::Rng;

    #[test]
    fn the_automatic_choice_depends_on_the_measurement() {
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
            "claim `it copies`: the test `paired_t` does not fit a sample of 2 compared with a sample of 3; \
             these do: `permutation`, `welch`, `mann_whitney`"
        );
        let none = error(Test::Auto, sample(1.0), Null::Value(0.0));
        assert!(none.ends_with("none does: measure more than one value, or give draws of the null"), "{none}");
        let many = error(Test::Auto, sample([1.0, 2.0]), Null::Draws(Box::new(|_| Ok(0.0))));
        assert!(many.ends_with("give one number, such as the mean, to compare with draws"), "{many}");
        assert!(error(Test::Binomial, sample([0.5, 1.0]), Null::Value(0.5)).contains("these do: `sign_flip`"));
        assert!(error(Test::Auto, sample([0.5, 1.0]), Null::Value(f64::NAN)).contains("null value is NaN"));
    }
}

//! Chooses the statistic that judges a claim, from the measurement and the claim.

use super::data::{Data, Design, Need, Pairing, Terms};
use super::shape::Shape;
use super::tests::{group_means, groups_of_samples};
use super::{Claim, Null, Sample, Test};
use crate::error::{Error, Result};

impl Claim {
    /// The shape of a measurement; `None` if no statistic can judge it.
    ///
    /// # Errors
    ///
    /// [`Error::Claim`] for samples that are called pairs and cannot be, and for those that name the same prompts in another
    /// order.
    pub(super) fn design(&self, observed: &Sample, null: &Null) -> Result<Option<Design>> {
        Ok(match (observed.single(), null) {
            (Some(_), Null::Draws(_)) => Some(Design::Draws),
            (Some(_), Null::Sample(sample)) if sample.n() > 1 => Some(Design::Draws),
            (None, Null::Value(value)) => {
                // Zeros and ones are symmetric only about one half.
                let binary = observed.is_binary() && *value > 0.0 && *value < 1.0;
                Some(Design::Number { binary })
            }
            (None, Null::Sample(sample)) if sample.n() > 1 => {
                let binary = observed.is_binary() && sample.is_binary();
                Some(Design::Samples { pairing: self.pairing(observed, sample)?, binary })
            }
            _ => None,
        })
    }

    fn pairing(&self, observed: &Sample, null: &Sample) -> Result<Pairing> {
        let equal = observed.n() == null.n();
        match (self.paired, observed.same_prompts(null)) {
            (Some(true), _) if !equal => {
                let problem = format!("it is about pairs, and there are {} and {} values", observed.n(), null.n());
                Err(self.refuse(problem, "measure both on the same prompts, or use `paired = false`"))
            }
            (Some(true), _) | (None, Some(true)) => Ok(Pairing::Paired),
            (None, Some(false)) if observed.shares_prompts(null) => Err(self.refuse(
                "both samples name some of the same prompts, and not in the same order",
                "give the values of both in one order of prompts, or use `paired = false`",
            )),
            (None, None) if equal => Ok(Pairing::Unsaid),
            (Some(false) | None, _) => Ok(Pairing::Independent),
        }
    }

    /// The test to use; resolves [`Test::Auto`]. `shape` is that of the values, if it is known.
    pub(super) fn choose(
        &self,
        observed: &Sample,
        null: &Null,
        design: Option<Design>,
        shape: Option<&Shape>,
    ) -> Result<Test> {
        if let Null::Value(value) = null
            && !value.is_finite()
        {
            return Err(self.refuse(format!("the null value is {value}"), "give a finite number"));
        }
        let fits = |test: &Test| test.statistic().zip(design).is_some_and(|(statistic, design)| statistic.fits(design));
        let fitting: Vec<Test> = Test::ALL.iter().copied().filter(fits).collect();
        let chosen = match self.test {
            Test::Auto => self.first_of(&fitting, design, shape),
            asked => fitting.contains(&asked).then_some(asked),
        };
        if let Some(Design::Samples { pairing: Pairing::Unsaid, .. }) = design
            && (self.test == Test::Auto || chosen.is_some_and(is_of_both))
        {
            return Err(self.unsaid(observed.n()));
        }
        let chosen = chosen.ok_or_else(|| self.misfit(observed, null, &fitting))?;
        self.check_estimand(chosen, design, &fitting)?;
        let (statistic, terms) = (chosen.statistic(), self.terms());
        match statistic.and_then(|statistic| statistic.tails(self.alternative)) {
            Some(_) if design == Some(Design::Draws) => Ok(chosen),
            Some(_) if !terms.is_affordable() => Err(self.unaffordable()),
            Some(tails) => terms.check_draws(terms.resamples(), tails).map(|()| chosen),
            None => Ok(chosen),
        }
    }

    /// The first of `fitting` tests that has what it needs, is about what is claimed, and suits the values.
    fn first_of(&self, fitting: &[Test], design: Option<Design>, shape: Option<&Shape>) -> Option<Test> {
        let given = self.given();
        fitting.iter().copied().find(|test| {
            test.statistic().zip(design).is_some_and(|(statistic, design)| {
                statistic.needs() == given
                    && statistic.estimand(design).answers(self.estimand)
                    && shape.is_none_or(|shape| statistic.suits(shape))
            })
        })
    }

    fn unsaid(&self, n: usize) -> Error {
        let problem = format!("two samples of {n} values are pairs or independent, and nothing says which");
        let fix = "use `paired = true` if value i of both comes from the same prompt, otherwise `paired = false`; samples that \
                   name their prompts (`Sample::prompts`) need neither";
        self.refuse(problem, fix)
    }

    fn check_estimand(&self, test: Test, design: Option<Design>, fitting: &[Test]) -> Result<()> {
        let about = |test: Test| test.statistic().zip(design).map(|(statistic, design)| statistic.estimand(design));
        let (Some(found), Some(asked)) = (about(test), self.estimand) else { return Ok(()) };
        if found.answers(Some(asked)) {
            return Ok(());
        }
        let others: Vec<String> = fitting
            .iter()
            .filter(|other| about(**other).is_some_and(|about| about.answers(Some(asked))))
            .map(|other| format!("`{other}`"))
            .collect();
        let problem = format!("the test `{test}` is about the {found}, and the claim about the {asked}");
        let fix = match &others[..] {
            [] => "leave `estimand` out".to_owned(),
            others => format!("these tests are about the {asked}: {}", others.join(", ")),
        };
        Err(self.refuse(problem, fix))
    }

    /// The given options that only some statistics use.
    fn given(&self) -> Vec<Need> {
        let given = [
            (self.margin.is_some(), Need::Margin),
            (self.groups.is_some(), Need::Groups),
            (self.crossed.is_some(), Need::Crossed),
        ];
        given.into_iter().filter_map(|(given, need)| given.then_some(need)).collect()
    }

    /// Checks that the claim has every option its test needs, and none that its test would not use.
    pub(super) fn check_needs(&self) -> Result<()> {
        if self.nested.is_some() && self.groups.is_none() {
            return Err(self.refuse("`nested` is given without `groups`", "name the groups that it is nested in"));
        }
        let given = self.given();
        if self.test == Test::Auto {
            return if Test::ALL.iter().any(|test| *test != Test::Auto && needs(*test) == given) || given.is_empty() {
                Ok(())
            } else {
                let names: Vec<String> = given.iter().map(|need| format!("`{}`", need.name())).collect();
                let problem = match &names[..] {
                    [only] => format!("{only} is given alone, and no test uses it alone"),
                    names => format!("{} are given, and no test uses both", names.join(" and ")),
                };
                let fix = if names.len() > 1 { "leave one of them out" } else { Need::Crossed.fix() };
                Err(self.refuse(problem, fix))
            };
        }
        let needed = needs(self.test);
        if let Some(need) = needed.iter().find(|need| !given.contains(need)) {
            return Err(self.refuse(format!("the test `{}` needs {}", self.test, need.name()), need.fix()));
        }
        let Some(unused) = given.into_iter().find(|given| !needed.contains(given)) else { return Ok(()) };
        let users = Test::ALL.iter().filter(|test| needs(**test).contains(&unused));
        let users: Vec<String> = users.map(|test| format!("`test = {test:?}`")).collect();
        let (name, users) = (unused.name(), users.join(" or "));
        let problem = format!("`{name}` is given, and the test `{}` does not use it", self.test);
        Err(self.refuse(problem, format!("use {users}, or leave `{name}` out")))
    }

    /// The tests that may judge the claim, as far as is known before the measurement.
    pub(super) fn candidates(&self) -> Vec<Test> {
        match self.test {
            Test::Auto => {
                let given = self.given();
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
        let pairs = match self.paired {
            Some(true) => ", as pairs",
            Some(false) => ", as independent samples",
            None => "",
        };
        let problem = format!(
            "the test `{}` does not fit a sample of {} compared with {against}{pairs}",
            self.test,
            observed.n()
        );
        let given = self.given();
        let names: Vec<String> = fitting.iter().filter_map(|test| named(*test, &given)).collect();
        let fix = match null {
            _ if !names.is_empty() => format!("these do: {}", names.join(", ")),
            Null::Draws(_) => "none does: give one number, such as the mean, to compare with draws".into(),
            Null::Value(_) => "none does: measure more than one value, or give draws of the null".into(),
            Null::Sample(_) => "none does: give the null as a number, or as more than one value".into(),
        };
        self.refuse(problem, fix)
    }
}

/// Whether a test can be of pairs as well as of independent samples.
fn is_of_both(test: Test) -> bool {
    let fits =
        |pairing| test.statistic().is_some_and(|statistic| statistic.fits(Design::Samples { pairing, binary: false }));
    fits(Pairing::Paired) && fits(Pairing::Independent)
}

fn needs(test: Test) -> &'static [Need] {
    test.statistic().map_or(&[], |statistic| statistic.needs())
}

/// A test that would fit, with the given options that it does not use; `None` if it needs an option that is not given.
fn named(test: Test, given: &[Need]) -> Option<String> {
    let needed = needs(test);
    if !needed.iter().all(|need| given.contains(need)) {
        return None;
    }
    let unused = given.iter().filter(|need| !needed.contains(need)).map(|need| format!("`{}`", need.name()));
    match &unused.collect::<Vec<_>>()[..] {
        [] => Some(format!("`{test}`")),
        unused => Some(format!("`{test}` (without {})", unused.join(" and "))),
    }
}

/// The shape of the values that a test is about: of the means of groups, if there are groups.
pub(super) fn shape(terms: &Terms, data: Data) -> Option<Shape> {
    let shape = Shape::of(data)?;
    let Some(groups) = terms.groups else { return Some(shape) };
    if let Data::Samples { observed, null, paired: false } = data {
        return Some(of_groups(groups, observed, null).unwrap_or(shape));
    }
    let Ok(differences) = data.differences() else { return Some(shape) };
    let of = |groups: &[String]| group_means("shape", &differences, groups).ok();
    let means = [of(groups), terms.crossed.and_then(of)].into_iter().flatten().min_by_key(Vec::len);
    Some(means.map_or(shape, |means| Shape::of_differences(&means, true)))
}

/// The shape of the means of groups in two independent samples.
fn of_groups(groups: &[String], a: &[f64], b: &[f64]) -> Option<Shape> {
    let [of_a, of_b] = groups_of_samples(groups, a, b).ok()?;
    let means = |values, groups| group_means("shape", values, groups).ok();
    Some(Shape { grouped: true, ..Shape::of_samples(&means(a, of_a)?, &means(b, of_b)?) })
}

#[cfg(test)]
mod tests {
    use super::super::Estimand;
    use super::super::ground::testing::seeded;
    use super::super::testing::{claim, sample};
    use super::*;
    use rand::Rng;

    #[test]
    fn the_automatic_choice_depends_on_the_measurement() {
        let chosen = |observed: Sample, null: Null| claim(Test::Auto).judge(observed, null).unwrap().test;
        let draws = || Null::Draws(Box::new(|seed| Ok(seeded(seed).random())));
        assert_eq!(chosen(sample(2.0), draws()), Test::MonteCarlo);
        assert_eq!(chosen(sample([0.1, 0.2, 0.4]), Null::Value(0.0)), Test::RobustMean);
        assert_eq!(chosen(sample([0.1; 9]), Null::Value(0.0)), Test::SignFlip);
        assert_eq!(chosen(sample([true, false, true]), Null::Value(0.25)), Test::Binomial);
        assert_eq!(chosen(sample([0.1, 0.2, 0.4]), Null::Sample(sample([0.0, 0.1]))), Test::RobustDifference);
        assert_eq!(chosen(sample([1.0; 3]), Null::Sample(sample([0.0; 2]))), Test::Permutation);
        assert_eq!(chosen(sample(2.0), Null::Sample(sample(vec![0.5; 19]))), Test::MonteCarlo);
    }

    #[test]
    fn groups_of_two_independent_samples_have_a_test_of_their_own() {
        let groups = ["a", "a", "b", "c", "x", "x", "y", "z", "z"].map(str::to_owned).to_vec();
        let claim = Claim { groups: Some(groups.clone()), nested: None, ..claim(Test::Auto) };
        let (a, b) = ([3.0, 5.0, 4.5, 6.0], [1.0, 2.0, 0.5, 1.5, 1.0]);
        let found = claim.judge(sample(a), Null::Sample(sample(b))).unwrap();
        assert_eq!(found.test, Test::ClusterDifference);
        // Means 4, 4.5, 6 and 1.5, 0.5, 1.25.
        assert!((found.estimate.unwrap() - (14.5 - 3.25) / 3.0).abs() < 1e-12, "{found:?}");
        assert!(found.why.contains("the samples (the one with fewer groups has 3)"), "{}", found.why);
        let levels: Vec<(&str, usize)> = found.variance.iter().map(|part| (&*part.source, part.levels)).collect();
        assert_eq!(levels, [("groups", 6), ("values", 9)]);
        let short = Claim { groups: Some(groups[..4].to_vec()), ..claim };
        let problem = short.judge(sample(a), Null::Sample(sample(b))).unwrap_err().to_string();
        assert!(problem.contains("there are 4 and 5 values, and 4 groups; give one group per value"), "{problem}");
    }

    #[test]
    fn pairs_are_stated_or_named_and_never_guessed() {
        let values = || sample([0.1, 0.2, 0.4, 0.1]);
        let against = || Null::Sample(sample([0.0, 0.1, 0.3, 0.2]));
        let stated = |paired| Claim { paired, ..claim(Test::Auto) };
        assert_eq!(stated(Some(true)).judge(values(), against()).unwrap().test, Test::RobustMean);
        assert_eq!(stated(Some(false)).judge(values(), against()).unwrap().test, Test::RobustDifference);
        let unsaid = "claim `it copies`: two samples of 4 values are pairs or independent, and nothing says which; use `paired = \
                      true` if value i of both comes from the same prompt, otherwise `paired = false`; samples that name their \
                      prompts (`Sample::prompts`) need neither";
        assert_eq!(stated(None).judge(values(), against()).unwrap_err().to_string(), unsaid);
        let equal = Claim { margin: Some(0.5), alternative: super::super::Alternative::TwoSided, ..claim(Test::Tost) };
        assert_eq!(equal.judge(values(), against()).unwrap_err().to_string(), unsaid, "it can be of both");
        assert_eq!(Claim { paired: Some(true), ..equal }.judge(values(), against()).unwrap().df, Some(3.0));
        // A test that is only of pairs, or only of independent samples, says it.
        assert_eq!(claim(Test::PairedT).judge(values(), against()).unwrap().df, Some(3.0));
        assert!(claim(Test::Welch).judge(values(), against()).unwrap().df.unwrap() > 3.0);
    }

    #[test]
    fn samples_that_name_their_prompts_are_pairs_if_the_prompts_are_the_same() {
        let named = |prompts: [&str; 4]| sample([0.1, 0.2, 0.4, 0.1]).prompts(prompts).unwrap();
        let other = |prompts: [&str; 4]| Null::Sample(sample([0.0, 0.1, 0.3, 0.2]).prompts(prompts).unwrap());
        let (mine, its) = (["a", "b", "c", "d"], ["e", "f", "g", "h"]);
        let judge = |null| claim(Test::Auto).judge(named(mine), null);
        assert_eq!(judge(other(mine)).unwrap().test, Test::RobustMean);
        assert_eq!(judge(other(its)).unwrap().test, Test::RobustDifference);
        assert_eq!(
            judge(other(["b", "a", "c", "d"])).unwrap_err().to_string(),
            "claim `it copies`: both samples name some of the same prompts, and not in the same order; give the values of \
             both in one order of prompts, or use `paired = false`"
        );
        let unequal = Claim { paired: Some(true), ..claim(Test::Auto) };
        assert_eq!(
            unequal.judge(named(mine), Null::Sample(sample([1.0, 2.0]))).unwrap_err().to_string(),
            "claim `it copies`: it is about pairs, and there are 4 and 2 values; measure both on the same prompts, or use \
             `paired = false`"
        );
    }

    #[test]
    fn a_pair_of_zeros_and_ones_is_judged_by_the_pairs_that_differ() {
        let paired = Claim { paired: Some(true), ..claim(Test::Auto) };
        let verdict = paired.judge(sample([true; 6]), Null::Sample(sample([false; 6]))).unwrap();
        assert!(verdict.test == Test::Mcnemar && (verdict.p_value - 1.0 / 64.0).abs() < 1e-12, "{verdict}");
    }

    #[test]
    fn the_estimand_chooses_the_test_or_is_checked() {
        let about = |test, estimand| Claim { estimand: Some(estimand), ..claim(test) };
        let values = || sample([0.1, 0.2, 0.4, 0.3, 0.9]);
        let judged = |claim: Claim| claim.judge(values(), Null::Value(0.0));
        assert_eq!(judged(about(Test::Auto, Estimand::Median)).unwrap().test, Test::SignTest);
        assert_eq!(judged(about(Test::Auto, Estimand::PseudoMedian)).unwrap().test, Test::Wilcoxon);
        assert_eq!(judged(about(Test::Auto, Estimand::Mean)).unwrap().test, Test::RobustMean);
        let verdict = judged(about(Test::SignTest, Estimand::Median)).unwrap();
        assert_eq!((verdict.estimand, verdict.estimate), (Some(Estimand::Median), Some(0.3)));
        assert_eq!(
            judged(about(Test::Wilcoxon, Estimand::Median)).unwrap_err().to_string(),
            "claim `it copies`: the test `wilcoxon` is about the pseudo-median, and the claim about the median; these tests \
             are about the median: `sign_test`"
        );
    }

    #[test]
    fn many_comparisons_of_zeros_and_ones_need_no_draws() {
        let many = Claim { comparisons: 270, ..claim(Test::Auto) };
        let verdict = many.judge(sample([true; 20]), Null::Value(0.5)).unwrap();
        assert!(verdict.holds && verdict.test == Test::Binomial, "{verdict}");
        assert!(many.judge(sample([0.1, 0.2, 0.15, 0.3]), Null::Value(0.0)).is_ok(), "it draws what it needs");
    }

    #[test]
    fn a_test_that_does_not_fit_names_those_that_do() {
        let error = |test, observed, null| claim(test).judge(observed, null).unwrap_err().to_string();
        assert_eq!(
            error(Test::PairedT, sample([1.0, 2.0]), Null::Sample(sample([1.0, 2.0, 3.0]))),
            "claim `it copies`: the test `paired_t` does not fit a sample of 2 compared with a sample of 3; \
             these do: `robust_difference`, `permutation`, `studentised_permutation`, `welch`, `mann_whitney`"
        );
        let none = error(Test::Auto, sample(1.0), Null::Value(0.0));
        assert!(none.ends_with("none does: measure more than one value, or give draws of the null"), "{none}");
        let many = error(Test::Auto, sample([1.0, 2.0]), Null::Draws(Box::new(|_| Ok(0.0))));
        assert!(many.ends_with("give one number, such as the mean, to compare with draws"), "{many}");
        assert!(error(Test::Binomial, sample([0.5, 1.0]), Null::Value(0.5)).contains("these do: `robust_mean`, "));
        assert!(error(Test::Auto, sample([0.5, 1.0]), Null::Value(f64::NAN)).contains("null value is NaN"));
    }
}

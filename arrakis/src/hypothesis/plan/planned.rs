//! Judges a claim with a smallest effect of interest, or at a look on the way.

use super::looks;
use crate::error::Result;
use crate::fmt::short;
use crate::hypothesis::stats::smallest_effect_for_t;
use crate::hypothesis::{Alternative, Claim, Null, Sample, Verdict};

impl Claim {
    /// Checks the plan before the measurement.
    pub(in crate::hypothesis) fn check_plan(&self) -> Result<()> {
        if let Some(effect) = self.minimum_effect {
            if !(effect > 0.0 && effect.is_finite()) {
                let problem = format!("minimum_effect is {effect}");
                return Err(self.refuse(problem, "give a positive number, in units of the metric"));
            }
            if self.alternative == Alternative::TwoSided {
                let fix = "say in which direction: `alternative = Greater` or `alternative = Less`";
                return Err(self.refuse("a minimum effect has a direction, and the claim is two-sided", fix));
            }
        }
        match &self.looks {
            Some(values) => looks(values, self.alpha_corrected(), self.alternative, self.spending).map(|_| ()),
            None => Ok(()),
        }
    }

    /// The verdict of `judge` on what was measured, with the plan applied.
    pub(in crate::hypothesis) fn as_planned(
        &self,
        observed: Sample,
        null: Null,
        judge: impl FnOnce(&Self, Sample, Null) -> Result<Verdict>,
    ) -> Result<Verdict> {
        let (claim, look) = self.at_look(observed.n())?;
        let shift = claim.shift();
        if shift != 0.0 && observed.is_binary() {
            let fix = "leave it out, and give the share that is to be exceeded as the null";
            return Err(self.refuse("`minimum_effect` does not fit values of 0 and 1", fix));
        }
        let verdict = judge(&claim, observed.moved(-shift)?, null)?;
        let note = look.into_iter().chain(Self::smallest_of_interest(shift));
        Ok(Verdict { notes: note.chain(verdict.notes.clone()).collect(), ..verdict.moved_back(shift, observed) })
    }

    /// How far the null is moved towards the claim.
    fn shift(&self) -> f64 {
        match (self.minimum_effect, self.alternative) {
            (Some(effect), Alternative::Greater) => effect,
            (Some(effect), Alternative::Less) => -effect,
            _ => 0.0,
        }
    }

    fn smallest_of_interest(shift: f64) -> Option<String> {
        (shift != 0.0).then(|| format!("the test asks for a difference beyond {}", short(shift)))
    }

    /// The claim at the α of the look with `n` values.
    fn at_look(&self, n: usize) -> Result<(Self, Option<String>)> {
        let Some(values) = &self.looks else { return Ok((self.clone(), None)) };
        let Some(at) = values.iter().position(|planned| *planned == n) else {
            let problem = format!("looks are planned at {values:?} values, and {n} were measured");
            return Err(self.refuse(problem, "measure up to one of them, or register another plan"));
        };
        let all = looks(values, self.alpha_corrected(), self.alternative, self.spending)?;
        let alpha = (all[at].alpha * self.comparisons as f64).max(f64::MIN_POSITIVE);
        let note = format!(
            "look {} of {} by {}: alpha is {} of {}",
            at + 1,
            all.len(),
            self.spending,
            short(alpha),
            short(self.alpha)
        );
        Ok((Self { alpha, ..self.clone() }, Some(note)))
    }
}

impl Verdict {
    /// The verdict on what was observed before it was moved.
    fn moved_back(self, shift: f64, observed: Sample) -> Self {
        if shift == 0.0 {
            return self;
        }
        let mut verdict = self;
        verdict.difference += shift;
        verdict.estimate = verdict.estimate.map(|estimate| estimate + shift);
        verdict.observed = observed.summary();
        if let Some(interval) = &mut verdict.ci {
            interval.low += shift;
            interval.high += shift;
        }
        verdict.observed_values = observed.into();
        verdict
    }

    /// The smallest mean difference, in units of the metric, that a t test of as many values with this spread finds with this
    /// `power` at the verdict's α: what a claim that does not hold leaves open.
    ///
    /// # Errors
    ///
    /// As [`smallest_effect_for_t`]; [`Error::Claim`](crate::Error::Claim) for a measurement without a spread.
    pub fn smallest_detectable(&self, power: f64) -> Result<f64> {
        let claim = &self.claim;
        let sd = self.observed.sd.filter(|sd| *sd > 0.0).ok_or_else(|| {
            claim.refuse("the measurement has no spread, so every effect would be found", "measure values that vary")
        })?;
        Ok(sd * smallest_effect_for_t(self.observed.n, power, self.alpha_corrected, claim.alternative)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::assert_close;
    use crate::hypothesis::stats::one_sample_t;
    use crate::hypothesis::{IntoSample as _, Spending, Test};

    const VALUES: [f64; 6] = [0.5, 0.7, 0.6, 0.4, 0.8, 0.6];

    fn claim() -> Claim {
        Claim {
            statement: "it helps".into(),
            test: Test::OneSampleT,
            alternative: Alternative::Greater,
            ..Claim::default()
        }
    }

    fn judged(claim: &Claim) -> Result<Verdict> {
        claim.judge(VALUES.into_sample().unwrap(), Null::Value(0.0))
    }

    #[test]
    fn a_minimum_effect_moves_the_null_and_not_the_numbers() {
        let plain = judged(&claim()).unwrap();
        let asked = judged(&Claim { minimum_effect: Some(0.55), ..claim() }).unwrap();
        assert_close(asked.p_value, one_sample_t(&VALUES, 0.55, Alternative::Greater).unwrap().p_value, 1e-12);
        assert!(plain.holds && !asked.holds);
        assert_close(asked.difference, plain.difference, 1e-12);
        assert_close(asked.estimate.unwrap(), plain.estimate.unwrap(), 1e-12);
        assert_eq!((asked.observed, &asked.observed_values), (plain.observed, &plain.observed_values));
        assert_close(asked.ci.as_ref().unwrap().low, plain.ci.as_ref().unwrap().low, 1e-9);
        assert!(asked.notes.contains(&"the test asks for a difference beyond 0.55".to_owned()), "{:?}", asked.notes);
    }

    #[test]
    fn a_look_has_its_share_of_alpha() {
        let planned = Claim { looks: Some(vec![3, 6, 12]), spending: Spending::Pocock, ..claim() };
        let verdict = judged(&planned).unwrap();
        let alpha = looks(&[3, 6, 12], 0.05, Alternative::Greater, Spending::Pocock).unwrap()[1].alpha;
        assert_close(verdict.alpha_corrected, alpha, 1e-15);
        assert!(verdict.notes[0].starts_with("look 2 of 3 by Pocock spending: alpha is 0.0"), "{:?}", verdict.notes);
        let searched = judged(&Claim { comparisons: 4, ..planned.clone() }).unwrap();
        let shared = looks(&[3, 6, 12], 0.0125, Alternative::Greater, Spending::Pocock).unwrap()[1].alpha;
        assert_close(searched.alpha_corrected, shared, 1e-15);
        assert_eq!(
            judged(&Claim { looks: Some(vec![4, 8]), ..planned }).unwrap_err().to_string(),
            "claim `it helps`: looks are planned at [4, 8] values, and 6 were measured; measure up to one of them, or \
             register another plan"
        );
    }

    #[test]
    fn a_plan_is_checked_before_the_measurement() {
        let said = |claim: Claim| claim.validate().unwrap_err().to_string();
        assert_eq!(
            said(Claim { minimum_effect: Some(0.1), alternative: Alternative::TwoSided, ..claim() }),
            "claim `it helps`: a minimum effect has a direction, and the claim is two-sided; say in which direction: \
             `alternative = Greater` or `alternative = Less`"
        );
        assert!(said(Claim { minimum_effect: Some(-0.1), ..claim() }).contains("minimum_effect is -0.1"));
        assert!(said(Claim { looks: Some(vec![4, 2]), ..claim() }).contains("do not grow"));
        let binary = Claim { minimum_effect: Some(0.1), test: Test::Auto, ..claim() };
        let error = binary.judge([true, false, true].into_sample().unwrap(), Null::Value(0.5)).unwrap_err().to_string();
        assert!(error.ends_with("give the share that is to be exceeded as the null"), "{error}");
    }

    #[test]
    fn the_smallest_detectable_difference_is_in_units_of_the_metric() {
        let verdict = judged(&claim()).unwrap();
        let effect = smallest_effect_for_t(6, 0.8, 0.05, Alternative::Greater).unwrap();
        assert_close(verdict.smallest_detectable(0.8).unwrap(), effect * verdict.observed.sd.unwrap(), 1e-12);
        let flat = Verdict { observed: crate::hypothesis::Summary { sd: Some(0.0), ..verdict.observed }, ..verdict };
        assert!(flat.smallest_detectable(0.8).unwrap_err().to_string().contains("has no spread"));
    }
}

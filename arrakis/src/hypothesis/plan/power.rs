//! The power of a t test on one sample or on pairs.
//!
//! Source: the noncentral t distribution, as an average of normal tails over the chi distribution of the sample's standard
//! deviation.

use statrs::function::erf::erfc;
use statrs::function::gamma::ln_gamma;

use crate::error::Result;
use crate::hypothesis::Alternative;
use crate::hypothesis::ground::guard::refuse;
use crate::hypothesis::ground::student::{bisect, critical};

/// Panels of the integral over standard deviations.
const PANELS: usize = 4000;

/// The chance that a t test of `n` values holds at `alpha` if the mean differs from the null by `effect` standard
/// deviations (Cohen's d, positive in the direction of the claim).
///
/// # Errors
///
/// [`Error::Statistics`](crate::Error::Statistics) for fewer than two values, an `alpha` outside `(0, 1)` and an effect
/// that is not finite.
pub fn power_of_t(n: usize, effect: f64, alpha: f64, alternative: Alternative) -> Result<f64> {
    check(n, alpha)?;
    if !effect.is_finite() {
        return Err(refuse("power", format!("the effect is {effect}"), "give a finite number of standard deviations"));
    }
    let df = (n - 1) as f64;
    let tails = alternative.two_sided_alpha(alpha);
    let (t, shift) = (critical(1.0 - tails, df), effect * (n as f64).sqrt());
    let beyond = |t: f64| average(df, |s| normal_cdf(shift - t * s));
    Ok(match alternative {
        Alternative::TwoSided => beyond(t) + average(df, |s| normal_cdf(-t * s - shift)),
        Alternative::Greater | Alternative::Less => beyond(t),
    })
}

/// The smallest effect, in standard deviations, that a t test of `n` values finds with this `power`.
///
/// # Errors
///
/// As [`power_of_t`], and a power that is not above `alpha` and below 1.
pub fn smallest_effect_for_t(n: usize, power: f64, alpha: f64, alternative: Alternative) -> Result<f64> {
    check(n, alpha)?;
    check_power(power, alpha)?;
    let short = |effect: f64| power_of_t(n, effect, alpha, alternative).is_ok_and(|found| found < power);
    let mut high = 1.0;
    while short(high) && high < 1e9 {
        high *= 2.0;
    }
    Ok(bisect(0.0, high, short))
}

/// The smallest number of values with which a t test finds `effect` standard deviations with this `power`.
///
/// # Errors
///
/// As [`smallest_effect_for_t`], an effect that is not positive, and one that would need more than a million values.
pub fn sample_size_for_t(effect: f64, power: f64, alpha: f64, alternative: Alternative) -> Result<usize> {
    check_power(power, alpha)?;
    let enough = |n: usize| -> Result<bool> { Ok(power_of_t(n, effect, alpha, alternative)? >= power) };
    let positive = effect > 0.0;
    let mut high = 2;
    while !positive || !enough(high)? {
        if !positive || high > 1_000_000 {
            let problem = format!("no million values find an effect of {effect} standard deviations");
            return Err(refuse("power", problem, "give a positive effect that is large enough to matter"));
        }
        high *= 2;
    }
    let (mut low, mut high) = (high / 2, high);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if middle >= 2 && enough(middle)? { high = middle } else { low = middle }
    }
    Ok(high)
}

fn check(n: usize, alpha: f64) -> Result<()> {
    if n < 2 {
        return Err(refuse("power", format!("{n} values have no spread"), "plan at least 2"));
    }
    if alpha > 0.0 && alpha < 1.0 {
        return Ok(());
    }
    Err(refuse("power", format!("alpha is {alpha}"), "use one between 0 and 1, such as 0.05"))
}

fn check_power(power: f64, alpha: f64) -> Result<()> {
    if power > alpha && power < 1.0 {
        return Ok(());
    }
    Err(refuse("power", format!("the power is {power}"), "use one above alpha and below 1, such as 0.8"))
}

/// The mean of a function over the ratio of a sample's standard deviation to the true one, with `df` degrees of freedom.
fn average(df: f64, of: impl Fn(f64) -> f64) -> f64 {
    let sd = (0.5 / df).sqrt();
    let (low, high) = ((1.0 - 14.0 * sd).max(0.0), 1.0 + 14.0 * sd);
    let constant = 2f64.ln() + df / 2.0 * (df / 2.0).ln() - ln_gamma(df / 2.0);
    let density = |s: f64| {
        // The density at zero is that of a half-normal for one degree of freedom, and zero for more.
        let power = if df == 1.0 { 0.0 } else { (df - 1.0) * s.ln() };
        (constant + power - df * s * s / 2.0).exp()
    };
    simpson(low, high, PANELS, |s| density(s) * of(s))
}

/// Simpson's rule over an even number of panels.
pub(super) fn simpson(low: f64, high: f64, panels: usize, of: impl Fn(f64) -> f64) -> f64 {
    let step = (high - low) / panels as f64;
    let weight = |at: usize| if at == 0 || at == panels { 1.0 } else { 2.0 + 2.0 * (at % 2) as f64 };
    (0..=panels).map(|at| weight(at) * of(low + step * at as f64)).sum::<f64>() * step / 3.0
}

pub(super) fn normal_cdf(z: f64) -> f64 {
    erfc(-z / std::f64::consts::SQRT_2) / 2.0
}

impl Alternative {
    /// The α of a two-sided test with the same critical value.
    fn two_sided_alpha(self, alpha: f64) -> f64 {
        if self == Self::TwoSided { alpha } else { 2.0 * alpha }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::assert_close;

    #[test]
    fn statsmodels_gives_the_same_power() {
        let cases: serde_json::Value = serde_json::from_str(include_str!("reference.json")).unwrap();
        for case in cases.as_array().unwrap() {
            let number = |key: &str| case[key].as_f64().unwrap();
            let (n, alpha) = (number("n") as usize, number("alpha"));
            let alternative: Alternative = serde_json::from_value(case["alternative"].clone()).unwrap();
            assert_close(power_of_t(n, number("effect"), alpha, alternative).unwrap(), number("power"), 1e-8);
            // The reference solves to about six digits.
            let smallest = smallest_effect_for_t(n, 0.8, alpha, alternative).unwrap();
            assert_close(smallest, number("smallest"), 1e-5 * smallest);
        }
    }

    #[test]
    fn power_without_an_effect_is_alpha_and_grows_with_n() {
        for alternative in [Alternative::TwoSided, Alternative::Greater] {
            assert_close(power_of_t(9, 0.0, 0.05, alternative).unwrap(), 0.05, 1e-9);
        }
        let n = sample_size_for_t(0.5, 0.8, 0.05, Alternative::TwoSided).unwrap();
        // Cohen (1988), table 2.4.1 for pairs: 34 values.
        assert_eq!(n, 34);
        assert!(power_of_t(n - 1, 0.5, 0.05, Alternative::TwoSided).unwrap() < 0.8);
    }

    #[test]
    fn mistakes_are_named() {
        let said = |result: Result<f64>| result.unwrap_err().to_string();
        assert_eq!(
            said(power_of_t(1, 0.5, 0.05, Alternative::Greater)),
            "`power`: 1 values have no spread; plan at least 2"
        );
        assert_eq!(
            said(smallest_effect_for_t(9, 0.01, 0.05, Alternative::Greater)),
            "`power`: the power is 0.01; use one above alpha and below 1, such as 0.8"
        );
        assert!(said(power_of_t(9, f64::NAN, 0.05, Alternative::Less)).contains("the effect is NaN"));
        for effect in [0.0, -1.0, f64::NAN, 1e-6] {
            let error = sample_size_for_t(effect, 0.8, 0.05, Alternative::Greater).unwrap_err().to_string();
            assert!(error.contains("no million values find an effect"), "{error}");
        }
    }
}

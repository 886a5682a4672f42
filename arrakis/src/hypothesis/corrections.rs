//! Corrections for multiple comparisons.
//!
//! Source: Holm, "A simple sequentially rejective multiple test procedure" (1979); Benjamini & Hochberg (1995);
//! Benjamini & Yekutieli (2001).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ground::guard::refuse;
use crate::error::Result;

/// How the p-values of one family are adjusted. An adjusted p-value is compared with the uncorrected α.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Each p-value times their number: keeps the probability of any false claim at or below α.
    Bonferroni,
    /// Holm's step-down: the same guarantee as Bonferroni, and never weaker.
    #[default]
    Holm,
    /// Benjamini-Hochberg: keeps the expected share of false claims at or below α, for independent or positively
    /// dependent tests.
    BenjaminiHochberg,
    /// Benjamini-Yekutieli: like Benjamini-Hochberg, under any dependence.
    BenjaminiYekutieli,
}

impl Correction {
    /// The adjusted p-values, in the order of `p_values`.
    ///
    /// # Errors
    ///
    /// [`Error::Statistics`](crate::error::Error::Statistics) for a p-value outside `[0, 1]`.
    pub fn adjust(self, p_values: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Bonferroni => bonferroni(p_values),
            Self::Holm => holm(p_values),
            Self::BenjaminiHochberg => benjamini_hochberg(p_values),
            Self::BenjaminiYekutieli => benjamini_yekutieli(p_values),
        }
    }
}

impl fmt::Display for Correction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bonferroni => "Bonferroni",
            Self::Holm => "Holm",
            Self::BenjaminiHochberg => "Benjamini-Hochberg",
            Self::BenjaminiYekutieli => "Benjamini-Yekutieli",
        })
    }
}

/// Bonferroni's adjusted p-values.
///
/// # Errors
///
/// As [`Correction::adjust`].
pub fn bonferroni(p_values: &[f64]) -> Result<Vec<f64>> {
    check(p_values)?;
    Ok(p_values.iter().map(|p| (p * p_values.len() as f64).min(1.0)).collect())
}

/// Holm's adjusted p-values.
///
/// # Errors
///
/// As [`Correction::adjust`].
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>> {
    check(p_values)?;
    let (mut adjusted, mut largest) = (vec![0.0; p_values.len()], 0f64);
    for (step, index) in ascending(p_values).into_iter().enumerate() {
        largest = largest.max(p_values[index] * (p_values.len() - step) as f64).min(1.0);
        adjusted[index] = largest;
    }
    Ok(adjusted)
}

/// Benjamini and Hochberg's adjusted p-values.
///
/// # Errors
///
/// As [`Correction::adjust`].
pub fn benjamini_hochberg(p_values: &[f64]) -> Result<Vec<f64>> {
    step_up(p_values, 1.0)
}

/// Benjamini and Yekutieli's adjusted p-values.
///
/// # Errors
///
/// As [`Correction::adjust`].
pub fn benjamini_yekutieli(p_values: &[f64]) -> Result<Vec<f64>> {
    step_up(p_values, (1..=p_values.len()).map(|i| 1.0 / i as f64).sum())
}

fn step_up(p_values: &[f64], factor: f64) -> Result<Vec<f64>> {
    check(p_values)?;
    let n = p_values.len();
    let (mut adjusted, mut smallest) = (vec![0.0; n], 1f64);
    for (step, index) in ascending(p_values).into_iter().enumerate().rev() {
        smallest = smallest.min(p_values[index] * factor * n as f64 / (step + 1) as f64);
        adjusted[index] = smallest;
    }
    Ok(adjusted)
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&i, &j| p_values[i].total_cmp(&p_values[j]));
    order
}

fn check(p_values: &[f64]) -> Result<()> {
    match p_values.iter().position(|p| !(0.0..=1.0).contains(p)) {
        Some(index) => {
            let problem = format!("`p_values[{index}]` is {}", p_values[index]);
            Err(refuse("multiplicity", problem, "give p-values between 0 and 1"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ground::testing::{assert_close, numbers, reference, seeded};
    use super::*;
    use rand::Rng;

    #[test]
    fn scipy_gives_the_same_numbers() {
        let expected = reference("multiplicity");
        let p_values = numbers(&expected["p_values"]);
        for (correction, key) in [
            (Correction::Bonferroni, "bonferroni"),
            (Correction::Holm, "holm"),
            (Correction::BenjaminiHochberg, "bh"),
            (Correction::BenjaminiYekutieli, "by"),
        ] {
            for (found, expected) in correction.adjust(&p_values).unwrap().iter().zip(numbers(&expected[key])) {
                assert_close(*found, expected, 1e-12);
            }
        }
    }

    #[test]
    fn a_hand_computed_case() {
        let close = |found: Vec<f64>, expected: [f64; 3]| {
            found.iter().zip(expected).for_each(|(found, expected)| assert_close(*found, expected, 1e-15));
        };
        close(holm(&[0.04, 0.01, 0.03]).unwrap(), [0.06, 0.03, 0.06]);
        close(benjamini_hochberg(&[0.04, 0.01, 0.03]).unwrap(), [0.04, 0.03, 0.04]);
        close(bonferroni(&[0.04, 0.01, 0.5]).unwrap(), [0.12, 0.03, 1.0]);
        assert!(holm(&[]).unwrap().is_empty());
    }

    #[test]
    fn holm_makes_a_false_claim_in_one_family_of_twenty() {
        let rng = &mut seeded(0);
        let families = (0..1000).filter(|_| {
            let p_values: Vec<f64> = (0..10).map(|_| rng.random()).collect();
            holm(&p_values).unwrap().iter().any(|&p| p <= 0.05)
        });
        let rate = families.count() as f64 / 1000.0;
        assert!((0.03..=0.07).contains(&rate), "{rate}");
    }

    #[test]
    fn a_p_value_out_of_range_is_named() {
        assert_eq!(
            holm(&[0.5, f64::NAN]).unwrap_err().to_string(),
            "`multiplicity`: `p_values[1]` is NaN; give p-values between 0 and 1"
        );
    }
}

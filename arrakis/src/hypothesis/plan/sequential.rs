//! Looks at the data on the way, each with a share of α.
//!
//! Source: Lan & `DeMets`, "Discrete sequential boundaries for clinical trials" (1983); the recursion of Armitage, `McPherson` &
//! Rowe (1969).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::power::{normal_cdf, simpson};
use crate::error::Result;
use crate::hypothesis::Alternative;
use crate::hypothesis::ground::guard::refuse;
use crate::hypothesis::ground::student::bisect;

/// Panels of the integral over the statistic.
const PANELS: usize = 600;
/// No boundary is further out, and no statistic is integrated further.
const FAR: f64 = 9.0;

/// How α is spent over the looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spending {
    /// Little early and most at the end, like O'Brien and Fleming's boundary: the last look is almost an ordinary test.
    #[default]
    OBrienFleming,
    /// Evenly, like Pocock's boundary: easier to stop early.
    Pocock,
}

impl Spending {
    /// The α spent on one side when a share of the values is measured.
    fn spent(self, alpha: f64, share: f64) -> f64 {
        if share >= 1.0 {
            return alpha;
        }
        match self {
            Self::OBrienFleming => 2.0 * normal_cdf(-quantile(alpha / 2.0) / share.sqrt()),
            Self::Pocock => alpha * (1.0 + (std::f64::consts::E - 1.0) * share).ln(),
        }
    }
}

impl fmt::Display for Spending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OBrienFleming => "O'Brien-Fleming spending",
            Self::Pocock => "Pocock spending",
        })
    }
}

/// One look at the data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The share of the values that is measured.
    pub share: f64,
    /// The normal statistic at which the claim holds.
    pub z: f64,
    /// The α of this look: compare its p-value with this.
    pub alpha: f64,
    /// The α spent up to this look.
    pub spent: f64,
}

/// The looks at `values` values each, the last of which is the whole sample. The chance that a true null is rejected at any
/// of them is `alpha`.
///
/// # Errors
///
/// [`Error::Statistics`](crate::Error::Statistics) for numbers that do not grow, or none, and an `alpha` outside `(0, 1)`.
pub fn looks(values: &[usize], alpha: f64, alternative: Alternative, spending: Spending) -> Result<Vec<Look>> {
    let rising = values.windows(2).all(|pair| pair[0] < pair[1]) && values.first().is_some_and(|first| *first > 0);
    if !rising {
        let problem = format!("the looks {values:?} do not grow from at least 1");
        return Err(refuse("looks", problem, "give the number of values at each look: `looks = [20, 40, 60]`"));
    }
    if !(alpha > 0.0 && alpha < 1.0) {
        return Err(refuse("looks", format!("alpha is {alpha}"), "use one between 0 and 1, such as 0.05"));
    }
    let sides = if alternative == Alternative::TwoSided { 2.0 } else { 1.0 };
    let whole = values[values.len() - 1] as f64;
    let shares: Vec<f64> = values.iter().map(|n| *n as f64 / whole).collect();
    let spent: Vec<f64> = shares.iter().map(|share| spending.spent(alpha / sides, *share)).collect();
    let mut path = Path::new(sides > 1.0);
    let mut before = 0.0;
    let look = |(share, spent): (&f64, &f64)| {
        let z = path.boundary(*share, spent - before);
        before = *spent;
        Look { share: *share, z, alpha: sides * normal_cdf(-z), spent: sides * spent }
    };
    Ok(shares.iter().zip(&spent).map(look).collect())
}

/// The statistic of a true null on the way: its density where no look has rejected.
struct Path {
    two_sided: bool,
    share: f64,
    /// The region that goes on, in units of `z · √share`, and the density at the ends of its panels.
    region: [f64; 2],
    density: Vec<f64>,
}

impl Path {
    fn new(two_sided: bool) -> Self {
        Self { two_sided, share: 0.0, region: [0.0; 2], density: Vec::new() }
    }

    /// The boundary at the next look that is crossed on one side with this chance; goes on behind it.
    fn boundary(&mut self, share: f64, chance: f64) -> f64 {
        let z = bisect(-FAR, FAR, |z| self.beyond(share, z) > chance);
        self.go(share, z);
        z
    }

    /// The chance to be beyond a boundary at the next look and at none before.
    fn beyond(&self, share: f64, z: f64) -> f64 {
        let (at, step) = (z * share.sqrt(), (share - self.share).sqrt());
        self.over(|s| normal_cdf((s - at) / step))
    }

    /// The mean over where the statistic is.
    fn over(&self, of: impl Fn(f64) -> f64) -> f64 {
        if self.density.is_empty() {
            return of(0.0);
        }
        let [low, high] = self.region;
        let step = (high - low) / PANELS as f64;
        simpson(low, high, PANELS, |s| {
            let at = ((s - low) / step).round() as usize;
            self.density[at] * of(s)
        })
    }

    fn go(&mut self, share: f64, z: f64) {
        let (root, step) = (share.sqrt(), (share - self.share).sqrt());
        let region = [if self.two_sided { -z * root } else { -FAR * root }, z * root];
        let width = (region[1] - region[0]) / PANELS as f64;
        let density = |x: f64| self.over(|s| normal_density((x - s) / step) / step);
        let density = (0..=PANELS).map(|at| density(region[0] + width * at as f64)).collect();
        *self = Self { share, region, density, ..*self };
    }
}

fn normal_density(z: f64) -> f64 {
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// The z with this chance above it.
fn quantile(chance: f64) -> f64 {
    bisect(-40.0, 40.0, |z| normal_cdf(-z) > chance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, numbers};

    fn z(values: &[usize], spending: Spending) -> Vec<f64> {
        looks(values, 0.05, Alternative::TwoSided, spending).unwrap().iter().map(|look| look.z).collect()
    }

    fn scipys() -> serde_json::Value {
        serde_json::from_str(include_str!("looks.json")).unwrap()
    }

    #[test]
    fn the_boundaries_are_those_of_another_quadrature() {
        for case in scipys()["boundaries"].as_array().unwrap() {
            let values: Vec<usize> = serde_json::from_value(case["values"].clone()).unwrap();
            let spending: Spending = serde_json::from_value(case["spending"].clone()).unwrap();
            let expected = numbers(&case["z"]);
            assert_eq!(expected.len(), values.len());
            for (found, expected) in z(&values, spending).iter().zip(expected) {
                assert_close(*found, expected, 1e-7);
            }
        }
    }

    #[test]
    fn the_constants_of_pocock_and_of_obrien_and_fleming() {
        for row in scipys()["constants"].as_array().unwrap() {
            let count = row["looks"].as_u64().unwrap() as u32;
            let [pocock, obrien_fleming] = ["pocock", "o_brien_fleming"].map(|key| row[key].as_f64().unwrap());
            let crossed = |z: &dyn Fn(f64) -> f64| {
                let mut path = Path::new(true);
                let mut chance = 0.0;
                for look in 1..=count {
                    let share = f64::from(look) / f64::from(count);
                    chance += 2.0 * path.beyond(share, z(share));
                    path.go(share, z(share));
                }
                chance
            };
            assert_close(crossed(&|_| pocock), 0.05, 1e-7);
            assert_close(crossed(&|share| obrien_fleming / share.sqrt()), 0.05, 1e-7);
            // Jennison and Turnbull (2000), tables 2.1 and 2.3.
            let published =
                [(2, 2.178, 1.977), (3, 2.289, 2.004), (4, 2.361, 2.024), (5, 2.413, 2.040), (10, 2.555, 2.087)];
            let (_, theirs, his) = published.into_iter().find(|(looks, ..)| *looks == count).unwrap();
            assert_close(pocock, theirs, 5.1e-4);
            assert_close(obrien_fleming, his, 5.1e-4);
        }
    }

    #[test]
    fn one_look_is_an_ordinary_test_and_all_of_alpha_is_spent() {
        for alternative in [Alternative::TwoSided, Alternative::Less] {
            let one = looks(&[30], 0.05, alternative, Spending::Pocock).unwrap();
            assert_close(one[0].alpha, 0.05, 1e-12);
            let three = looks(&[10, 15, 30], 0.01, alternative, Spending::OBrienFleming).unwrap();
            assert_close(three[2].spent, 0.01, 1e-15);
            assert!(three.windows(2).all(|pair| pair[0].alpha < pair[1].alpha), "{three:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            looks(&[20, 20], 0.05, Alternative::Less, Spending::Pocock).unwrap_err().to_string(),
            "`looks`: the looks [20, 20] do not grow from at least 1; give the number of values at each look: \
             `looks = [20, 40, 60]`"
        );
        assert!(looks(&[], 0.05, Alternative::Less, Spending::Pocock).is_err());
        assert!(looks(&[0, 2], 0.05, Alternative::Less, Spending::Pocock).is_err());
        assert!(looks(&[2], 1.0, Alternative::Less, Spending::Pocock).unwrap_err().to_string().contains("alpha is 1"));
    }
}

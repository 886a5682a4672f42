//! A set of verdicts; each family is corrected for its number of claims.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Correction, Verdict};
use crate::error::Result;
use crate::fmt::short;

/// Verdicts that are reported together.
///
/// Claims of one family are corrected together; claims without a family form their own. A claim's own comparisons are
/// applied first: the correction gets its p-value times their number, and compares the result with the undivided α.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Suite {
    verdicts: Vec<Verdict>,
    correction: Correction,
}

/// One claim of a suite after correction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Corrected {
    /// The family it was corrected with.
    pub family: Option<String>,
    /// What is claimed.
    pub statement: String,
    /// The p-value of its test times its own comparisons, at most 1.
    pub p_value: f64,
    /// The same, after correction for the other claims of the family.
    pub p_adjusted: f64,
    /// The claim's own α.
    pub alpha: f64,
    /// Whether the claim holds after correction.
    pub holds: bool,
}

impl Suite {
    /// An empty suite that corrects by Holm's method.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the correction.
    #[must_use]
    pub fn correction(mut self, correction: Correction) -> Self {
        self.correction = correction;
        self
    }

    /// Adds a verdict.
    pub fn push(&mut self, verdict: Verdict) {
        self.verdicts.push(verdict);
    }

    /// The verdicts, in the order they were added.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Every claim as (statement, p, adjusted p, holds), in the order of [`Suite::rows`].
    ///
    /// # Errors
    ///
    /// As [`Suite::rows`].
    pub fn corrected(&self) -> Result<Vec<(String, f64, f64, bool)>> {
        Ok(self.rows()?.into_iter().map(|row| (row.statement, row.p_value, row.p_adjusted, row.holds)).collect())
    }

    /// Every claim after correction: claims without a family first, then the families by name, each in the order of
    /// addition.
    ///
    /// # Errors
    ///
    /// [`Error::Statistics`](crate::error::Error::Statistics) if a verdict read from a file has an invalid p-value.
    pub fn rows(&self) -> Result<Vec<Corrected>> {
        let mut rows = self.by_verdict()?;
        // Stable: the order of addition stays within a family.
        rows.sort_by(|a, b| a.family.cmp(&b.family));
        Ok(rows)
    }

    /// Every claim after correction, in the order of addition.
    ///
    /// # Errors
    ///
    /// As [`Suite::rows`].
    pub fn by_verdict(&self) -> Result<Vec<Corrected>> {
        let mut families: BTreeMap<&Option<String>, Vec<usize>> = BTreeMap::new();
        for (at, verdict) in self.verdicts.iter().enumerate() {
            families.entry(&verdict.claim.family).or_default().push(at);
        }
        let mut rows: Vec<Option<Corrected>> = vec![None; self.verdicts.len()];
        for family in families.into_values() {
            let p_values: Vec<f64> = family.iter().map(|at| own_p(&self.verdicts[*at])).collect();
            let adjusted = self.correction.adjust(&p_values)?;
            for (at, (p, adjusted)) in family.into_iter().zip(p_values.into_iter().zip(adjusted)) {
                rows[at] = Some(row(&self.verdicts[at], p, adjusted));
            }
        }
        Ok(rows.into_iter().flatten().collect())
    }
}

/// The p-value after the claim's own comparisons. An invalid one stays invalid, so that the correction names it.
fn own_p(verdict: &Verdict) -> f64 {
    let p_value = verdict.p_value * verdict.claim.comparisons as f64;
    if p_value > 1.0 && verdict.p_value <= 1.0 { 1.0 } else { p_value }
}

fn row(verdict: &Verdict, p_value: f64, p_adjusted: f64) -> Corrected {
    let claim = &verdict.claim;
    Corrected {
        family: claim.family.clone(),
        statement: claim.statement.clone(),
        p_value,
        p_adjusted,
        alpha: claim.alpha,
        // Up to rounding, as for a single claim.
        holds: p_adjusted <= claim.alpha * (1.0 + 1e-12),
    }
}

impl FromIterator<Verdict> for Suite {
    fn from_iter<I: IntoIterator<Item = Verdict>>(verdicts: I) -> Self {
        Self { verdicts: verdicts.into_iter().collect(), correction: Correction::default() }
    }
}

impl Extend<Verdict> for Suite {
    fn extend<I: IntoIterator<Item = Verdict>>(&mut self, verdicts: I) {
        self.verdicts.extend(verdicts);
    }
}

impl fmt::Display for Suite {
    /// A table of verdict, p, adjusted p, family and claim; the last line names the correction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = match self.rows() {
            Ok(rows) => rows,
            Err(error) => return write!(f, "{error}"),
        };
        let width = rows
            .iter()
            .filter_map(|row| row.family.as_ref())
            .map(|name| name.chars().count())
            .max()
            .unwrap_or(0)
            .max(6);
        writeln!(f, "{:<13}  {:>8}  {:>8}  {:<width$}  claim", "", "p", "adjusted", "family")?;
        for row in &rows {
            let (family, holds) =
                (row.family.as_deref().unwrap_or("-"), if row.holds { "holds" } else { "does not hold" });
            let (p_value, p_adjusted) = (short(row.p_value), short(row.p_adjusted));
            writeln!(f, "{holds:<13}  {p_value:>8}  {p_adjusted:>8}  {family:<width$}  {}", row.statement)?;
        }
        let holding = rows.iter().filter(|row| row.holds).count();
        write!(f, "{holding} of {} claims hold, corrected within each family by {}", rows.len(), self.correction)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ground::testing::assert_close;
    use super::super::{Claim, IntoSample, Null};
    use super::*;

    fn verdict(statement: &str, family: Option<&str>, p_value: f64) -> Verdict {
        let claim = Claim { statement: statement.into(), family: family.map(Into::into), ..Claim::default() };
        let judged = claim.judge([0.1, 0.2].into_sample().unwrap(), Null::Value(0.0)).unwrap();
        Verdict { p_value, ..judged }
    }

    #[test]
    fn families_are_corrected_separately() {
        let verdicts =
            [("a", Some("heads"), 0.04), ("b", Some("heads"), 0.01), ("c", Some("heads"), 0.03), ("d", None, 0.04)];
        let suite: Suite = verdicts.map(|(statement, family, p)| verdict(statement, family, p)).into_iter().collect();
        let corrected = suite.corrected().unwrap();
        let expected = [("d", 0.04, true), ("a", 0.06, false), ("b", 0.03, true), ("c", 0.06, false)];
        for ((statement, _, adjusted, holds), expected) in corrected.iter().zip(expected) {
            assert_eq!((statement.as_str(), *holds), (expected.0, expected.2));
            assert_close(*adjusted, expected.1, 1e-15);
        }
        let looser = suite.correction(Correction::BenjaminiHochberg).corrected().unwrap();
        assert!(looser.iter().all(|row| row.3));
    }

    #[test]
    fn a_claims_own_comparisons_count() {
        let mut searched = verdict("best of ten heads", None, 0.004);
        searched.claim.comparisons = 10;
        let mut suite = Suite::new();
        suite.extend([searched.clone()]);
        assert!(suite.corrected().unwrap()[0].3);
        suite.push(searched);
        assert_close(suite.corrected().unwrap()[0].2, 0.08, 1e-15);
    }

    #[test]
    fn the_table_is_readable() {
        let suite: Suite =
            [verdict("it copies", Some("heads"), 0.01), verdict("it moves", None, 0.5)].into_iter().collect();
        let expected = "                      p  adjusted  family  claim\n\
                        does not hold       0.5       0.5  -       it moves\n\
                        holds              0.01      0.01  heads   it copies\n\
                        1 of 2 claims hold, corrected within each family by Holm";
        assert_eq!(suite.to_string(), expected);
    }

    #[test]
    fn an_invalid_p_value_is_named() {
        let suite: Suite = [verdict("it copies", None, f64::NAN)].into_iter().collect();
        assert_eq!(
            suite.corrected().unwrap_err().to_string(),
            "`multiplicity`: `p_values[0]` is NaN; give p-values between 0 and 1"
        );
        assert!(Suite::new().corrected().unwrap().is_empty());
    }
}

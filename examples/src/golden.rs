//! A published result beside ours, with a verdict that the numbers decide.

use std::fmt;

/// The rows *published | ours | verdict* of one result.
#[derive(Debug)]
pub struct Golden {
    title: String,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: String,
    published: String,
    ours: String,
    rule: String,
    holds: bool,
}

/// What a number must be for the published result to be reproduced.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// This far from a number at most.
    Near(f64, f64),
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Between the two, ends included.
    Between(f64, f64),
}

impl Expect {
    fn holds(self, ours: f64) -> bool {
        match self {
            Self::Near(value, tolerance) => (ours - value).abs() <= tolerance,
            Self::AtLeast(least) => ours >= least,
            Self::AtMost(most) => ours <= most,
            Self::Between(low, high) => (low..=high).contains(&ours),
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Near(value, tolerance) => write!(f, "{} ± {}", short(*value), short(*tolerance)),
            Self::AtLeast(least) => write!(f, "≥ {}", short(*least)),
            Self::AtMost(most) => write!(f, "≤ {}", short(*most)),
            Self::Between(low, high) => write!(f, "{} to {}", short(*low), short(*high)),
        }
    }
}

impl Golden {
    /// A table without rows.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new() }
    }

    /// Adds a number. A number that is not finite holds nothing.
    #[must_use]
    pub fn row(mut self, what: impl Into<String>, published: impl Into<String>, ours: f64, expect: Expect) -> Self {
        let (ours, holds) = (short(ours), expect.holds(ours));
        self.rows.push(Row { what: what.into(), published: published.into(), ours, rule: expect.to_string(), holds });
        self
    }

    /// Whether every row holds.
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.holds)
    }
}

impl fmt::Display for Golden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = |row: &Row| [row.what.clone(), row.published.clone(), row.ours.clone(), row.rule.clone()];
        let heads = ["", "published", "ours", "holds if"].map(str::to_owned);
        let table: Vec<[String; 4]> = std::iter::once(heads).chain(self.rows.iter().map(cells)).collect();
        let widths: Vec<usize> =
            (0..4).map(|at| table.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
        writeln!(f, "{}", self.title)?;
        let verdicts =
            std::iter::once("verdict").chain(self.rows.iter().map(|row| if row.holds { "yes" } else { "NO" }));
        for (row, verdict) in table.iter().zip(verdicts) {
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "{cell:<width$}  ")?;
            }
            writeln!(f, "{verdict}")?;
        }
        Ok(())
    }
}

/// Four significant digits, in powers of ten where that is shorter.
fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_decide() {
        let good = Golden::new("t").row("loss", "2.4e-7", 1e-6, Expect::AtMost(1e-4));
        assert!(good.holds());
        assert_eq!(
            good.to_string(),
            "t\n      published  ours     holds if   verdict\nloss  2.4e-7     1.00e-6  ≤ 1.00e-4  yes\n"
        );
        for (ours, expect) in
            [(2.0, Expect::Near(1.0, 0.5)), (0.5, Expect::AtLeast(1.0)), (6.0, Expect::Between(3.0, 5.0))]
        {
            assert!(!Golden::new("t").row("x", "1", ours, expect).holds());
        }
        assert!(!Golden::new("t").row("x", "1", f64::NAN, Expect::AtMost(1.0)).holds());
    }
}

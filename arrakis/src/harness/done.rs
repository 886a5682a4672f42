//! The claims that were run, and their table.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hypothesis::{Corrected, Stability, Suite, Verdict};
use crate::runtime::Case;

/// A claim that was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Done {
    /// The path of its function.
    pub(super) name: String,
    /// Whether it is false and must be rejected.
    pub(super) rejected: bool,
    /// The verdict with its repeats, or why there is none.
    pub(super) judged: Result<(Verdict, Vec<Stability>), String>,
    pub(super) took: Duration,
}

impl Done {
    /// Runs a claim.
    pub(super) fn of(case: &Case, took: impl FnOnce() -> Duration) -> Self {
        let judged = case.judge();
        Self { name: case.path(), rejected: case.is_rejected(), judged, took: took() }
    }

    /// Why the claim fails by itself.
    pub(super) fn failure(&self) -> Option<String> {
        match (&self.judged, self.rejected) {
            (Err(message), _) => Some(message.clone()),
            (Ok((verdict, _)), false) if !verdict.holds => Some(format!("the claim does not hold\n{verdict}")),
            (Ok((verdict, _)), true) if verdict.holds => {
                Some(format!("the claim is expected to be rejected, and it holds\n{verdict}"))
            }
            _ => None,
        }
    }

    /// The verdict and its repeats as text.
    pub(super) fn text(&self) -> String {
        match &self.judged {
            Ok((verdict, stability)) => {
                let more = stability.iter().fold(String::new(), |text, one| text + "\n  " + &one.to_string());
                format!("{verdict}{more}")
            }
            Err(message) => message.clone(),
        }
    }
}

/// All claims that were run, of so many.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) done: Vec<Done>,
    pub(super) all: usize,
}

impl Finished {
    fn judged(&self) -> impl Iterator<Item = (&Done, &Verdict)> {
        self.done.iter().filter_map(|done| Some((done, &done.judged.as_ref().ok()?.0)))
    }

    fn suite(&self) -> Suite {
        self.judged().map(|(_, verdict)| verdict.clone()).collect()
    }

    /// Claims that hold by themselves and not in their family, with their rows.
    pub(super) fn lost(&self) -> Vec<(&Done, Corrected)> {
        let rows = self.suite().by_verdict().unwrap_or_default();
        let both = self.judged().zip(rows);
        let lost = both.filter(|((done, verdict), row)| !done.rejected && verdict.holds && !row.holds);
        lost.map(|((done, _), row)| (done, row)).collect()
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.judged().next().is_none() {
            return Ok(());
        }
        writeln!(f, "{}", self.suite())?;
        if self.done.len() < self.all {
            let (run, all) = (self.done.len(), self.all);
            writeln!(f, "{run} of {all} claims were run: a family is corrected for those of it that were run")?;
        }
        for done in self
            .judged()
            .map(|(done, _)| done)
            .filter(|done| done.judged.as_ref().is_ok_and(|(_, more)| !more.is_empty()))
        {
            writeln!(f, "{}: {}", done.name, done.text())?;
        }
        for (done, row) in self.lost() {
            let family = row.family.as_deref().unwrap_or("-");
            writeln!(f, "{} holds alone, and not in its family `{family}`", done.name)?;
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::{Claim, IntoSample as _, Null, Test};

    fn done(name: &str, p_value: f64, rejected: bool) -> Done {
        let claim = Claim {
            statement: format!("{name} moves it"),
            family: Some("heads".into()),
            test: Test::OneSampleT,
            ..Claim::default()
        };
        let judged = claim.judge([0.1, 0.2, 0.4].into_sample().unwrap(), Null::Value(0.0)).unwrap();
        let verdict = Verdict { p_value, holds: p_value <= 0.05, ..judged };
        Done { name: name.into(), rejected, judged: Ok((verdict, Vec::new())), took: Duration::from_millis(1500) }
    }

    #[test]
    fn a_claim_can_be_lost_in_its_family() {
        let finished =
            Finished { done: vec![done("a", 0.03, false), done("b", 0.04, false), done("c", 0.9, true)], all: 4 };
        let lost: Vec<&str> = finished.lost().iter().map(|(done, _)| done.name.as_str()).collect();
        assert_eq!(lost, ["a", "b"]);
        let text = finished.to_string();
        assert!(text.contains("3 of 4 claims were run"), "{text}");
        assert!(text.contains("a holds alone, and not in its family `heads`"), "{text}");
        let alone = Finished { done: vec![done("a", 0.03, false)], all: 1 };
        assert!(alone.lost().is_empty() && !alone.to_string().contains("were run"));
    }

    #[test]
    fn a_false_claim_passes_by_being_rejected() {
        assert_eq!(done("a", 0.5, true).failure(), None);
        assert!(done("a", 0.01, true).failure().unwrap().starts_with("the claim is expected to be rejected"));
        assert!(
            done("a", 0.5, false).failure().unwrap().starts_with("the claim does not hold\ndoes not hold: a moves it")
        );
    }
}

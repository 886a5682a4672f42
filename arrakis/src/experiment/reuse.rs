//! Records whose result can be used instead of running the function again.

use std::fmt;

use super::{Freshness, Outcome, Record, Sources, Store};
use crate::error::Result;

/// When a recorded result is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// While every source of the package, its lock file, the toolchain and the files that the run read are as they were.
    #[default]
    Fresh,
    /// While the function, the tracked helpers that the run used, the toolchain and the files that it read are as they were. Helpers that are not
    /// tracked may have changed.
    Tracked,
}

impl Reuse {
    /// Whether a record of this freshness is used.
    fn takes(self, freshness: Freshness) -> bool {
        match self {
            Self::Fresh => freshness == Freshness::Fresh,
            Self::Tracked => matches!(freshness, Freshness::Fresh | Freshness::Probably),
        }
    }
}

/// What was found for a call.
pub(crate) enum Earlier {
    /// A run whose result can be used.
    Run(Box<Record>),
    /// The latest run of these inputs, and why its result cannot be used.
    Refused(Box<Record>, String),
    /// The function did not run with these inputs, or did not return.
    None,
}

impl Store {
    /// The latest run with the inputs of a call that is about to begin, by its record so far.
    pub(crate) fn earlier(&self, call: &Record, reuse: Reuse, sources: &Sources) -> Result<Earlier> {
        let begins = format!("{}-", call.version_of_inputs());
        let of_call = |path: &std::path::PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&begins))
        };
        let mut refused = Earlier::None;
        // Names sort by time.
        for path in self.files(&call.name)?.into_iter().filter(of_call).rev() {
            let Ok(record) = Self::read(&path) else { continue };
            if record.function != call.function || !matches!(record.outcome, Outcome::Ok(_)) {
                continue;
            }
            match why_not(call, &record, reuse, sources) {
                None => return Ok(Earlier::Run(Box::new(record))),
                Some(why) if matches!(refused, Earlier::None) => refused = Earlier::Refused(Box::new(record), why),
                Some(_) => {}
            }
        }
        Ok(refused)
    }
}

/// Why the result of a run cannot be used for a call; `None` if it can.
fn why_not(call: &Record, record: &Record, reuse: Reuse, sources: &Sources) -> Option<String> {
    if let Some(problem) = record.problems.first() {
        return Some(format!("it has a problem: {problem}"));
    }
    let data = sources.assess_data(record);
    if is_of_the_same_build(call, record) && data.causes.is_empty() {
        return None;
    }
    if call.features != record.features {
        return Some(format!("it had the features {} and not {}", Listed(&record.features), Listed(&call.features)));
    }
    let assessment = sources.assess_without_model(record);
    if reuse.takes(assessment.freshness) {
        return None;
    }
    let causes: Vec<String> = assessment.causes.iter().map(ToString::to_string).collect();
    Some(format!("it is {}: {}", assessment.freshness, causes.join("; ")))
}

/// Whether everything that a program is made of is equal, so that no source has to be read.
fn is_of_the_same_build(call: &Record, record: &Record) -> bool {
    call.sources.is_some()
        && (&call.sources, &call.lock, &call.features, &call.versions)
            == (&record.sources, &record.lock, &record.features, &record.versions)
}

struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("none") } else { f.write_str(&self.0.join(", ")) }
    }
}

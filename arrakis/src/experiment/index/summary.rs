//! The versions of an experiment in one small file, for a folder that did not change since it was written.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use arrakis_models::files::write_whole;

use super::super::Version;
use super::{Head, line};

/// The name of the file.
pub(super) const FILE: &str = "versions";

/// The functions of an experiment, and its versions by their first run.
#[derive(Debug, Default)]
pub(in crate::experiment) struct Summary {
    /// Path and the experiment's name of each function.
    functions: Vec<(String, String)>,
    /// A line for each version of a function: the version and the function's place in the list.
    body: String,
}

impl Summary {
    /// Of runs, oldest first.
    pub(super) fn of(heads: &[Head<'_>]) -> Self {
        let (mut places, mut seen) = (HashMap::new(), HashSet::new());
        let mut summary = Self::default();
        for head in heads {
            let function = (head.function(), head.name());
            let place = *places.entry(function.clone()).or_insert_with(|| {
                summary.functions.push((function.0.into_owned(), function.1.into_owned()));
                summary.functions.len() - 1
            });
            if seen.insert((place, head.version)) {
                let _ = writeln!(summary.body, "{}\t{place}", head.version);
            }
        }
        summary
    }

    /// Place, path and the experiment's name of each function.
    pub(in crate::experiment) fn functions(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        self.functions.iter().enumerate().map(|(place, (function, name))| (place, function.as_str(), name.as_str()))
    }

    /// The versions of the functions at these places.
    pub(in crate::experiment) fn versions(&self, wanted: impl Fn(usize) -> bool) -> impl Iterator<Item = Version> {
        let wanted: Vec<bool> = (0..self.functions.len()).map(wanted).collect();
        let several = wanted.iter().filter(|wanted| **wanted).count() > 1;
        let mut seen = HashSet::new();
        let found = self.body.lines().filter_map(|line| line.split_once('\t')).filter(move |(version, place)| {
            let place: usize = place.parse().unwrap_or(usize::MAX);
            wanted.get(place) == Some(&true) && (!several || seen.insert(*version))
        });
        found.map(|(version, _)| Version::written(version))
    }

    /// What was kept for a folder in this state. `None` if that is another, or the file is not whole.
    pub(super) fn read(local: &Path, stamp: &str) -> Option<Self> {
        let text = std::fs::read_to_string(local.join(FILE)).ok()?;
        let (rest, sum) = text.strip_prefix(stamp)?.rsplit_once('#')?;
        (sum == sum_of(rest)).then_some(())?;
        let (functions, body) = rest.split_once("\n\n")?;
        let function = |text: &str| {
            let (function, name) = line::whole(text)?.split_once('\t')?;
            Some((line::plain(function).into_owned(), line::plain(name).into_owned()))
        };
        let functions = functions.lines().map(function).collect::<Option<_>>()?;
        Some(Self { functions, body: body.to_owned() })
    }

    /// Keeps it. A file that cannot be written costs time and nothing else.
    pub(super) fn write(&self, local: &Path, stamp: &str) {
        let functions: String =
            self.functions.iter().map(|(function, name)| line::written([function.as_str(), name])).collect();
        let rest = format!("{functions}\n{}", self.body);
        drop(write_whole(&local.join(FILE), format!("{stamp}{rest}#{}", sum_of(&rest))));
    }
}

fn sum_of(text: &str) -> String {
    format!("{:016x}", line::sum(text.as_bytes()))
}

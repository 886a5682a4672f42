//! How fresh a record is, and why.

use std::fmt;

/// Whether a run of today's code would be a run of the same code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// The function, the helpers that it used, the toolchain, all sources of the package, the model and the data are as they were.
    Fresh,
    /// The function, the tracked helpers and the toolchain are as they were, but something else in the package or its lock file
    /// is not: `fresh?`.
    Probably,
    /// The function, a helper that it used, the toolchain, the model or a file that it read is another.
    Stale,
    /// The sources, or files of the model or the data, are not there.
    Unverifiable,
}

impl Freshness {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Probably => "fresh?",
            Self::Stale => "stale",
            Self::Unverifiable => "unverifiable",
        }
    }
}

impl fmt::Display for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How fresh a record is, and why it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// In a word.
    pub freshness: Freshness,
    /// Why it is not fresh.
    pub causes: Vec<Cause>,
}

/// One reason why a record is not fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The text of the function or of a helper is another.
    Code {
        /// Its path.
        path: String,
        /// The file and the lines where it is now: `src/heads.rs:12-30`.
        place: String,
        /// The hash that it had, if it is a helper.
        hash: Option<String>,
        /// Its text now.
        text: String,
    },
    /// The function or a helper is not in its file any more.
    Gone {
        /// Its path.
        path: String,
        /// The file.
        file: String,
    },
    /// The version of a part of the toolchain is another.
    Toolchain {
        /// `rustc`, `burn` or `arrakis`.
        part: String,
        /// The version then.
        before: String,
        /// The version now.
        after: String,
    },
    /// Something in the sources of the package, or of packages that it has by path, is another.
    Package(String),
    /// The lock file is another.
    Lock,
    /// The record was written by a version that did not look at the package.
    NoDigest,
    /// A file of the model is another.
    Model {
        /// The model's name.
        model: String,
        /// The file.
        file: String,
    },
    /// The Hub's repository of the model is at another commit, as far as this machine knows.
    Commit {
        /// The model's name.
        model: String,
        /// The commit then.
        before: String,
        /// The commit now.
        after: String,
    },
    /// A file that the run read is another.
    Data {
        /// The file.
        file: String,
    },
    /// A file of the model or of the data is not there.
    NoFile {
        /// What it is of: the model's name, or `the data`.
        of: String,
        /// The file.
        file: String,
    },
    /// The file of the function is not there.
    NoSources {
        /// The file.
        file: String,
        /// Where it was looked for.
        root: String,
    },
}

impl Cause {
    /// What it makes of a record.
    pub fn freshness(&self) -> Freshness {
        match self {
            Self::Code { .. }
            | Self::Gone { .. }
            | Self::Toolchain { .. }
            | Self::Model { .. }
            | Self::Commit { .. }
            | Self::Data { .. } => Freshness::Stale,
            Self::Package(_) | Self::Lock | Self::NoDigest => Freshness::Probably,
            Self::NoFile { .. } | Self::NoSources { .. } => Freshness::Unverifiable,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code { path, place, .. } => write!(f, "`{path}` was changed: {place}"),
            Self::Gone { path, file } => write!(f, "`{path}` is not in {file} any more"),
            Self::Toolchain { part, before, after } => write!(f, "{part} was {before} and is {after}"),
            Self::Package(package) => {
                write!(f, "a source of `{package}` was changed that is not tracked, or was not used")
            }
            Self::Model { model, file } => write!(f, "the model `{model}` was changed: {file}"),
            Self::Commit { model, before, after } => {
                write!(f, "the model `{model}` was at commit {} and is at {}", digits(before), digits(after))
            }
            Self::Data { file } => write!(f, "the data were changed: {file}"),
            Self::NoFile { of, file } => write!(f, "{file} of {of} is not there"),
            Self::Lock => write!(f, "Cargo.lock was changed"),
            Self::NoDigest => write!(f, "the record has no digest of its package's sources"),
            Self::NoSources { file, root } => write!(f, "{file} is not below {root}; say where with --sources"),
        }
    }
}

/// Enough digits of a commit.
fn digits(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

impl From<Vec<Cause>> for Assessment {
    fn from(causes: Vec<Cause>) -> Self {
        let of = |cause: &Cause| (cause.freshness() == Freshness::Stale, cause.freshness());
        // What is known to be another is stale, whatever cannot be looked at.
        Self { freshness: causes.iter().map(of).max().map_or(Freshness::Fresh, |(_, freshness)| freshness), causes }
    }
}

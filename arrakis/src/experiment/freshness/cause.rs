//! How fresh a record is, and why.

use std::fmt;

/// Whether a run of today's code would be a run of the same code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// The function, the helpers that it used, the toolchain and all sources of the package are as they were.
    Fresh,
    /// The function, the tracked helpers and the toolchain are as they were, but something else in the package or its lock file
    /// is not: `fresh?`.
    Probably,
    /// The function, a helper that it used, or the toolchain is another.
    Stale,
    /// The sources are not there.
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
            Self::Code { .. } | Self::Gone { .. } | Self::Toolchain { .. } => Freshness::Stale,
            Self::Package(_) | Self::Lock | Self::NoDigest => Freshness::Probably,
            Self::NoSources { .. } => Freshness::Unverifiable,
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
            Self::Lock => write!(f, "Cargo.lock was changed"),
            Self::NoDigest => write!(f, "the record has no digest of its package's sources"),
            Self::NoSources { file, root } => write!(f, "{file} is not below {root}; say where with --sources"),
        }
    }
}

impl From<Vec<Cause>> for Assessment {
    fn from(causes: Vec<Cause>) -> Self {
        Self { freshness: causes.iter().map(Cause::freshness).max().unwrap_or(Freshness::Fresh), causes }
    }
}

//! The attributes of an experiment.

use syn::Path;

use crate::options::{self, Attribute};

/// One of the five attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Log,
    Tools,
    Plot,
    Profile,
    Hypothesis,
}

pub(crate) const ALL: [Kind; 5] = [Kind::Log, Kind::Tools, Kind::Plot, Kind::Profile, Kind::Hypothesis];

impl Kind {
    /// Its name and options.
    pub(crate) fn attribute(self) -> &'static Attribute {
        match self {
            Self::Log => &options::LOG,
            Self::Tools => &options::TOOLS,
            Self::Plot => &options::PLOT,
            Self::Profile => &options::PROFILE,
            Self::Hypothesis => &options::HYPOTHESIS,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.attribute().name
    }

    /// Its bit in what the runtime is told. `runtime/call.rs` has the same.
    pub(crate) fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The attribute that a path names, by its last segment.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let last = &path.segments.last()?.ident;
        ALL.into_iter().find(|kind| last == kind.name())
    }
}

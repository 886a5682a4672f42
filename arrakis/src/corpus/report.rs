//! What a pass did.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a pass read and ran. Nothing is left out without being counted here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassReport {
    /// Documents read, blank ones included.
    pub documents: usize,
    /// Documents without a token.
    pub blank: usize,
    /// Documents whose tokens are all skipped by [`Pass::skip_first`](super::Pass::skip_first).
    pub too_short: usize,
    /// Windows run.
    pub windows: usize,
    /// Tokens counted.
    pub tokens: usize,
    /// Tokens run as context only: overlaps and skipped ones.
    pub context: usize,
    /// Padding that was run.
    pub padding: usize,
    /// Forward passes.
    pub forwards: usize,
    /// Whether the corpus was read to its end; `false` after a limit.
    pub whole: bool,
}

impl fmt::Display for PassReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.whole { "the whole corpus" } else { "up to the limit" };
        write!(f, "{} tokens of {} documents ({end}) in {} forwards", self.tokens, self.documents, self.forwards)?;
        let aside = [
            (self.blank, "blank documents"),
            (self.too_short, "documents too short to count"),
            (self.context, "tokens of context"),
            (self.padding, "tokens of padding"),
        ];
        aside.iter().filter(|(count, _)| *count > 0).try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}

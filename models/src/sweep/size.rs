//! How many cases one forward holds.

use super::group::Group;
use crate::model::HookedTransformer;
use crate::tokens::Tokens;

/// The size of a sweep's forwards. It depends on the model, the prompt and the sweep's settings, and not on the machine, so
/// that all shards of a sweep have the same groups.
pub(super) struct Size<'a> {
    pub(super) model: &'a HookedTransformer,
    pub(super) tokens: &'a Tokens,
    pub(super) last_only: bool,
    /// The limit that was set.
    pub(super) limit: Option<usize>,
}

impl Size<'_> {
    /// Cases in a forward that starts at a position: at least one. A limit that was set counts the kept positions too.
    pub(super) fn cases(&self, from: usize) -> usize {
        let (rows, pos) = (self.tokens.batch(), self.tokens.pos());
        let cases = match self.limit {
            Some(limit) => limit / (rows * pos),
            None => self.model.rows_per_forward(pos - from, pos, self.last_only) / rows,
        };
        cases.max(1)
    }

    /// The group in parts that the memory that is left holds. A row has the same bits beside any others.
    pub(super) fn that_fit(&self, group: Group) -> Vec<Group> {
        let (rows, pos, from) = (self.tokens.batch(), self.tokens.pos(), group.from_position);
        let fit = self.model.rows_that_fit(group.cases.len() * rows, pos - from, pos, self.last_only);
        group.in_parts(fit / rows)
    }
}

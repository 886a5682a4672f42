//! The bindings that a path through a body has met.

use std::collections::{BTreeMap, BTreeSet};

/// The bindings so far, by name.
#[derive(Clone, Default)]
pub(super) struct Seen {
    /// Those that have run.
    pub(super) sure: BTreeMap<String, Vec<usize>>,
    /// Names of which one may have run.
    pub(super) maybe: BTreeSet<String>,
}

impl Seen {
    /// What is seen after one of several branches ran.
    pub(super) fn joined(branches: Vec<Self>) -> Self {
        let mut branches = branches.into_iter();
        let mut joined = branches.next().unwrap_or_default();
        for branch in branches {
            let names = joined.sure.keys().chain(branch.sure.keys());
            joined.maybe.extend(names.filter(|name| joined.sure.get(*name) != branch.sure.get(*name)).cloned());
            joined.maybe.extend(branch.maybe.iter().cloned());
            for (name, numbers) in &mut joined.sure {
                numbers.retain(|number| branch.sure.get(name).is_some_and(|other| other.contains(number)));
            }
        }
        joined.sure.retain(|_, numbers| !numbers.is_empty());
        joined
    }
}

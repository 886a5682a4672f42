//! Where a measured value comes from: the place it belongs to, the search that chose the place, and the prompts of both.
//!
//! The best of many places is large by chance on the prompts that chose it. A score table therefore tells each score that
//! it ranks how many places it was compared with and on which prompts; a sample of that place carries this as its
//! [`Origin`], and [`Claim::judge`](super::Claim::judge) counts the comparisons unless the prompts are others.

mod facing;
mod noted;

use serde::{Deserialize, Serialize};

pub(crate) use noted::Noted;

/// A search over places for one that stands out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// The number of places that were compared.
    pub places: usize,
    /// What was searched for: `highest`, `lowest`, `furthest from 0`.
    pub by: String,
    /// The ids of the prompts that the places were compared on; empty if they are not known.
    #[serde(default)]
    pub prompts: Vec<String>,
}

/// The place and the prompts of a measured sample. A verdict keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The place, such as `L9H6`.
    pub place: String,
    /// The search that chose the place; `None` if the place was named before anything was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// The ids of the prompts that it was measured on; empty if they are not known.
    #[serde(default)]
    pub prompts: Vec<String>,
}

impl Origin {
    /// How many prompts both chose the place and measured it; `None` if the prompts of one of them are not known.
    pub fn shared(&self) -> Option<usize> {
        let search = self.search.as_ref()?;
        let known = !search.prompts.is_empty() && !self.prompts.is_empty();
        known.then(|| self.prompts.iter().filter(|id| search.prompts.contains(id)).count())
    }

    /// The search, if it may have seen a prompt that the value was measured on: chance then favours the place.
    pub fn selected(&self) -> Option<&Search> {
        self.search.as_ref().filter(|search| search.places > 1 && self.shared() != Some(0))
    }
}

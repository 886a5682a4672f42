//! One case of a sweep: its edits, and where its forward must start.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::hooks::{Edit, SitePattern};
use crate::site::{Place, SiteTable};

/// A labelled set of edits that are applied together. It can be serialised if all of them are interventions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepCase {
    /// Its name in results.
    pub label: String,
    /// Sites and edits, in the order they apply.
    pub edits: Vec<(SitePattern, Edit)>,
}

impl SweepCase {
    /// A case with one edit, at one site or at all sites that fit a pattern.
    pub fn new(label: impl Into<String>, site: impl Into<SitePattern>, edit: impl Into<Edit>) -> Self {
        Self { label: label.into(), edits: Vec::new() }.and(site, edit)
    }

    /// The same case with one more edit.
    #[must_use]
    pub fn and(mut self, site: impl Into<SitePattern>, edit: impl Into<Edit>) -> Self {
        self.edits.push((site.into(), edit.into()));
        self
    }

    /// The case as JSON, from which another process can run it. `device` is named in errors: it holds the case's
    /// tensors.
    ///
    /// # Errors
    ///
    /// [`Error::ClosureEdit`] for the first closure, [`Error::Device`] when a tensor cannot be read.
    pub(super) fn to_json(&self, device: &str) -> Result<String> {
        for (_, edit) in &self.edits {
            if let Edit::Closure(closure) = edit {
                return Err(Error::ClosureEdit { edit: closure.name().to_owned() });
            }
        }
        let unread = |error: serde_json::Error| Error::Device { device: device.to_owned(), problem: error.to_string() };
        serde_json::to_string(self).map_err(unread)
    }

    /// The first block that any edit touches, and the edited site if there is only one.
    pub(super) fn start<'a>(&'a self, known: &mut Known<'a>, table: &SiteTable) -> Result<Start> {
        let mut sites = Vec::new();
        for (pattern, _) in &self.edits {
            sites.extend_from_slice(known.select(pattern)?);
        }
        let layer = |site: &String| match table.place(site) {
            (Place::Before, _) => None,
            (Place::Block, Some(layer)) if table.is_before_entry(site) => layer.checked_sub(1),
            (Place::Block, layer) => layer,
            (Place::After, _) => Some(usize::MAX),
        };
        let layers: BTreeSet<Option<usize>> = sites.iter().map(layer).collect();
        let layer = layers.first().copied().flatten();
        let only = match (sites.as_slice(), self.edits.len()) {
            ([site], 1) if table.is_replaceable(site) => Some(site.clone()),
            _ => None,
        };
        Ok(Start { layer, one_layer: layers.len() == 1, only })
    }
}

/// The sites of a model, and what the patterns of earlier cases select of them: cases often have the same.
pub(super) struct Known<'a> {
    sites: Vec<String>,
    selected: BTreeMap<&'a str, Vec<String>>,
}

impl<'a> Known<'a> {
    pub(super) fn new(sites: Vec<String>) -> Self {
        Self { sites, selected: BTreeMap::new() }
    }

    fn select(&mut self, pattern: &'a SitePattern) -> Result<&[String]> {
        Ok(match self.selected.entry(pattern.as_str()) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => place.insert(pattern.select(self.sites.iter().map(String::as_str))?),
        })
    }
}

/// Where a case starts.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// The block; `None` for the embedding, `usize::MAX` for sites after the blocks.
    pub(super) layer: Option<usize>,
    /// Whether all sites it edits are there.
    pub(super) one_layer: bool,
    /// The only site it edits. The clean tensor there tells what the edit changes.
    pub(super) only: Option<String>,
}

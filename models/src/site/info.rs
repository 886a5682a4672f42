//! One row of the table: everything that is true of a site in any layer.

use std::cmp::Ordering;
use std::fmt;

use super::axis::{Axis, Extent, list};
use crate::config::TransformerConfig;

/// Where in a forward a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Before the blocks.
    Before,
    /// Once in each block.
    Block,
    /// After the blocks.
    After,
}

/// One hook point, for any layer.
#[derive(Clone, Copy)]
pub struct SiteInfo {
    /// Name inside a block, or in the whole model. A `*` stands for the number of an expert.
    pub name: &'static str,
    /// Its axes.
    pub axes: &'static [Axis],
    /// Where it is.
    pub place: Place,
    /// Whether it is a side computation that the forward does not read. A prepared tensor cannot replace it.
    pub side: bool,
    /// Whether -inf in its tensor masks attention. Attention is knocked out at such a site.
    pub masks: bool,
    /// Whether an architecture has it.
    pub present: fn(&TransformerConfig) -> bool,
    /// Its other names inside a block or model, without TransformerLens's `hook_`.
    pub aliases: &'static [&'static str],
    /// What the tensor is.
    pub meaning: &'static str,
}

impl SiteInfo {
    /// A row that every architecture has.
    pub(super) const fn new(name: &'static str, place: Place, axes: &'static [Axis], meaning: &'static str) -> Self {
        Self { name, axes, place, side: false, masks: false, present: |_| true, aliases: &[], meaning }
    }

    /// Present only where the configuration says so.
    pub(super) const fn when(self, present: fn(&TransformerConfig) -> bool) -> Self {
        Self { present, ..self }
    }

    /// With aliases.
    pub(super) const fn known_as(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Computed beside the forward.
    pub(super) const fn beside(self) -> Self {
        Self { side: true, ..self }
    }

    /// Where -inf masks attention.
    pub(super) const fn masking(self) -> Self {
        Self { masks: true, ..self }
    }

    /// Whether it occurs once per block.
    pub fn in_block(&self) -> bool {
        self.place == Place::Block
    }

    /// Whether it occurs once per expert of a block.
    pub fn per_expert(&self) -> bool {
        self.name.contains('*')
    }

    /// The module it is in: `attn` for `attn.z`.
    pub(super) fn module(&self) -> Option<&'static str> {
        self.name.rsplit_once('.').map(|(module, _)| module)
    }

    /// The last segment of its name: `z` for `attn.z`.
    pub(super) fn last(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// The pattern that selects it in every layer: `blocks.*.attn.z`.
    pub fn pattern(&self) -> String {
        if self.in_block() { format!("blocks.*.{}", self.name) } else { self.name.to_owned() }
    }

    /// Its axes as a listing shows them: `[b, p, m]`.
    pub fn axes_listed(&self) -> String {
        list(self.axes)
    }

    /// The length of each axis.
    pub fn dims(&self, config: &TransformerConfig, extent: Extent) -> Vec<usize> {
        self.axes.iter().map(|axis| axis.length(config, extent)).collect()
    }
}

impl fmt::Debug for SiteInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SiteInfo({} {})", self.name, self.axes_listed())
    }
}

impl PartialEq for SiteInfo {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for SiteInfo {}

impl PartialOrd for SiteInfo {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SiteInfo {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(other.name)
    }
}

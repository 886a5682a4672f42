//! Where in a model and a sequence a tensor is met.

use super::rows::Rows;
use crate::site::{Axes, BUILT_IN, SiteTable, layer_of};

/// Where an edit fires.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The full name of the site.
    pub site: &'a str,
    /// The position in the sequence of this forward's first token. It is not 0 while decoding with a cache.
    pub offset: usize,
    /// The tokens of this forward, if the model runs on tokens.
    pub rows: Option<&'a Rows>,
    /// Every site of the model, with its axes.
    pub table: &'a SiteTable,
}

impl<'a> At<'a> {
    /// A site of no model in particular, in a sequence from its start on, whose tokens are not known.
    pub fn new(site: &'a str) -> Self {
        Self { site, offset: 0, rows: None, table: &BUILT_IN }
    }

    /// Which axis of a tensor of these dims is which.
    pub(in crate::hooks) fn axes(&self, dims: &[usize]) -> Axes {
        self.table.roles(self.site, dims.len())
    }

    /// The rows, if the tensor has one for each.
    pub(in crate::hooks) fn rows_of(&self, dims: &[usize]) -> Option<&'a Rows> {
        self.rows.filter(|rows| dims.first() == Some(&rows.len()))
    }

    /// The block the site is in, if it is in one.
    pub fn layer(&self) -> Option<usize> {
        layer_of(self.site)
    }
}

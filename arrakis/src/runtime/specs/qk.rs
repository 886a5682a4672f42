//! `qk`: the attention scores of every head before the softmax, tokens on both axes.

use super::attention::by_layer;
use super::captured::Captured;
use super::spec::{PlotSpec, Spec};
use super::takes::Takes;
use crate::error::Result;
use crate::plot::Panel;

/// One panel for each layer, with every head.
pub(super) struct Qk;

impl Spec for Qk {
    fn sites(&self) -> &'static [&'static str] {
        &["blocks.*.attn.scores"]
    }

    fn takes(&self) -> Takes {
        Takes::Attention
    }

    fn options(&self) -> &'static [&'static str] {
        &["heads"]
    }

    fn panels(&self, asked: &PlotSpec, run: &Captured<'_>) -> Result<Vec<Panel>> {
        by_layer(asked, run, "attention score (nats)")
    }
}

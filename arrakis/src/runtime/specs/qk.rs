//! `qk`: the attention scores of every head before the softmax, tokens on both axes.

use arrakis_models::site::Axis;

use super::attention::{AXES, LISTED, by_layer};
use super::captured::Captured;
use super::spec::{PlotSpec, Spec};
use crate::error::Result;
use crate::plot::Panel;

/// One panel for each layer, with every head.
pub(super) struct Qk;

impl Spec for Qk {
    fn sites(&self) -> &'static [&'static str] {
        &["blocks.*.attn.scores"]
    }

    fn draws(&self, axes: &[Axis]) -> bool {
        axes == AXES
    }

    fn axes(&self) -> &'static str {
        LISTED
    }

    fn options(&self) -> &'static [&'static str] {
        &["heads"]
    }

    fn panels(&self, asked: &PlotSpec, run: &Captured<'_>) -> Result<Vec<Panel>> {
        by_layer(asked, run, "attention score (nats)")
    }
}

//! `attention`: the pattern of every head, tokens on both axes.

use super::captured::Captured;
use super::spec::{PlotSpec, Spec};
use super::takes::Takes;
use crate::error::Result;
use crate::plot::{self, Panel};

/// One panel for each layer, with every head.
pub(super) struct Attention;

impl Spec for Attention {
    fn sites(&self) -> &'static [&'static str] {
        &["blocks.*.attn.pattern"]
    }

    fn takes(&self) -> Takes {
        Takes::Attention
    }

    fn options(&self) -> &'static [&'static str] {
        &["heads"]
    }

    fn panels(&self, asked: &PlotSpec, run: &Captured<'_>) -> Result<Vec<Panel>> {
        by_layer(asked, run, "attention weight")
    }
}

/// One panel for each site, with the chosen heads.
pub(super) fn by_layer(asked: &PlotSpec, run: &Captured<'_>, units: &str) -> Result<Vec<Panel>> {
    let names = super::labels::labels(&asked.sites);
    let panel = |(site, name): (&String, &String)| {
        let heads = run.only(site)?.parts();
        let shown = plot::Attention::new(run.texts()).units(units).titled(asked.titled(site));
        let shown = if run.model.config().bidirectional { shown.bidirectional() } else { shown };
        let chosen = asked.chosen_heads(heads.len())?;
        let add = |shown: plot::Attention, head: usize| shown.head(format!("{name}H{head}"), heads[head].rows());
        Ok(chosen.into_iter().fold(shown, add).into())
    };
    asked.sites.iter().zip(&names).map(panel).collect()
}

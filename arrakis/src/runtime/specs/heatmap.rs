//! `heatmap`: the numbers of any site.

use arrakis_models::site::Axis;

use super::array::Array;
use super::captured::Captured;
use super::spec::{PlotSpec, Spec};
use crate::error::Result;
use crate::plot::{Heatmap, Panel};

/// One panel for each site: tokens by the last axis. If a site has heads, one for each head.
pub(super) struct AnySite;

impl Spec for AnySite {
    fn sites(&self) -> &'static [&'static str] {
        &[]
    }

    fn draws(&self, axes: &[Axis]) -> bool {
        heads_of(axes).is_some()
    }

    fn axes(&self) -> &'static str {
        "[b, p, ..], [b, p, h, ..] or [b, h, q, k]"
    }

    fn options(&self) -> &'static [&'static str] {
        &["heads"]
    }

    fn panels(&self, asked: &PlotSpec, run: &Captured<'_>) -> Result<Vec<Panel>> {
        let table = run.model.site_table();
        let mut panels = Vec::new();
        for site in &asked.sites {
            let axes = table.axes(site).unwrap_or_default();
            let last = axes.last().copied().unwrap_or(Axis::One);
            for (head, array) in matrices(asked, axes, run.only(site)?)? {
                let title = asked.titled(site) + &head.map(|head| format!(" H{head}")).unwrap_or_default();
                let map = Heatmap::new(array.rows()).titled(title).rows("token", run.texts());
                let columns = if last == Axis::Key { run.texts() } else { map.columns.clone() };
                panels.push(map.columns(axis_name(last), columns).units(super::labels::inside(site)).into());
            }
        }
        Ok(panels)
    }
}

/// Where the heads of a site are among its axes without the batch.
#[derive(Clone, Copy)]
enum Heads {
    Nowhere,
    At(usize),
}

/// `None` for axes that are not drawn.
fn heads_of(axes: &[Axis]) -> Option<Heads> {
    match axes {
        [Axis::Batch, Axis::Pos, _] => Some(Heads::Nowhere),
        [Axis::Batch, Axis::Pos, Axis::Head | Axis::KvHead, _] => Some(Heads::At(1)),
        [Axis::Batch, Axis::Head, Axis::Query, Axis::Key] => Some(Heads::At(0)),
        _ => None,
    }
}

/// The matrix of each head, or the only matrix.
fn matrices(asked: &PlotSpec, axes: &[Axis], whole: Array) -> Result<Vec<(Option<usize>, Array)>> {
    let Some(Heads::At(axis)) = heads_of(axes) else {
        return match asked.heads {
            Some(_) => Err(asked.refuse("the site has no heads; leave `heads` out")),
            None => Ok(vec![(None, whole)]),
        };
    };
    let heads = asked.chosen_heads(whole.dims[axis])?;
    Ok(heads.into_iter().map(|head| (Some(head), whole.select(axis, &[head]))).collect())
}

fn axis_name(axis: Axis) -> &'static str {
    match axis {
        Axis::Key => "key",
        Axis::Model | Axis::DHead => "dimension",
        Axis::Mlp => "neuron",
        Axis::Expert => "expert",
        Axis::Vocab => "vocabulary",
        Axis::Other { name, .. } => name,
        _ => "",
    }
}

//! `heatmap`: the numbers of any site.

use arrakis_models::site::Axis;

use super::array::Array;
use super::captured::Captured;
use super::spec::{PlotSpec, Spec};
use super::takes::Takes;
use crate::error::Result;
use crate::plot::{Heatmap, Panel};

/// One panel for each site: tokens by the last axis. If a site has heads, one for each head.
pub(super) struct AnySite;

impl Spec for AnySite {
    fn sites(&self) -> &'static [&'static str] {
        &[]
    }

    fn takes(&self) -> Takes {
        Takes::Matrices
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

/// The matrix of each head, or the only matrix.
fn matrices(asked: &PlotSpec, axes: &[Axis], whole: Array) -> Result<Vec<(Option<usize>, Array)>> {
    let heads = axes.iter().skip(1).position(|axis| matches!(axis, Axis::Head | Axis::KvHead));
    let Some(axis) = heads.filter(|_| axes.len() == 4) else {
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
        Axis::Mlp | Axis::Shared => "neuron",
        Axis::Expert => "expert",
        Axis::Vocab => "vocabulary",
        Axis::Other { name, .. } => name,
        _ => "",
    }
}

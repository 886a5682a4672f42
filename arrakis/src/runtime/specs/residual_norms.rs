//! `residual_norms`: how large the residual stream is, at each layer and token.

use super::captured::Captured;
use super::labels::labels;
use super::spec::{PlotSpec, Spec};
use super::takes::Takes;
use crate::error::Result;
use crate::plot::{Heatmap, Panel};

/// `[layer][position]`: the Euclidean norm of each token's vector.
pub(super) struct ResidualNorms;

impl Spec for ResidualNorms {
    fn sites(&self) -> &'static [&'static str] {
        &["blocks.*.resid_post"]
    }

    fn takes(&self) -> Takes {
        Takes::Vectors
    }

    fn panels(&self, asked: &PlotSpec, run: &Captured<'_>) -> Result<Vec<Panel>> {
        let norm = |vector: &Vec<f64>| vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        let title = asked.joint_title("norm of the residual stream");
        let panel = by_token(asked, run, norm)?.titled(title).units("Euclidean norm");
        Ok(vec![panel.into()])
    }
}

/// A number of each token's vector: `[site][position]`.
pub(super) fn by_token(asked: &PlotSpec, run: &Captured<'_>, number: impl Fn(&Vec<f64>) -> f64) -> Result<Heatmap> {
    let row = |site: &String| Ok(run.only(site)?.rows().iter().map(&number).collect());
    let values = asked.sites.iter().map(row).collect::<Result<Vec<Vec<f64>>>>()?;
    Ok(Heatmap::new(values).rows("layer", labels(&asked.sites)).columns("token", run.texts()).sequential())
}

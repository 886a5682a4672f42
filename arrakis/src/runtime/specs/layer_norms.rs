//! `layer_norms`: what each norm divides by, at each token.

use super::captured::Captured;
use super::residual_norms::by_token;
use super::spec::{PlotSpec, Spec};
use super::takes::Takes;
use crate::error::Result;
use crate::plot::Panel;

/// `[norm][position]`: the scale of each norm, in the order of the forward.
pub(super) struct LayerNorms;

impl Spec for LayerNorms {
    fn sites(&self) -> &'static [&'static str] {
        &["*.scale"]
    }

    fn takes(&self) -> Takes {
        Takes::Scales
    }

    fn panels(&self, asked: &PlotSpec, run: &Captured<'_>) -> Result<Vec<Panel>> {
        let title = asked.joint_title("scales of the norms");
        let panel = by_token(asked, run, |scale| scale[0])?.titled(title).units("what the norm divides by");
        Ok(vec![panel.into()])
    }
}

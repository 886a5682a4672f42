//! Vectors of the residual stream, by component.

use arrakis_models::ground::nearest::{did_you_mean, nearest};
use burn::tensor::Tensor;

use super::refuse;
use crate::error::Result;
use crate::tools::Position;
use crate::tools::shared::common;

/// Vectors of the residual stream by component.
#[derive(Clone, Debug)]
pub struct ResidStack {
    /// `embed`, `0_attn_out`, `L3H7`, …, `[component]`.
    pub labels: Vec<String>,
    /// `[component, batch, pos, d_model]`
    pub values: Tensor<4>,
}

impl ResidStack {
    pub(super) fn new(parts: Vec<(String, Tensor<3>)>) -> Self {
        let (labels, values): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        Self { labels, values: Tensor::stack(values, 0) }
    }

    /// The number of components.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no components.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The sum over components, `[batch, pos, d_model]`.
    pub fn sum(&self) -> Tensor<3> {
        self.values.clone().sum_dim(0).squeeze_dim(0)
    }

    /// One component by label, `[batch, pos, d_model]`.
    ///
    /// # Errors
    ///
    /// An unknown label; the error gives the nearest one.
    pub fn component(&self, label: &str) -> Result<Tensor<3>> {
        let index = self.labels.iter().position(|known| known == label);
        let index = index.ok_or_else(|| refuse(self.unknown(label)))?;
        Ok(self.values.clone().narrow(0, index, 1).squeeze_dim(0))
    }

    /// The `k` features of the stream furthest from zero in a component, at one position of one row, furthest first:
    /// pairs of a feature (an index of `d_model`) and its number.
    ///
    /// # Errors
    ///
    /// An unknown label, a row or position out of range. Positions count padding.
    pub fn top_features(
        &self,
        label: &str,
        row: usize,
        position: impl Into<Position>,
        k: usize,
    ) -> Result<Vec<(usize, f64)>> {
        let component = self.component(label)?;
        let [batch, pos, _] = component.dims();
        common::within("row", row, batch)?;
        let position = position.into().index(pos)?;
        let values = common::numbers(component.narrow(0, row, 1).narrow(1, position, 1))?;
        let sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
        Ok(common::largest(&sizes, k).into_iter().map(|feature| (feature, values[feature])).collect())
    }

    fn unknown(&self, label: &str) -> String {
        let nearest = did_you_mean(nearest(label, &self.labels).as_deref(), "");
        format!("no component `{label}`{nearest}")
    }
}

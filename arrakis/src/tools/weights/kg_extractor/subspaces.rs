//! The strongest directions of each head's circuit.

use arrakis_models::HookedTransformer;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::tools::FactoredMatrix;
use crate::tools::shared::{common, finite, vocabulary};

/// The tool's name.
pub(super) const NAME: &str = "kg_extractor";

/// A circuit of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Circuit {
    /// `W_Q W_Kᵀ`: which query matches which key.
    Qk,
    /// `W_V W_O`: what is written of what is read.
    Ov,
}

/// A side of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CircuitSide {
    /// Queries of a QK circuit, what an OV circuit reads.
    Left,
    /// Keys of a QK circuit, what an OV circuit writes.
    Right,
}

/// The strongest directions of a circuit of each head of a layer: `U diag(S) Vᵀ`.
#[derive(Clone, Debug)]
pub struct Subspaces {
    /// The layer.
    pub layer: usize,
    /// The circuit.
    pub circuit: Circuit,
    /// The singular values, largest first: `[head][k]`.
    pub values: Vec<Vec<f64>>,
    /// `U`, with orthonormal columns: `[head, d_model, k]`.
    pub left: Tensor<3>,
    /// `V`, with orthonormal columns: `[head, d_model, k]`.
    pub right: Tensor<3>,
}

impl Subspaces {
    pub(super) fn of(layer: usize, circuit: Circuit, matrices: &FactoredMatrix, k: usize) -> Result<Self> {
        finite::check_weights(NAME, "the norm of a circuit", &matrices.norms()?)?;
        let svd = matrices.svd()?;
        Ok(Self {
            layer,
            circuit,
            values: common::rows(svd.s.narrow(1, 0, k))?,
            left: svd.u.narrow(2, 0, k),
            right: svd.v.narrow(2, 0, k),
        })
    }

    /// Tokens as vectors that one side of the circuit reads or writes, `[token, d_model]`.
    pub(super) fn vectors(&self, model: &HookedTransformer, side: CircuitSide, ids: &[u32]) -> Result<Tensor<2>> {
        match (self.circuit, side) {
            (Circuit::Ov, CircuitSide::Right) => vocabulary::directions(NAME, model, ids),
            _ => Ok(vocabulary::embeddings(model, ids)),
        }
    }

    /// The directions of one side, `[head, d_model, k]`.
    pub fn side(&self, side: CircuitSide) -> &Tensor<3> {
        match side {
            CircuitSide::Left => &self.left,
            CircuitSide::Right => &self.right,
        }
    }

    /// One direction of a head, `[d_model, 1]`.
    ///
    /// # Errors
    ///
    /// A head or a direction out of range.
    pub fn direction(&self, head: usize, direction: usize, side: CircuitSide) -> Result<Tensor<2>> {
        let [heads, d_model, k] = self.side(side).dims();
        common::within("head", head, heads)?;
        common::within("direction", direction, k)?;
        Ok(self.side(side).clone().narrow(0, head, 1).narrow(2, direction, 1).reshape([d_model, 1]))
    }

    /// The circuit of each head cut to its kept directions, in factors: `[head, d_model, d_model]`.
    ///
    /// # Errors
    ///
    /// None for subspaces from [`KgExtractor::subspaces`](super::KgExtractor::subspaces).
    pub fn kept(&self) -> Result<FactoredMatrix> {
        let values: Vec<f32> = self.values.iter().flatten().map(|value| *value as f32).collect();
        let [heads, _, k] = self.left.dims();
        let values = Tensor::<1>::from_floats(values.as_slice(), &self.left.device()).reshape([heads, 1, k]);
        FactoredMatrix::new(self.left.clone() * values, self.right.clone().swap_dims(1, 2))
    }
}

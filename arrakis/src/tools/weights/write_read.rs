//! Which heads write, which heads read, and which head reads which.

mod attention_flow;
mod span;
mod traced;

use arrakis_models::HookedTransformer;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tools::place::{Head, HeadPair};
use crate::tools::shared::composition::{self, Composition};
use crate::tools::shared::finite;
use crate::tools::{FactoredMatrix, Layer, ScoreTable, Tool};

/// How heads write to and read from the residual stream, by their weights, and how information flows between them.
///
/// # What it tells you
///
/// - How strongly each head of a layer writes (`‖W_V W_O‖`) and selects what to read (`‖W_Q W_Kᵀ‖`), and how much of
///   that lies in a subspace of your own.
/// - How much of what the heads of one layer write a later layer's queries, keys and values read.
/// - On a prompt, how far each position can be traced back to the inputs through all patterns ([`WriteRead::rollout`],
///   [`WriteRead::attention_flow`]).
///
/// # How to read it
///
/// - Scores are Frobenius norms, comparable within a model.
/// - A flow is a composition score, between 0 and 1; see [`Composer`](crate::tools::Composer), which has all layers and a
///   random baseline.
///
/// # When it misleads
///
/// - Weights say what could flow, not what flows on a prompt.
/// - Raw weights leave out the norm before the reader. If norm weights vary much, use a processed model (norms folded).
/// - Rollout and flow see patterns alone: neither values nor MLPs, and the residual connection counts as one half.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `rollout`, `attention_flow` | 1 | 0 |
/// | `write_heads`, `read_heads`, `write_heads_into`, `read_heads_from`, `flow`, `ov`, `qk` | 0 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let write_read: WriteRead = Bench::embedded()?.tool()?;
/// let flow = write_read.flow(0, 1)?;
/// for pair in flow.k.top(3) {
///     let (from, to) = (pair.writer, pair.reader);
///     println!("L{}H{} is read by the keys of L{}H{}: {:.2}", from.layer, from.head, to.layer, to.head, pair.value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021; attention rollout and flow: Abnar and Zuidema,
/// <https://arxiv.org/abs/2005.00928>.
#[derive(Clone, Debug)]
pub struct WriteRead {
    model: HookedTransformer,
}

/// How much of the heads' circuits lies in a subspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InSubspace {
    /// The norm of the part inside the subspace, `[1][head]`.
    pub norm: ScoreTable,
    /// `norm` divided by the norm of the whole circuit, between 0 and 1: `[1][head]`. It is 0 for a head that writes
    /// nothing.
    pub share: ScoreTable,
}

/// How heads of one layer compose with those of a later one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Through the reader's query, `[writer][reader]`.
    pub q: ScoreTable<HeadPair>,
    /// Through the reader's key, `[writer][reader]`.
    pub k: ScoreTable<HeadPair>,
    /// Through the reader's value, `[writer][reader]`.
    pub v: ScoreTable<HeadPair>,
    /// The sum of the three, with each writer's row divided by its sum: `[writer][reader]`. The row of a writer that no
    /// head reads is zero.
    pub share: ScoreTable<HeadPair>,
}

impl Tool for WriteRead {
    const NAME: &'static str = "write_read";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl WriteRead {
    /// How strongly the heads of a layer write, `‖W_V W_O‖`: `[1][head]`.
    ///
    /// # Errors
    ///
    /// A layer out of range, weights that are not finite.
    pub fn write_heads(&self, layer: impl Into<Layer>) -> Result<ScoreTable> {
        let layer = self.layer(layer)?;
        norms_of("norm of W_V W_O", layer, self.ov(layer)?.norms()?)
    }

    /// How strongly the heads of a layer select what to read, `‖W_Q W_Kᵀ‖`: `[1][head]`.
    ///
    /// # Errors
    ///
    /// A layer out of range, weights that are not finite.
    pub fn read_heads(&self, layer: impl Into<Layer>) -> Result<ScoreTable> {
        let layer = self.layer(layer)?;
        norms_of("norm of W_Q W_Kᵀ", layer, self.qk(layer)?.norms()?)
    }

    /// How much the heads of a layer write into the span of `directions` (`[n, d_model]`): `[1][head]` of
    /// `‖W_V W_O P‖`, with `P` the projection onto the span.
    ///
    /// # Errors
    ///
    /// A layer out of range, directions of another width, directions that span nothing or are not finite.
    pub fn write_heads_into(&self, layer: impl Into<Layer>, directions: Tensor<2>) -> Result<InSubspace> {
        let layer = self.layer(layer)?;
        self.inside(layer, &self.ov(layer)?, directions)
    }

    /// How much the queries of the heads of a layer read from the span of `directions` (`[n, d_model]`): `[1][head]` of
    /// `‖P W_Q W_Kᵀ‖`, with `P` the projection onto the span.
    ///
    /// # Errors
    ///
    /// Those of [`WriteRead::write_heads_into`].
    pub fn read_heads_from(&self, layer: impl Into<Layer>, directions: Tensor<2>) -> Result<InSubspace> {
        let layer = self.layer(layer)?;
        self.inside(layer, &self.qk(layer)?.transposed(), directions)
    }

    /// How the heads of `write_layer` compose with those of the later `read_layer`, in tables `[writer][reader]`.
    ///
    /// # Errors
    ///
    /// Layers out of range, a read layer that is not after the write layer, weights that are not finite.
    pub fn flow(&self, write_layer: impl Into<Layer>, read_layer: impl Into<Layer>) -> Result<Flow> {
        let (write_layer, read_layer) = (self.layer(write_layer)?, self.layer(read_layer)?);
        if write_layer >= read_layer {
            let problem = format!(
                "layer {read_layer} cannot read what layer {write_layer} writes; give a read layer after the write layer"
            );
            return Err(Error::Tool { tool: Self::NAME, problem });
        }
        let between = |kind| composition::between(Self::NAME, &self.model, kind, [write_layer, read_layer]);
        let (q, k, v) = (between(Composition::Q)?, between(Composition::K)?, between(Composition::V)?);
        let sum = |writer: usize| {
            let readers = 0..self.model.config().n_heads;
            readers.map(|reader| q[writer][reader] + k[writer][reader] + v[writer][reader]).collect()
        };
        let sums: Vec<Vec<f64>> = (0..q.len()).map(sum).collect();
        let table = |units: &str, values: Vec<Vec<f64>>| {
            ScoreTable::new(Self::NAME, units, self.heads(write_layer), self.heads(read_layer), values)
        };
        Ok(Flow {
            share: table("composition", sums)?.shares("share of what reads the writer"),
            q: table("Q-composition", q)?,
            k: table("K-composition", k)?,
            v: table("V-composition", v)?,
        })
    }

    /// `W_V W_O` of each head, in factors: `[head, d_model, d_model]`.
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn ov(&self, layer: impl Into<Layer>) -> Result<FactoredMatrix> {
        composition::ov(&self.model, self.layer(layer)?)
    }

    /// `W_Q W_Kᵀ` of each head, in factors: `[head, d_model, d_model]`.
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn qk(&self, layer: impl Into<Layer>) -> Result<FactoredMatrix> {
        composition::qk(&self.model, self.layer(layer)?)
    }

    fn layer(&self, layer: impl Into<Layer>) -> Result<usize> {
        layer.into().index(self.model.config().n_layers)
    }

    fn heads(&self, layer: usize) -> Vec<Head> {
        (0..self.model.config().n_heads).map(|head| Head { layer, head }).collect()
    }

    /// Norms of circuits whose output is projected onto a span.
    fn inside(&self, layer: usize, circuits: &FactoredMatrix, directions: Tensor<2>) -> Result<InSubspace> {
        let ([n, _, _], d_model) = (circuits.b.dims(), self.model.config().d_model);
        let basis = span::basis(Self::NAME, directions, d_model)?;
        let columns =
            Tensor::<2>::from_data(TensorData::new(basis.concat(), [basis.len(), d_model]), self.model.device())
                .transpose();
        let projected = circuits.b.clone().matmul(columns.unsqueeze::<3>().expand([n, d_model, basis.len()]));
        let (inside, whole) = (FactoredMatrix::new(circuits.a.clone(), projected)?.norms()?, circuits.norms()?);
        finite::check_weights(Self::NAME, "the norm of a circuit", &whole)?;
        let share = |(inside, whole): (&f64, &f64)| if *whole > 0.0 { inside / whole } else { 0.0 };
        let shares = inside.iter().zip(&whole).map(share).collect();
        Ok(InSubspace {
            norm: norms_of("norm in the subspace", layer, inside)?,
            share: norms_of("share of the norm in the subspace", layer, shares)?,
        })
    }
}

/// One number for each head of a layer.
fn norms_of(units: &str, layer: usize, norms: Vec<f64>) -> Result<ScoreTable> {
    finite::check_weights(WriteRead::NAME, units, &norms)?;
    ScoreTable::new(WriteRead::NAME, units, vec![layer], (0..norms.len()).collect(), vec![norms])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::shared::common;
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, close, fixture, induction_model};

    impl Readings for WriteRead {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let eye = Tensor::<2>::eye(self.model.config().d_model, self.model.device());
            let flow = self.flow(0, -1).map_err(|error| error.to_string());
            vec![
                Reading::table("write_heads", self.write_heads(0)),
                Reading::table("read_heads", self.read_heads(-1)),
                Reading::table("write_heads_into", self.write_heads_into(0, eye).map(|found| found.share)),
                Reading::table("flow q", flow.as_ref().map(|flow| flow.q.clone())),
                Reading::table("flow share", flow.map(|flow| flow.share)),
                Reading::table("rollout", self.rollout(&cases.prompt)),
                Reading::table("attention_flow", self.attention_flow(&cases.prompt)),
            ]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            vec![
                Call::new("rollout", || self.rollout(&cases.prompt)),
                Call::new("attention_flow", || self.attention_flow(cases.first())),
                Call::new("write_heads", || self.write_heads(0)),
                Call::new("read_heads", || self.read_heads(0)),
                Call::new("write_heads_into", || self.write_heads_into(0, self.model.w_e())),
                Call::new("read_heads_from", || self.read_heads_from(0, self.model.w_e())),
                Call::new("flow", || self.flow(0, -1)),
                Call::new("ov", || self.ov(0)),
                Call::new("qk", || self.qk(0)),
            ]
        }
    }

    #[test]
    fn the_planted_heads_write_and_compose() {
        let tool = WriteRead::new(&induction_model()).unwrap();
        let writers = tool.write_heads(1).unwrap();
        let best = writers.highest(1).remove(0);
        assert_eq!((best.layer, best.head), (1, 0));
        assert_eq!(writers.shares("share").get(&best), Some(1.0));
        close(best.value, 3.0 * 12.0f64.sqrt(), 1e-4);
        assert_eq!(tool.read_heads(0).unwrap().highest(1)[0].label, "L0H1");
        let flow = tool.flow(0, 1).unwrap();
        let pair = flow.k.top(1).remove(0);
        assert_eq!((pair.writer, pair.reader), (Head { layer: 0, head: 1 }, Head { layer: 1, head: 0 }));
        close(pair.value, 1.0 / 12.0f64.sqrt(), 1e-4);
        assert_eq!(flow.q.values[1][0], 0.0);
        assert_eq!(flow.share.values[0], [0.0, 0.0], "no head reads a head that writes nothing");
    }

    #[test]
    fn low_rank_scores_are_the_dense_ones() {
        for name in ["gpt2", "llama"] {
            let tool = WriteRead::new(&fixture(name)).unwrap();
            let norm = |dense: Tensor<3>| common::number((dense.clone() * dense).sum()).unwrap().sqrt();
            let flow = tool.flow(0, 2).unwrap();
            let (ov, qk) = (tool.ov(0).unwrap().head(1).unwrap().dense(), tool.qk(2).unwrap().head(3).unwrap().dense());
            let scale = norm(ov.clone()) * norm(qk.clone());
            close(flow.q.values[1][3], norm(ov.clone().matmul(qk.clone())) / scale, 1e-5);
            close(flow.k.values[1][3], norm(ov.matmul(qk.swap_dims(1, 2))) / scale, 1e-5);
            for row in &flow.share.values {
                close(row.iter().sum::<f64>(), 1.0, 1e-5);
            }
        }
    }

    #[test]
    fn the_whole_space_has_the_whole_norm_and_a_subspace_less() {
        let model = fixture("gpt2");
        let tool = WriteRead::new(&model).unwrap();
        let eye = Tensor::<2>::eye(32, model.device());
        for head in tool.write_heads_into(1, eye.clone()).unwrap().share.cells() {
            close(head.value, 1.0, 1e-5);
        }
        let half = tool.read_heads_from(1, eye.narrow(0, 0, 16)).unwrap().share;
        assert!(half.cells().all(|head| head.value > 0.0 && head.value < 1.0));
    }

    #[test]
    fn mistakes_are_named() {
        let model = fixture("gpt2");
        let tool = WriteRead::new(&model).unwrap();
        assert_eq!(
            tool.write_heads(3).unwrap_err().to_string(),
            "layer 3 is out of range: there are 3, numbered from 0"
        );
        assert_eq!(
            tool.flow(1, 1).unwrap_err().to_string(),
            "write_read: layer 1 cannot read what layer 1 writes; give a read layer after the write layer"
        );
        let nan = Tensor::<2>::full([2, 32], f32::NAN, model.device());
        assert_eq!(
            tool.write_heads_into(0, nan).unwrap_err().to_string(),
            "write_read: direction 0 has a number that is not finite; leave it out"
        );
    }
}

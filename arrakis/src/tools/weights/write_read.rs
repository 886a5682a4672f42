//! Which heads write, which heads read, and who reads whom.

use arrakis_models::{HookedTransformer, IntoTokens, site};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tools::shared::common;
use crate::tools::{FactoredMatrix, ScoreTable, Tool};

/// Heads as writers to and readers from the residual stream, by their weights; and how information flows.
///
/// *What it tells you*: how strongly each head of a layer writes (`‖W_V W_O‖`) and chooses what to read
/// (`‖W_Q W_Kᵀ‖`), how much of that lies in a subspace of your own, and how much of what an earlier head writes a
/// later head's query, key or value reads (composition). *How to read it*: scores are Frobenius norms, comparable
/// within a model; composition is `‖L R‖ / (‖L‖ ‖R‖)` between 0 and 1, where even unrelated heads score about
/// `1/√d_model`: look for pairs that stand out. *When it misleads*: weights say what could flow, not what does on
/// a prompt; raw weights leave out the norm in front of the reader: use a processed model (norms folded) where
/// norm weights vary much. *Source*: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021;
/// attention rollout: Abnar and Zuidema, <https://arxiv.org/abs/2005.00928>.
#[derive(Clone, Debug)]
pub struct WriteRead {
    model: HookedTransformer,
}

/// A head and its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadScore {
    /// `L3H7`
    pub name: String,
    /// The layer.
    pub layer: usize,
    /// The head.
    pub head: usize,
    /// Frobenius norm of the head's circuit.
    pub score: f32,
    /// Its share of the sum over the layer's heads, or, for a subspace, the share of the norm that lies in it.
    pub share: f32,
}

/// Which input of the later head a composition goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Composition {
    /// The query: `‖W_OV W_QK‖ / (‖W_OV‖ ‖W_QK‖)`.
    Q,
    /// The key: `‖W_OV W_QKᵀ‖ / (‖W_OV‖ ‖W_QK‖)`.
    K,
    /// The value: `‖W_OV W_OV'‖ / (‖W_OV‖ ‖W_OV'‖)`.
    V,
}

/// How heads of one layer compose with those of a later one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Through the reader's query, `[writer][reader]`.
    pub q: ScoreTable,
    /// Through the reader's key, `[writer][reader]`.
    pub k: ScoreTable,
    /// Through the reader's value, `[writer][reader]`.
    pub v: ScoreTable,
    /// The three summed, each writer's row divided by its sum: `[writer][reader]`.
    pub share: ScoreTable,
}

impl Tool for WriteRead {
    const NAME: &'static str = "write_read";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl WriteRead {
    /// The heads of a layer by how strongly they write, `‖W_V W_O‖`, strongest first.
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn write_heads(&self, layer: usize) -> Result<Vec<HeadScore>> {
        Ok(ranked(layer, &self.ov(layer)?.norms()?))
    }

    /// The heads of a layer by how strongly they choose what to read, `‖W_Q W_Kᵀ‖`, strongest first.
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn read_heads(&self, layer: usize) -> Result<Vec<HeadScore>> {
        Ok(ranked(layer, &self.qk(layer)?.norms()?))
    }

    /// The heads of a layer by how much they write into the span of `directions` `[n, d_model]`.
    ///
    /// `score` is `‖W_V W_O P‖` with `P` the projection onto the span, `share` that over `‖W_V W_O‖`.
    ///
    /// # Errors
    ///
    /// A layer out of range, or directions of another width.
    pub fn write_heads_into(&self, layer: usize, directions: Tensor<2>) -> Result<Vec<HeadScore>> {
        self.inside(layer, &self.ov(layer)?, directions)
    }

    /// The heads of a layer by how much their queries read from the span of `directions` `[n, d_model]`.
    ///
    /// `score` is `‖P W_Q W_Kᵀ‖`, `share` that over `‖W_Q W_Kᵀ‖`.
    ///
    /// # Errors
    ///
    /// As [`WriteRead::write_heads_into`].
    pub fn read_heads_from(&self, layer: usize, directions: Tensor<2>) -> Result<Vec<HeadScore>> {
        self.inside(layer, &self.qk(layer)?.transposed(), directions)
    }

    /// How the heads of `write_layer` compose with those of the later `read_layer`.
    ///
    /// # Errors
    ///
    /// Layers out of range, or a reader that is not after the writer.
    pub fn flow(&self, write_layer: usize, read_layer: usize) -> Result<Flow> {
        let (n_layers, heads) = (self.model.config().n_layers, self.model.config().n_heads);
        common::within("write layer", write_layer, n_layers)?;
        common::within("read layer", read_layer, n_layers)?;
        if write_layer >= read_layer {
            let problem = format!(
                "layer {read_layer} cannot read what layer {write_layer} writes; give a read layer from {} to {}",
                write_layer + 1,
                n_layers - 1
            );
            return Err(Error::Tool { tool: Self::NAME, problem });
        }
        let name = |layer: usize| (0..heads).map(|head| format!("L{layer}H{head}")).collect::<Vec<_>>();
        let table = |values, units: &str| ScoreTable {
            units: units.into(),
            row_axis: "writer".into(),
            column_axis: "reader".into(),
            row_labels: name(write_layer),
            col_labels: name(read_layer),
            values,
        };
        let [q, k, v] =
            [Composition::Q, Composition::K, Composition::V].map(|kind| self.between(kind, write_layer, read_layer));
        let (q, k, v) = (q?, k?, v?);
        let sum = |writer: usize| {
            (0..heads).map(|reader| q[writer][reader] + k[writer][reader] + v[writer][reader]).collect()
        };
        let share = (0..heads).map(sum).map(|row: Vec<f32>| normalised(&row)).collect();
        Ok(Flow {
            q: table(q, "Q-composition"),
            k: table(k, "K-composition"),
            v: table(v, "V-composition"),
            share: table(share, "share of what the writer's readers read"),
        })
    }

    /// Composition of every pair of heads, `[layer 1][head 1][layer 2][head 2]`, zero unless layer 1 is before layer 2.
    ///
    /// # Errors
    ///
    /// A device that fails.
    pub fn composition(&self, kind: Composition) -> Result<Vec<Vec<Vec<Vec<f32>>>>> {
        let (n_layers, heads) = (self.model.config().n_layers, self.model.config().n_heads);
        let mut all = vec![vec![vec![vec![0.0; heads]; n_layers]; heads]; n_layers];
        for (first, from) in all.iter_mut().enumerate() {
            for second in first + 1..n_layers {
                for (by_head, row) in from.iter_mut().zip(self.between(kind, first, second)?) {
                    by_head[second] = row;
                }
            }
        }
        Ok(all)
    }

    /// Attention rollout of a prompt, `[query][key]`: how much of each position's final stream can be traced to each
    /// input position, if attention and the residual connection carry half each. Rows sum to one.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit, or more than one.
    pub fn rollout(&self, prompt: impl IntoTokens) -> Result<ScoreTable> {
        let tokens = common::one_row(Self::NAME, &self.model, prompt)?;
        let cache = self.model.capture(&tokens, ["blocks.*.attn.pattern"])?;
        let eye = Tensor::<2>::eye(tokens.pos(), self.model.device());
        let mut rolled = eye.clone();
        for layer in 0..self.model.config().n_layers {
            let mean = cache.get::<4>(site::pattern(layer))?.mean_dim(1).reshape([tokens.pos(), tokens.pos()]);
            rolled = ((mean + eye.clone()) * 0.5).matmul(rolled);
        }
        let labels = common::labels(&self.model, &tokens);
        Ok(ScoreTable {
            units: "rollout".into(),
            row_axis: "query".into(),
            column_axis: "key".into(),
            row_labels: labels.clone(),
            col_labels: labels,
            values: common::rows(rolled)?,
        })
    }

    /// `W_V W_O` of each head, `[head, d_model, d_model]` factored.
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn ov(&self, layer: usize) -> Result<FactoredMatrix> {
        FactoredMatrix::new(self.model.w_v(layer)?, self.model.w_o(layer)?)
    }

    /// `W_Q W_Kᵀ` of each head, `[head, d_model, d_model]` factored.
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn qk(&self, layer: usize) -> Result<FactoredMatrix> {
        FactoredMatrix::new(self.model.w_q(layer)?, self.model.w_k(layer)?.swap_dims(1, 2))
    }

    fn between(&self, kind: Composition, first: usize, second: usize) -> Result<Vec<Vec<f32>>> {
        let left = self.ov(first)?;
        let right = match kind {
            Composition::Q => self.qk(second)?,
            Composition::K => self.qk(second)?.transposed(),
            Composition::V => self.ov(second)?,
        };
        let (lefts, rights) = (left.norms()?, right.norms()?);
        let mut scores = left.product_norms(&right)?;
        for (row, left) in scores.iter_mut().zip(&lefts) {
            for (score, right) in row.iter_mut().zip(&rights) {
                *score = if left * right > 0.0 { *score / (left * right) } else { 0.0 };
            }
        }
        Ok(scores)
    }

    /// Norms of circuits whose output is projected onto a span.
    fn inside(&self, layer: usize, circuits: &FactoredMatrix, directions: Tensor<2>) -> Result<Vec<HeadScore>> {
        let ([_, width], d_model) = (directions.dims(), self.model.config().d_model);
        if width != d_model {
            return Err(Error::Tool {
                tool: Self::NAME,
                problem: format!("directions have {width} numbers each, the stream has {d_model}"),
            });
        }
        let basis = orthonormal(&common::rows(directions)?);
        if basis.is_empty() {
            return Err(Error::Tool {
                tool: Self::NAME,
                problem: "the directions span nothing; give at least one that is not zero".into(),
            });
        }
        let [n, k, _] = circuits.b.dims();
        let columns =
            Tensor::<2>::from_data(TensorData::new(basis.concat(), [basis.len(), d_model]), self.model.device())
                .transpose();
        let projected = circuits.b.clone().matmul(columns.unsqueeze::<3>().expand([n, d_model, basis.len()]));
        debug_assert_eq!(projected.dims(), [n, k, basis.len()]);
        let (inside, whole) = (FactoredMatrix::new(circuits.a.clone(), projected)?.norms()?, circuits.norms()?);
        let mut found = ranked(layer, &inside);
        for head in &mut found {
            let norm = whole[head.head];
            head.share = if norm > 0.0 { head.score / norm } else { 0.0 };
        }
        Ok(found)
    }
}

/// Heads by score, highest first, with their shares of the sum.
fn ranked(layer: usize, norms: &[f32]) -> Vec<HeadScore> {
    let shares = normalised(norms);
    let one = |head: usize| HeadScore {
        name: format!("L{layer}H{head}"),
        layer,
        head,
        score: norms[head],
        share: shares[head],
    };
    common::largest(norms, norms.len()).into_iter().map(one).collect()
}

/// Divided by its sum; equal shares where that is zero.
fn normalised(row: &[f32]) -> Vec<f32> {
    let sum: f32 = row.iter().sum();
    row.iter().map(|value| if sum > 0.0 { value / sum } else { 1.0 / row.len() as f32 }).collect()
}

/// An orthonormal basis of the span of some vectors (Gram–Schmidt, twice for accuracy); dependent ones drop out.
fn orthonormal(vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for vector in vectors {
        let mut rest: Vec<f64> = vector.iter().map(|value| f64::from(*value)).collect();
        let length = dot(&rest, &rest).sqrt();
        for known in basis.iter().chain(&basis) {
            let along = dot(&rest, known);
            rest.iter_mut().zip(known).for_each(|(rest, known)| *rest -= along * known);
        }
        let left = dot(&rest, &rest).sqrt();
        if left > 1e-6 * length && left > 0.0 {
            basis.push(rest.into_iter().map(|value| value / left).collect());
        }
    }
    basis.into_iter().map(|vector| vector.into_iter().map(|value| value as f32).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture, induction_model};

    #[test]
    fn the_planted_heads_write_and_compose() {
        let tool = WriteRead::new(&induction_model()).unwrap();
        let writers = tool.write_heads(1).unwrap();
        assert_eq!((writers[0].name.as_str(), writers[0].share), ("L1H0", 1.0));
        close(writers[0].score, 3.0 * 12.0f32.sqrt(), 1e-4);
        assert_eq!(tool.read_heads(0).unwrap()[0].name, "L0H1");
        let flow = tool.flow(0, 1).unwrap();
        assert_eq!((flow.k.top(1)[0].row, flow.k.top(1)[0].column), (1, 0));
        close(flow.k.values[1][0], 1.0 / 12.0f32.sqrt(), 1e-4);
        assert_eq!(flow.q.values[1][0], 0.0);
    }

    #[test]
    fn low_rank_scores_are_the_dense_ones() {
        for name in ["gpt2", "llama"] {
            let tool = WriteRead::new(&fixture(name)).unwrap();
            let norm =
                |dense: Tensor<3>| arrakis_models::device::read((dense.clone() * dense).sum()).unwrap()[0].sqrt();
            let flow = tool.flow(0, 2).unwrap();
            let (ov, qk) = (tool.ov(0).unwrap().head(1).unwrap().dense(), tool.qk(2).unwrap().head(3).unwrap().dense());
            let scale = norm(ov.clone()) * norm(qk.clone());
            close(flow.q.values[1][3], norm(ov.clone().matmul(qk.clone())) / scale, 1e-5);
            close(flow.k.values[1][3], norm(ov.matmul(qk.swap_dims(1, 2))) / scale, 1e-5);
            for row in &flow.share.values {
                close(row.iter().sum(), 1.0, 1e-5);
            }
        }
    }

    #[test]
    fn the_whole_space_holds_everything_and_a_part_less() {
        let model = fixture("gpt2");
        let tool = WriteRead::new(&model).unwrap();
        let eye = Tensor::<2>::eye(32, model.device());
        for head in tool.write_heads_into(1, eye.clone()).unwrap() {
            close(head.share, 1.0, 1e-5);
        }
        let half = eye.narrow(0, 0, 16);
        assert!(tool.read_heads_from(1, half).unwrap().iter().all(|head| head.share > 0.0 && head.share < 1.0));
    }

    #[test]
    fn rollout_rows_sum_to_one() {
        let rolled = WriteRead::new(&fixture("gpt_neox")).unwrap().rollout([34, 17, 29, 49]).unwrap();
        for (query, row) in rolled.values.iter().enumerate() {
            close(row.iter().sum(), 1.0, 1e-5);
            assert!(row.iter().all(|weight| *weight >= 0.0) && row[query + 1..].iter().all(|weight| *weight == 0.0));
        }
    }

    #[test]
    fn mistakes_are_named() {
        let tool = WriteRead::new(&fixture("gpt2")).unwrap();
        assert_eq!(
            tool.write_heads(3).unwrap_err().to_string(),
            "layer 3 is out of range: there are 3, numbered from 0"
        );
        assert_eq!(
            tool.flow(1, 1).unwrap_err().to_string(),
            "write_read: layer 1 cannot read what layer 1 writes; give a read layer from 2 to 2"
        );
    }
}

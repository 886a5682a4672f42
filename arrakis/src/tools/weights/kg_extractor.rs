//! Which tokens a head relates: the subspaces of its circuits, read as tokens.

mod relations;
mod subspaces;
#[cfg(test)]
mod tests;

pub use self::relations::Relation;
pub use self::subspaces::{Circuit, CircuitSide, Subspaces};

use arrakis_models::{HookedTransformer, IntoTokens};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use self::relations::Pairs;
use self::subspaces::NAME;
use crate::error::{Error, Result};
use crate::tools::shared::{common, composition, vocabulary};
use crate::tools::{Layer, Tool};

/// The subspaces that heads read and write, the tokens along them, and the relations between tokens that follow.
///
/// # What it tells you
///
/// - For each head, the directions of the stream that matter most to its circuits, by singular value decomposition: which
///   query directions match which key directions (`W_Q W_Kᵀ`), and which direction read becomes which direction written
///   (`W_V W_O`).
/// - The tokens whose embedding or unembedding lies along a direction.
/// - Relations between tokens: which token of a prompt attends to which other, or writes which token of the vocabulary,
///   more than random tokens do.
///
/// # How to read it
///
/// - Singular values are sorted, largest first. The signs of a pair of directions are arbitrary, so both ends of a
///   direction are listed.
/// - A relation's `score` is `source · U S Vᵀ · target` over the kept directions. Its `z` is the number of standard
///   deviations above the mean score of random pairs of tokens.
///
/// # When it misleads
///
/// - Tokens are read by their embeddings alone. Later layers read much that earlier layers wrote.
/// - The norms before the head and before the unembedding are left out. If norm weights vary much, use a processed model,
///   whose norms are folded.
/// - Equal singular values share their subspace, so their single directions mean nothing.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `subspaces`, `tokens`, `project_tokens`, `relations` | 0 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let extractor: KgExtractor = Bench::embedded()?.tool()?;
/// let subspaces = extractor.subspaces(-1, Circuit::Ov, 4)?;
/// let written = extractor.tokens(&subspaces, 0, 0, CircuitSide::Right, 5)?;
/// println!("the first direction of head 0 writes {:?}", written.highest);
/// for found in extractor.relations(" Mary gave a drink to John", &subspaces, 3.0, 500, 0)?.iter().take(3) {
///     println!("{}: {} writes {} (z = {:.1})", found.label, found.source_token, found.target_token, found.z);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021; Millidge and Black, "The Singular Value
/// Decompositions of Transformer Weight Matrices are Highly Interpretable", 2022.
#[derive(Clone, Debug)]
pub struct KgExtractor {
    model: HookedTransformer,
}

/// A token with a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenScore {
    /// The token's text, or its id without a tokenizer.
    pub token: String,
    /// The token's id.
    pub id: u32,
    /// Its score.
    pub score: f64,
}

/// The tokens at both ends of a direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlongDirection {
    /// The tokens furthest along the direction, furthest first.
    pub highest: Vec<TokenScore>,
    /// The tokens furthest against it, furthest first.
    pub lowest: Vec<TokenScore>,
}

impl Tool for KgExtractor {
    const NAME: &'static str = NAME;

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl KgExtractor {
    /// The `k` strongest pairs of directions of a circuit of each head of a layer.
    ///
    /// # Errors
    ///
    /// A layer out of range, a `k` of 0 or above `d_head`, weights that are not finite.
    pub fn subspaces(&self, layer: impl Into<Layer>, circuit: Circuit, k: usize) -> Result<Subspaces> {
        let layer = layer.into().index(self.model.config().n_layers)?;
        let d_head = self.model.config().d_head.min(self.model.config().d_model);
        if k == 0 || k > d_head {
            return Err(refuse(format!("a head has {d_head} directions; give a k from 1 to {d_head}, not {k}")));
        }
        let matrices = match circuit {
            Circuit::Qk => composition::qk(&self.model, layer)?,
            Circuit::Ov => composition::ov(&self.model, layer)?,
        };
        Subspaces::of(layer, circuit, &matrices, k)
    }

    /// The `n` tokens of the vocabulary furthest along a direction of a head's subspace, and the `n` furthest against it.
    /// Scores are projections of embeddings; on the right side of an OV circuit, of the directions that raise logits.
    ///
    /// # Errors
    ///
    /// A head or a direction out of range; for the right side of an OV circuit, an architecture without directions of
    /// tokens (see [`KgExtractor::relations`]).
    pub fn tokens(
        &self,
        subspaces: &Subspaces,
        head: usize,
        direction: usize,
        side: CircuitSide,
        n: usize,
    ) -> Result<AlongDirection> {
        let along = subspaces.direction(head, direction, side)?;
        let all = subspaces.vectors(&self.model, side, &vocabulary::all(&self.model))?;
        let scores = common::numbers(all.matmul(along))?;
        let against: Vec<f64> = scores.iter().map(|score| -score).collect();
        let named = |order: Vec<usize>| order.into_iter().map(|id| self.named(id as u32, scores[id])).collect();
        Ok(AlongDirection { highest: named(common::largest(&scores, n)), lowest: named(common::largest(&against, n)) })
    }

    /// The tokens of prompts in the coordinates of each head's subspace, `[batch, pos, head, k]`. Padding has coordinates
    /// too.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model; for the right side of an OV circuit, an architecture without directions of
    /// tokens (see [`KgExtractor::relations`]).
    pub fn project_tokens(
        &self,
        prompts: impl IntoTokens,
        subspaces: &Subspaces,
        side: CircuitSide,
    ) -> Result<Tensor<4>> {
        let tokens = prompts.into_tokens(&self.model)?;
        tokens.ids().iter().flatten().try_for_each(|id| common::check_token(&self.model, *id))?;
        let vectors = subspaces.vectors(&self.model, side, &tokens.ids().concat())?;
        let [heads, _, k] = subspaces.side(side).dims();
        let [batch, pos] = [tokens.batch(), tokens.pos()];
        let projected = vectors.unsqueeze::<3>().matmul(subspaces.side(side).clone());
        Ok(projected.reshape([heads, batch, pos, k]).permute([1, 2, 0, 3]))
    }

    /// Relations whose score is at least `threshold` standard deviations above the mean of `draws` random pairs of tokens,
    /// strongest first. Heads whose scores do not vary have none.
    ///
    /// - For a QK circuit, source and target are tokens of one prompt: the source's query matches the target's key.
    /// - For an OV circuit, the source is a token of a prompt, and the target the token of the vocabulary that it writes
    ///   most strongly.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, fewer than two draws, numbers that are not finite; for an OV circuit, an
    /// architecture with an activation between the stream and the logits (BERT), where no direction is a token's.
    pub fn relations(
        &self,
        prompts: impl IntoTokens,
        subspaces: &Subspaces,
        threshold: f64,
        draws: usize,
        seed: u64,
    ) -> Result<Vec<Relation>> {
        if draws < 2 {
            return Err(refuse(format!("{draws} random pairs have no spread; give at least 2")));
        }
        let tokens = prompts.into_tokens(&self.model)?;
        tokens.ids().iter().flatten().try_for_each(|id| common::check_token(&self.model, *id))?;
        let pairs = Pairs { model: &self.model, subspaces, draws, seed };
        let mut found = match subspaces.circuit {
            Circuit::Qk => pairs.matched(&tokens)?,
            Circuit::Ov => pairs.written(&tokens)?,
        };
        found.retain(|relation| relation.z >= threshold);
        found.sort_by(|a, b| b.z.total_cmp(&a.z));
        Ok(found)
    }

    fn named(&self, id: u32, score: f64) -> TokenScore {
        TokenScore { token: common::label(&self.model, id), id, score }
    }
}

fn refuse(problem: String) -> Error {
    Error::Tool { tool: KgExtractor::NAME, problem }
}

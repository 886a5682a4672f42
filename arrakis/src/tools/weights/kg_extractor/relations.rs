//! Pairs of tokens that a circuit relates, beside random pairs.

use std::collections::BTreeSet;

use arrakis_models::{HookedTransformer, Tokens};
use burn::tensor::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::subspaces::{CircuitSide, NAME, Subspaces};
use crate::error::Result;
use crate::tools::FactoredMatrix;
use crate::tools::place::{Head, Place};
use crate::tools::shared::score_table::mean;
use crate::tools::shared::{common, finite, vocabulary};

/// A token that a head relates to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    /// The head: `L9H6`.
    pub label: String,
    /// The head.
    pub head: Head,
    /// The token that attends or is read, as its id.
    pub source: u32,
    /// Its text, or its id without a tokenizer.
    pub source_token: String,
    /// The token that is attended to or written, as its id.
    pub target: u32,
    /// Its text, or its id without a tokenizer.
    pub target_token: String,
    /// `source · U S Vᵀ · target`.
    pub score: f64,
    /// Standard deviations of the score above the mean of random pairs.
    pub z: f64,
}

/// What relations are taken from.
pub(super) struct Pairs<'a> {
    pub(super) model: &'a HookedTransformer,
    pub(super) subspaces: &'a Subspaces,
    pub(super) draws: usize,
    pub(super) seed: u64,
}

/// Mean and standard deviation of the scores of random pairs.
struct Random {
    mean: f64,
    sd: f64,
}

impl Pairs<'_> {
    /// Every pair of tokens of one prompt, for each head.
    pub(super) fn matched(&self, tokens: &Tokens) -> Result<Vec<Relation>> {
        let mut found = Vec::new();
        let rows: Vec<Vec<u32>> = own_tokens(tokens);
        for (head, (circuit, random)) in self.heads()?.into_iter().enumerate() {
            let Some(random) = random else { continue };
            let mut seen = BTreeSet::new();
            for ids in &rows {
                let scores = common::rows(self.scores(&circuit, ids, ids)?)?;
                for (source, row) in ids.iter().zip(&scores) {
                    for (target, score) in ids.iter().zip(row) {
                        if seen.insert((*source, *target)) {
                            found.push(self.relation(head, *source, *target, *score, &random));
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// For each token of the prompts and each head, the token that it writes most strongly.
    pub(super) fn written(&self, tokens: &Tokens) -> Result<Vec<Relation>> {
        let sources: Vec<u32> = own_tokens(tokens).concat().into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let all = vocabulary::all(self.model);
        let mut found = Vec::new();
        for (head, (circuit, random)) in self.heads()?.into_iter().enumerate() {
            let Some(random) = random else { continue };
            for (source, row) in sources.iter().zip(common::rows(self.scores(&circuit, &sources, &all)?)?) {
                finite::check_weights(NAME, "a score of two tokens", &row)?;
                let best = common::largest(&row, 1)[0];
                found.push(self.relation(head, *source, best as u32, row[best], &random));
            }
        }
        Ok(found)
    }

    /// Each head's circuit, and its random pairs; none if their scores do not vary.
    fn heads(&self) -> Result<Vec<(FactoredMatrix, Option<Random>)>> {
        let (kept, d_vocab) = (self.subspaces.kept()?, self.model.config().d_vocab as u32);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut ids = || (0..self.draws).map(|_| rng.random_range(0..d_vocab)).collect::<Vec<u32>>();
        let (sources, targets) = (ids(), ids());
        let (sources, targets) = (self.side(CircuitSide::Left, &sources)?, self.side(CircuitSide::Right, &targets)?);
        let of_head = |head| {
            let circuit = kept.head(head)?;
            let read = sources.clone().unsqueeze::<3>().matmul(circuit.a.clone());
            let written = targets.clone().unsqueeze::<3>().matmul(circuit.b.clone().swap_dims(1, 2));
            let scores = common::numbers((read * written).sum_dim(2))?;
            finite::check_weights(NAME, "a score of two tokens", &scores)?;
            let mean = mean(&scores);
            let squares: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
            let sd = (squares / (scores.len() - 1) as f64).sqrt();
            Ok((circuit, (sd > 0.0).then_some(Random { mean, sd })))
        };
        (0..kept.len()).map(of_head).collect()
    }

    /// `source · U S Vᵀ · target`, `[source, target]`.
    fn scores(&self, circuit: &FactoredMatrix, sources: &[u32], targets: &[u32]) -> Result<Tensor<2>> {
        let read = self.side(CircuitSide::Left, sources)?.unsqueeze::<3>().matmul(circuit.a.clone());
        let written =
            self.side(CircuitSide::Right, targets)?.unsqueeze::<3>().matmul(circuit.b.clone().swap_dims(1, 2));
        Ok(read.matmul(written.swap_dims(1, 2)).reshape([sources.len(), targets.len()]))
    }

    fn side(&self, side: CircuitSide, ids: &[u32]) -> Result<Tensor<2>> {
        self.subspaces.vectors(self.model, side, ids)
    }

    fn relation(&self, head: usize, source: u32, target: u32, score: f64, random: &Random) -> Relation {
        let head = Head { layer: self.subspaces.layer, head };
        let token = |id| common::label(self.model, id);
        Relation {
            label: head.label(),
            head,
            source,
            source_token: token(source),
            target,
            target_token: token(target),
            score,
            z: (score - random.mean) / random.sd,
        }
    }
}

/// Each prompt's distinct tokens without padding, in the order they occur: `[prompt][token]`.
fn own_tokens(tokens: &Tokens) -> Vec<Vec<u32>> {
    let own = |(ids, real): (&Vec<u32>, &Vec<bool>)| {
        let mut seen = BTreeSet::new();
        let own = ids.iter().zip(real).filter(|(_, real)| **real).map(|(id, _)| *id);
        own.filter(|id| seen.insert(*id)).collect()
    };
    tokens.ids().iter().zip(tokens.real()).map(own).collect()
}

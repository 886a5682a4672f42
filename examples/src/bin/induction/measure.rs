//! What is measured at a checkpoint.

use arrakis::models::{HookedTransformer, device};
use arrakis::prelude::*;
use arrakis::tools::place::{Head, HeadPair};
use arrakis::tools::weights::composer::Composition;
use arrakis_recipe::text::repeats::Repeats;
use serde::{Deserialize, Serialize};

use super::text::{D_VOCAB, Document, N_CTX};

/// Rows of repeated random tokens.
const ROWS: usize = 16;
/// Positions that early and late losses are averaged over.
const WINDOW: usize = 6;

/// Losses in nats, and scores of each head `[layer][head]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) step: u64,
    /// Loss on tokens that continue a repeated passage.
    pub(crate) repeated: f64,
    /// Loss on all other tokens.
    pub(crate) new: f64,
    /// The in-context learning score: how much lower the loss is at the end of a document than at a tenth of it.
    pub(crate) in_context: f64,
    /// Prefix matching on repeated random tokens.
    pub(crate) prefix: Vec<Vec<f64>>,
    /// Attention to the previous token, on the same.
    pub(crate) previous: Vec<Vec<f64>>,
    /// K-composition of a head in layer 0 with a head in layer 1, `[writer][reader]`; empty for one layer.
    pub(crate) composition: Vec<Vec<f64>>,
}

impl Measured {
    pub(crate) fn of(model: &HookedTransformer, step: u64, held_out: &[Document]) -> Result<Self> {
        let losses = losses(model, held_out)?;
        let mean_where = |wanted: bool| {
            let of =
                losses.iter().zip(held_out).flat_map(|(losses, document)| losses.iter().zip(&document.repeated[1..]));
            mean(of.filter(|(_, repeated)| **repeated == wanted).map(|(loss, _)| *loss))
        };
        let at = |start: usize| mean(losses.iter().flat_map(|losses| losses[start..start + WINDOW].iter().copied()));
        let detector = HeadDetector::new(model)?;
        // No token occurs twice but by repetition, as with a large vocabulary.
        let others: Vec<u32> = (1..D_VOCAB as u32).collect();
        let Repeats { rows, length } = Repeats::draw(0, ROWS, (N_CTX - 1) / 2, &others, 0);
        let mut stripes = detector.stripes_of(rows, length)?.into_iter().map(|(_, table)| table.values);
        let mut next = || stripes.next().expect("BUG: a table for each kind of head");
        let (prefix, previous) = (next(), next());
        Ok(Self {
            step,
            repeated: mean_where(true),
            new: mean_where(false),
            in_context: at(N_CTX / 10 - WINDOW / 2) - at(N_CTX - 1 - WINDOW),
            prefix,
            previous,
            composition: composition(model)?,
        })
    }

    /// The largest score of a layer and its head.
    pub(crate) fn best(scores: &[Vec<f64>], layer: usize) -> (usize, f64) {
        let heads = scores.get(layer).into_iter().flatten().copied().enumerate();
        heads.max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or((0, f64::NAN))
    }

    /// The largest prefix-matching score of any head.
    pub(crate) fn best_prefix(&self) -> f64 {
        self.prefix.concat().into_iter().fold(f64::NAN, f64::max)
    }
}

/// The loss of each token but the first, `[document][pos - 1]`.
fn losses(model: &HookedTransformer, held_out: &[Document]) -> Result<Vec<Vec<f64>>> {
    let rows = held_out.iter().map(|document| document.tokens[..N_CTX].to_vec()).collect();
    let tokens = Tokens::new(rows)?;
    let losses = device::read(model.loss_per_token(model.forward(&tokens)?, &tokens)?)?;
    Ok(losses.chunks(N_CTX - 1).map(|row| row.iter().map(|loss| f64::from(*loss)).collect()).collect())
}

/// With norms folded in, so that the scores are those of the matrices that read the stream.
fn composition(model: &HookedTransformer) -> Result<Vec<Vec<f64>>> {
    if model.config().n_layers < 2 {
        return Ok(Vec::new());
    }
    let scores = Composer::new(&model.processed()?)?.scores(Composition::K)?;
    let score = |writer: usize, reader: usize| {
        let pair = HeadPair { writer: Head { layer: 0, head: writer }, reader: Head { layer: 1, head: reader } };
        scores.get(&pair).expect("BUG: every pair has a score")
    };
    let heads = model.config().n_heads;
    Ok((0..heads).map(|writer| (0..heads).map(|reader| score(writer, reader)).collect()).collect())
}

pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

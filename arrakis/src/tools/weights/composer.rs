//! Heads that read what earlier heads write: composition scores and composed heads.

mod random;
#[cfg(test)]
mod tests;
mod virtual_head;

pub use self::random::RandomBaseline;
pub use crate::tools::shared::composition::Composition;

use arrakis_models::{HookedTransformer, IntoTokens, site};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use self::virtual_head::{Seen, VirtualHead};
use crate::error::{Error, Result};
use crate::tools::intervene::path_patching::{HeadInput, PathPatching, Receiver, Sender, Through};
use crate::tools::place::{self, Head, HeadPair, Place};
use crate::tools::shared::patch_pair::{PatchFrom, PatchInto};
use crate::tools::shared::stream::Stream;
use crate::tools::shared::{common, composition, finite};
use crate::tools::{FactoredMatrix, Metric, ScoreTable, Scores, Tool};

/// Which heads read what earlier heads write, and what two heads do in sequence.
///
/// # What it tells you
///
/// - How much of what a head writes the query, key or value of a later head reads, for all pairs, beside what random
///   matrices of the same shape score.
/// - The composed (virtual) head of two heads whose values chain: its matrix, its output on a prompt with both attention
///   patterns frozen, and what it adds to a logit.
///
/// # How to read it
///
/// - A score is `‖L R‖ / (‖L‖ ‖R‖)`, between 0 and 1. Random heads score about `1/√d_model`
///   ([`Composer::random_baseline`]); [`Composer::above_random`] subtracts their mean.
/// - A composed head moves information from where the first head looks, through where the second one looks.
/// - With grouped heads, each query head counts with its group's keys and values.
///
/// # When it misleads
///
/// - Weights say what could flow, not what flows on a prompt. Confirm a pair by patching its path
///   ([`Composer::from`]).
/// - Scores and [`Composer::composed_head`] use the weights as they are, without the norm before the reader. If norm
///   weights vary much, use a processed model, whose norms are folded. Methods that run a prompt include the norms, with
///   their scales frozen.
/// - Trained matrices have a few large singular values, so many pairs score above random ones.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `apply_composed_head`, `composed_logits` | 1 | 0 |
/// | `path` | 5 | 0 |
/// | `from`, `scores`, `above_random`, `random_baseline`, `head_composition`, `composed_head` | 0 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let composer: Composer = Bench::embedded()?.tool()?;
/// let random = composer.random_baseline(100, 0)?;
/// for pair in composer.above_random(Composition::K, &random)?.highest(3) {
///     println!("{}: {:.2} above random, {:.0} standard deviations", pair.label, pair.value, pair.value / random.sd);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021; scores as in `TransformerLens` 2.18
/// (`all_composition_scores`), which has no baseline.
#[derive(Clone, Debug)]
pub struct Composer {
    model: HookedTransformer,
}

/// How two heads compose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadComposition {
    /// Through the reader's query, between 0 and 1.
    pub q: f64,
    /// Through the reader's key, between 0 and 1.
    pub k: f64,
    /// Through the reader's value, between 0 and 1.
    pub v: f64,
}

impl Tool for Composer {
    const NAME: &'static str = "composer";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl Composer {
    /// The composition of every pair of heads, `[writer][reader]`. It is zero unless the writer's layer is before the
    /// reader's.
    ///
    /// # Errors
    ///
    /// Weights that are not finite, a device that fails.
    pub fn scores(&self, kind: Composition) -> Result<ScoreTable<HeadPair>> {
        self.table(format!("{kind:?}-composition"), |layers| {
            composition::between(Self::NAME, &self.model, kind, layers)
        })
    }

    /// The composition of every pair of heads minus the mean of random matrices, `[writer][reader]`. It is zero unless
    /// the writer's layer is before the reader's.
    ///
    /// # Errors
    ///
    /// Those of [`Composer::scores`].
    pub fn above_random(&self, kind: Composition, random: &RandomBaseline) -> Result<ScoreTable<HeadPair>> {
        self.table(format!("{kind:?}-composition above random"), |layers| {
            let mut scores = composition::between(Self::NAME, &self.model, kind, layers)?;
            scores.iter_mut().flatten().for_each(|score| *score -= random.mean);
            Ok(scores)
        })
    }

    /// The scores of `draws` pairs of random heads: products of matrices with independent normal entries, of the shapes
    /// of this model's heads. It is the same for all three inputs.
    ///
    /// # Errors
    ///
    /// Fewer than two draws.
    pub fn random_baseline(&self, draws: usize, seed: u64) -> Result<RandomBaseline> {
        RandomBaseline::draw(&self.model, draws, seed)
    }

    /// How two heads compose through each input of the second.
    ///
    /// # Errors
    ///
    /// Heads that do not exist, a reader that is not in a later layer, weights that are not finite.
    pub fn head_composition(&self, writer: Head, reader: Head) -> Result<HeadComposition> {
        self.check(writer, reader)?;
        let left = composition::ov(&self.model, writer.layer)?.head(writer.head)?;
        let score = |kind| {
            let right = composition::reads(&self.model, kind, reader.layer)?.head(reader.head)?;
            let norms = [left.product_norms(&right)?[0][0], left.norms()?[0], right.norms()?[0]];
            finite::check_weights(Self::NAME, "a composition", &norms)?;
            Ok(composition::share(norms[0], norms[1], norms[2])) as Result<f64>
        };
        Ok(HeadComposition { q: score(Composition::Q)?, k: score(Composition::K)?, v: score(Composition::V)? })
    }

    /// The composed head `W_V W_O W_V' W_O'`, in factors: `[1, d_model, d_model]`. The norm before the reader is not in
    /// it.
    ///
    /// # Errors
    ///
    /// Those of [`Composer::head_composition`], but for weights that are not finite.
    pub fn composed_head(&self, writer: Head, reader: Head) -> Result<FactoredMatrix> {
        self.check(writer, reader)?;
        let of = |head: Head| composition::ov(&self.model, head.layer)?.head(head.head);
        of(writer)?.product(&of(reader)?)
    }

    /// What the composed head adds to the stream: what the reader moves of what the writer wrote, with both attention
    /// patterns and the norms' scales frozen, and without biases. `[batch, pos, d_model]`.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, heads that do not exist, a reader that is not in a later layer, an architecture
    /// whose stream is not a sum.
    pub fn apply_composed_head(&self, prompts: impl IntoTokens, writer: Head, reader: Head) -> Result<Tensor<3>> {
        self.check(writer, reader)?;
        let stream = self.stream(prompts)?;
        let written = stream.head_results(writer.layer)?.narrow(2, writer.head, 1);
        let moved = VirtualHead { stream: &stream, reader }.moved(written)?;
        let [batch, pos, _, d_model] = moved.dims();
        Ok(moved.reshape([batch, pos, d_model]))
    }

    /// What every composed head adds directly to a logit or a difference of two, in nats: `[writer][reader]`. The final
    /// norm's scale is frozen too. If the model caps its logits, it is the logit before the cap.
    ///
    /// # Errors
    ///
    /// Those of [`Composer::apply_composed_head`], another metric, numbers that are not finite.
    pub fn composed_logits(&self, prompts: impl IntoTokens, metric: &Metric) -> Result<ScoreTable<HeadPair>> {
        let stream = self.stream(prompts)?;
        let Some(linear) = metric.linear(&self.model, stream.tokens.batch())? else {
            let problem =
                format!("`{}` is not a sum of logits; give `Metric::logit` or `Metric::logit_diff`", metric.name());
            return Err(Error::Tool { tool: Self::NAME, problem });
        };
        let (seen, heads, batch) = (Seen::of(&stream, &linear)?, self.heads(), stream.tokens.batch());
        let mut per_prompt = vec![vec![0.0; batch]; heads.len() * heads.len()];
        for (column, reader) in heads.iter().enumerate() {
            for layer in 0..reader.layer {
                let virtual_head = VirtualHead { stream: &stream, reader: *reader };
                let added = virtual_head.added(stream.head_results(layer)?, &seen)?;
                finite::check_all(Self::NAME, &self.model, &stream.tokens, "a composed head's logit", &added)?;
                for (index, value) in added.into_iter().enumerate() {
                    let (prompt, head) = (index / self.n_heads(), index % self.n_heads());
                    per_prompt[(layer * self.n_heads() + head) * heads.len() + column][prompt] = value;
                }
            }
        }
        let units = "direct contribution of the composed head to the logit (nats)";
        ScoreTable::of_prompts(Self::NAME, units, heads.clone(), heads, per_prompt)
            .map(|table| table.measured_on(&stream.tokens))
    }

    /// Takes the source prompts of a path between two heads; `.into(..)` takes the target prompts.
    pub fn from(&self, source: impl IntoTokens) -> PatchFrom<'_, Self> {
        PatchFrom::new(self, &self.model, source)
    }

    fn n_heads(&self) -> usize {
        self.model.config().n_heads
    }

    fn heads(&self) -> Vec<Head> {
        let heads = |layer| (0..self.n_heads()).map(move |head| Head { layer, head });
        (0..self.model.config().n_layers).flat_map(heads).collect()
    }

    fn stream(&self, prompts: impl IntoTokens) -> Result<Stream> {
        let tokens = prompts.into_tokens(&self.model)?;
        Stream::run(Self::NAME, &self.model, tokens, Some(site::every(site::pattern)))
    }

    /// A table of all pairs of heads from the scores of each pair of layers.
    fn table(
        &self,
        units: String,
        between: impl Fn([usize; 2]) -> Result<Vec<Vec<f64>>>,
    ) -> Result<ScoreTable<HeadPair>> {
        let (heads, n_heads) = (self.heads(), self.n_heads());
        let mut values = vec![vec![0.0; heads.len()]; heads.len()];
        for reader in 0..self.model.config().n_layers {
            for writer in 0..reader {
                for (head, row) in between([writer, reader])?.into_iter().enumerate() {
                    values[writer * n_heads + head][reader * n_heads..][..n_heads].copy_from_slice(&row);
                }
            }
        }
        ScoreTable::new(Self::NAME, units, heads.clone(), heads, values)
    }

    fn check(&self, writer: Head, reader: Head) -> Result<()> {
        for head in [writer, reader] {
            common::within("layer", head.layer, self.model.config().n_layers)?;
            common::within("head", head.head, self.n_heads())?;
        }
        if writer.layer < reader.layer {
            return Ok(());
        }
        let problem =
            format!("{} cannot read what {} writes; give a reader in a later layer", reader.label(), writer.label());
        Err(Error::Tool { tool: Self::NAME, problem })
    }
}

impl PatchInto<'_, Composer> {
    /// The direct path from one head into one input of another, by
    /// [`PathPatching`](crate::tools::PathPatching): a table of one cell. With grouped heads, a key or a value is that of
    /// the reader's whole group.
    ///
    /// # Errors
    ///
    /// Heads that do not exist, a reader that is not in a later layer, and those of
    /// [`PathPatching`](crate::tools::PathPatching)'s `paths`.
    pub fn path(&self, writer: Head, reader: Head, kind: Composition, metric: &Metric) -> Result<Scores<place::Path>> {
        let model = &self.tool.model;
        self.tool.check(writer, reader)?;
        let group = model.config().n_heads / model.config().n_kv_heads;
        let (input, head) = match kind {
            Composition::Q => (HeadInput::Query, reader.head),
            Composition::K => (HeadInput::Key, reader.head / group),
            Composition::V => (HeadInput::Value, reader.head / group),
        };
        let patching = PathPatching::new(model)?;
        let pair = PatchInto { tool: &patching, source: self.source.clone(), target: self.target.clone() };
        let receiver = Receiver::head(reader.layer, head, input);
        pair.paths([Sender::head(writer.layer, writer.head)], [receiver], Through::Stream, metric)
    }
}

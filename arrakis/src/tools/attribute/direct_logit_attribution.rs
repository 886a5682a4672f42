//! Which parts of the model write a logit directly.

mod readout;

use arrakis_models::{HookedTransformer, IntoTokens, device, progress, site};
use serde::{Deserialize, Serialize};

use self::readout::{Readout, check_sum};
use crate::error::{Error, Result};
use crate::tools::shared::common;
use crate::tools::shared::stream::Stream;
use crate::tools::{Position, ScoreTable, Tool};

/// Each component's direct contribution to a logit or a logit difference.
///
/// *What it tells you*: how much the embeddings, each head, each MLP and the biases write along the direction
/// the unembedding reads, with the final norm's scale frozen at this run's; its weight and bias, and the norms
/// some models put on what a block adds, are included. *How to read it*: contributions are in nats and add up
/// to the logit (checked: it is an error if they do not); positive pushes the answer up. *When it misleads*: it
/// sees direct paths only: a head that matters through later heads shows nothing; what one part writes another
/// may erase (MLP 0 and the last MLPs); for a single logit a push on all tokens alike counts, which a difference
/// removes. Where logits are capped, contributions are to the logit before the cap (`before_softcap`).
/// *Source*: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021; Wang et al.,
/// <https://arxiv.org/abs/2211.00593>.
#[derive(Clone, Debug)]
pub struct DirectLogitAttribution {
    model: HookedTransformer,
}

/// What contributes to a logit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// `embed`, `pos_embed`, `L9H6`, `3_mlp_out`, `bias` (attention's output biases) or `unembed_bias` (of the
    /// final norm and the unembedding).
    pub name: String,
    /// The block, where it is in one.
    pub layer: Option<usize>,
    /// The head, where it is one.
    pub head: Option<usize>,
    /// In nats.
    pub value: f32,
}

/// A logit, or a difference of two, taken apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// Each token's text, `[pos]`.
    pub tokens: Vec<String>,
    /// The position read.
    pub pos: usize,
    /// The logit or logit difference, in nats.
    pub total: f32,
    /// Whether the model caps its logits, so that `total` is the value before the cap.
    pub before_softcap: bool,
    /// In the order the model computes them; their sum is `total`.
    pub components: Vec<Contribution>,
}

/// A neuron's contribution to a logit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuronContribution {
    /// `L10N2214`
    pub name: String,
    /// The neuron.
    pub neuron: usize,
    /// Its activation after the nonlinearity (and gate).
    pub activation: f32,
    /// In nats.
    pub value: f32,
}

/// Which logit is taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogitTarget {
    /// One token's logit.
    Logit(u32),
    /// The first token's logit minus the second's.
    Difference(u32, u32),
}

impl From<u32> for LogitTarget {
    fn from(token: u32) -> Self {
        Self::Logit(token)
    }
}

impl From<(u32, u32)> for LogitTarget {
    fn from((answer, wrong): (u32, u32)) -> Self {
        Self::Difference(answer, wrong)
    }
}

impl LogitTarget {
    /// The tokens, each with its sign.
    fn terms(self) -> Vec<(u32, f32)> {
        match self {
            Self::Logit(token) => vec![(token, 1.0)],
            Self::Difference(answer, wrong) => vec![(answer, 1.0), (wrong, -1.0)],
        }
    }
}

impl Tool for DirectLogitAttribution {
    const NAME: &'static str = "direct_logit_attribution";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl DirectLogitAttribution {
    /// Every component's contribution to `logit(token)` at a position (an index, or `Position::Last`).
    ///
    /// # Errors
    ///
    /// A token or position out of range, more than one prompt, or an architecture whose stream is not a sum.
    pub fn logit(&self, prompt: impl IntoTokens, token: u32, pos: impl Into<Position>) -> Result<Attribution> {
        self.attribute(prompt, LogitTarget::Logit(token), pos)
    }

    /// Every component's contribution to `logit(answer) - logit(wrong)` at a position.
    ///
    /// # Errors
    ///
    /// As [`DirectLogitAttribution::logit`].
    pub fn logit_diff(
        &self,
        prompt: impl IntoTokens,
        answer: u32,
        wrong: u32,
        pos: impl Into<Position>,
    ) -> Result<Attribution> {
        self.attribute(prompt, LogitTarget::Difference(answer, wrong), pos)
    }

    /// The mean over prompts of each head's contribution to `logit(answer) - logit(wrong)`, `[layer][head]`, with an
    /// answer and a wrong token for each row. Every prompt has its own final norm, and is run alone.
    ///
    /// # Errors
    ///
    /// As [`DirectLogitAttribution::logit`], and where there is not one answer and one wrong token for each row.
    pub fn mean_heads(
        &self,
        prompts: impl IntoTokens,
        answers: &[u32],
        wrong: &[u32],
        pos: impl Into<Position>,
    ) -> Result<ScoreTable> {
        let (tokens, pos) = (prompts.into_tokens(&self.model)?, pos.into());
        if answers.len() != tokens.batch() || wrong.len() != tokens.batch() {
            let problem = format!(
                "{} answers and {} wrong tokens for {} prompts; give one of each for every prompt",
                answers.len(),
                wrong.len(),
                tokens.batch()
            );
            return Err(Error::Tool { tool: Self::NAME, problem });
        }
        let bar = progress::bar(Self::NAME, "prompts", tokens.batch());
        let one = |row: usize| {
            let table = self.logit_diff(tokens.row(row)?, answers[row], wrong[row], pos)?.heads();
            bar.inc(1);
            Ok(table)
        };
        let tables = (0..tokens.batch()).map(one).collect::<Result<Vec<_>>>()?;
        bar.finish_and_clear();
        ScoreTable::mean(&tables, &vec![1.0; tables.len()])
    }

    /// Every component's contribution to a target at a position.
    ///
    /// # Errors
    ///
    /// As [`DirectLogitAttribution::logit`].
    pub fn attribute(
        &self,
        prompt: impl IntoTokens,
        target: impl Into<LogitTarget>,
        pos: impl Into<Position>,
    ) -> Result<Attribution> {
        let tokens = common::one_row(Self::NAME, &self.model, prompt)?;
        let pos = pos.into().of(&tokens)?[0];
        let labels = common::labels(&self.model, &tokens);
        let whole = Stream::run(Self::NAME, &self.model, tokens, None)?;
        let readout = Readout::new(&whole, target.into(), pos)?;
        let components = readout.components()?;
        let total = readout.total(whole.logits)?;
        check_sum(&components.iter().map(|component| component.value).collect::<Vec<_>>(), total)?;
        Ok(Attribution {
            tokens: labels,
            pos,
            total,
            before_softcap: self.model.config().final_softcap.is_some(),
            components,
        })
    }

    /// The `k` neurons of a layer whose contribution to a target is furthest from zero.
    ///
    /// The MLP's output bias belongs to no neuron.
    ///
    /// # Errors
    ///
    /// As [`DirectLogitAttribution::logit`], a layer out of range, or a mixture of experts.
    pub fn neurons(
        &self,
        prompt: impl IntoTokens,
        target: impl Into<LogitTarget>,
        pos: impl Into<Position>,
        layer: usize,
        k: usize,
    ) -> Result<Vec<NeuronContribution>> {
        self.model.w_out(layer)?;
        let tokens = common::one_row(Self::NAME, &self.model, prompt)?;
        let pos = pos.into().of(&tokens)?[0];
        let whole = Stream::run(Self::NAME, &self.model, tokens, Some(site::mlp_post(layer)))?;
        let readout = Readout::new(&whole, target.into(), pos)?;
        let activations = device::read(readout.stream.cache.get::<3>(site::mlp_post(layer))?)?;
        let each = device::read(readout.along(readout.stream.neuron_directions(layer)?))?;
        let values: Vec<f32> = activations.iter().zip(&each).map(|(activation, each)| activation * each).collect();
        readout.check_neurons(layer, &values)?;
        let sizes: Vec<f32> = values.iter().map(|value| value.abs()).collect();
        let contribution = |neuron: usize| NeuronContribution {
            name: format!("L{layer}N{neuron}"),
            neuron,
            activation: activations[neuron],
            value: values[neuron],
        };
        Ok(common::largest(&sizes, k).into_iter().map(contribution).collect())
    }
}

impl Attribution {
    /// The sum of all contributions, in nats.
    pub fn sum(&self) -> f32 {
        self.components.iter().map(|component| component.value).sum()
    }

    /// The contribution of a component, in nats.
    pub fn get(&self, name: &str) -> Option<f32> {
        self.components.iter().find(|component| component.name == name).map(|component| component.value)
    }

    /// The `k` contributions furthest from zero, furthest first.
    pub fn top(&self, k: usize) -> Vec<&Contribution> {
        let sizes: Vec<f32> = self.components.iter().map(|component| component.value.abs()).collect();
        common::largest(&sizes, k).into_iter().map(|index| &self.components[index]).collect()
    }

    /// The heads alone, `[layer][head]`, in nats.
    pub fn heads(&self) -> ScoreTable {
        let mut values: Vec<Vec<f32>> = Vec::new();
        for (layer, component) in
            self.components.iter().filter(|c| c.head.is_some()).filter_map(|c| Some((c.layer?, c)))
        {
            values.resize(values.len().max(layer + 1), Vec::new());
            values[layer].push(component.value);
        }
        ScoreTable::heads(values, "direct contribution to the logit (nats)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture, induction_model};

    #[test]
    fn the_planted_copy_head_writes_the_logit() {
        let tool = DirectLogitAttribution::new(&induction_model()).unwrap();
        let found = tool.logit_diff([3, 5, 7, 3], 5, 7, Position::Last).unwrap();
        assert_eq!(found.heads().top(1)[0].label, "L1H0");
        assert!(found.top(1)[0].value > 0.9 * found.total);
    }

    #[test]
    fn contributions_add_up_in_every_fixture() {
        for name in ["gpt2", "gpt_neo", "gpt_neox", "llama"] {
            let model = fixture(name);
            let tool = DirectLogitAttribution::new(&model).unwrap();
            for pos in 0..4 {
                let found = tool.logit([34, 17, 29, 49], 63, pos).unwrap();
                let logits = device::read(model.forward([34, 17, 29, 49]).unwrap()).unwrap();
                close(found.total, logits[pos * 120 + 63], 0.0);
                close(found.sum(), found.total, 1e-4);
            }
        }
    }

    #[test]
    fn neurons_and_bias_are_the_mlp() {
        for name in ["gpt2", "llama"] {
            let tool = DirectLogitAttribution::new(&fixture(name)).unwrap();
            let neurons = tool.neurons([34, 17, 29, 49], (63, 25), 3, 1, usize::MAX).unwrap();
            assert!(neurons[0].name.starts_with("L1N") && neurons[0].value.abs() >= neurons[1].value.abs());
        }
        // A bias that nothing accounts for is an error.
        let error = check_sum(&[1.0, 2.0], 3.5).unwrap_err().to_string();
        assert!(error.starts_with("direct_logit_attribution: the contributions add up to 3, not to 3.5;"), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        let tool = DirectLogitAttribution::new(&fixture("gpt2")).unwrap();
        assert_eq!(
            tool.logit([1], 120, 0).unwrap_err().to_string(),
            "token 120 is out of range: there are 120, numbered from 0"
        );
        assert_eq!(
            tool.logit([1], 0, 1).unwrap_err().to_string(),
            "position 1 is out of range: there are 1, numbered from 0"
        );
        assert_eq!(
            tool.neurons([1], 0, 0, 3, 1).unwrap_err().to_string(),
            "layer 3 is out of range: there are 3, numbered from 0"
        );
    }
}

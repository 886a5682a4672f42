//! Token sequences by evolutionary search, weighed against fluency.

use arrakis_models::Tokens;
use burn::tensor::Tensor;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::objective::{self, Objective, Scored, Sloped, ordinary};
use super::{FeatureViz, own, refuse};
use crate::corpus::Unit;
use crate::error::Result;
use crate::tools::Position;
use crate::tools::shared::common;

/// How [`FeatureViz::dream`] searches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DreamSearch {
    /// Tokens to find.
    pub length: usize,
    /// Rounds of changing one token.
    pub rounds: usize,
    /// Changed prompts tried in each round for each fluency.
    pub children: usize,
    /// Tokens that a change is drawn from at each position: the best by gradient.
    pub candidates: usize,
    /// Weights λ of the mean log-probability, in units of the activation per nat. Each gives one dream; 0 ignores
    /// fluency.
    pub fluency: Vec<f64>,
    /// Tokens before the dream that are not changed, such as a BOS. `None` takes what the tokenizer puts before a text.
    pub prefix: Option<Vec<u32>>,
    /// The position at which the unit is read.
    pub at: Position,
    /// Seed of the first prompts and of the changes.
    pub seed: u64,
}

impl Default for DreamSearch {
    fn default() -> Self {
        let (prefix, at) = (None, Position::LAST);
        Self { length: 8, rounds: 40, children: 32, candidates: 32, fluency: vec![0.0, 0.1, 1.0], prefix, at, seed: 0 }
    }
}

/// A dream for each fluency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dreams {
    /// In the order of [`DreamSearch::fluency`].
    pub dreams: Vec<Dreamed>,
    /// Forward passes.
    pub forwards: usize,
}

/// A token sequence that activates a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dreamed {
    /// The weight λ of fluency.
    pub fluency: f64,
    /// Its tokens, without the prefix.
    pub tokens: Vec<u32>,
    /// Their texts, joined.
    pub text: String,
    /// The unit's activation, in the units of its site.
    pub activation: f64,
    /// Mean log-probability of all tokens after the first, in nats per token; `None` if every λ is 0.
    pub log_prob: Option<f64>,
    /// Whether the tokenizer gives these tokens for this text; `None` without a tokenizer.
    pub round_trips: Option<bool>,
}

impl FeatureViz {
    /// Token sequences that maximise `activation + λ · mean log-probability`, one for each λ.
    ///
    /// Each round changes one token of the current prompts: candidates are the tokens with the largest first-order gain,
    /// drawn ones are run in batches, and each λ keeps the best of all of them. No score falls from round to round.
    ///
    /// # Errors
    ///
    /// A unit that the model does not have, settings of 0, a length beyond the context, λ above 0 for an encoder, numbers
    /// that are not finite.
    pub fn dream(&self, unit: &Unit, dream: &DreamSearch) -> Result<Dreams> {
        unit.check(&self.model)?;
        let prefix = self.prefix(dream)?;
        dream.check(self.model.config().max_positions(), prefix.len())?;
        let objective = Objective { model: &self.model, unit, at: dream.at };
        let search = Search {
            objective,
            dream,
            table: objective::table(&self.model),
            ordinary: ordinary(&self.model)?,
            fluent: dream.fluency.iter().any(|weight| *weight != 0.0),
            prefix,
        };
        let (prompts, scored, forwards) = search.run().map_err(own)?;
        let pairs = dream.fluency.iter().zip(prompts.into_iter().zip(scored));
        let dreams =
            pairs.map(|(fluency, (prompt, scored))| self.dreamed(&search, *fluency, &prompt, scored)).collect();
        Ok(Dreams { dreams, forwards })
    }

    fn dreamed(&self, search: &Search<'_>, fluency: f64, prompt: &[u32], scored: Scored) -> Dreamed {
        let tokens = prompt[search.prefix.len()..].to_vec();
        let text: String = tokens.iter().map(|id| common::label(&self.model, *id)).collect();
        let again = self.model.tokenizer().ok().map(|own| own.encode(&text, arrakis_models::Bos::Omit));
        let round_trips = again.map(|again| again.is_ok_and(|again| again == tokens));
        let log_prob = search.fluent.then_some(scored.log_prob);
        Dreamed { fluency, tokens, text, activation: scored.activation, log_prob, round_trips }
    }

    /// The fixed tokens before a dream.
    pub(super) fn prefix(&self, dream: &DreamSearch) -> Result<Vec<u32>> {
        let prefix = match (&dream.prefix, self.model.tokenizer()) {
            (Some(prefix), _) => prefix.clone(),
            (None, Ok(tokenizer)) if !self.model.config().bidirectional => {
                tokenizer.encode("", arrakis_models::Bos::AsTokenizer)?
            }
            _ => Vec::new(),
        };
        prefix.iter().try_for_each(|id| common::check_token(&self.model, *id))?;
        Ok(prefix)
    }
}

impl DreamSearch {
    fn check(&self, longest: usize, prefix: usize) -> Result<()> {
        let most = longest.saturating_sub(prefix);
        if !(1..=most).contains(&self.length) || self.children == 0 || self.candidates == 0 {
            return Err(refuse(format!(
                "cannot dream {} tokens with {} children from {} candidates; give 1 to {most} tokens, and at least 1 of \
                 each",
                self.length, self.children, self.candidates
            )));
        }
        if self.fluency.is_empty() || self.fluency.iter().any(|weight| !weight.is_finite() || *weight < 0.0) {
            return Err(refuse(format!("fluency {:?} gives no dream; give weights of at least 0", self.fluency)));
        }
        if self.fluency.iter().any(|weight| *weight > 0.0) && self.length + prefix < 2 {
            return Err(refuse("a single token has no log-probability; give a length of at least 2".into()));
        }
        Ok(())
    }
}

struct Search<'a> {
    objective: Objective<'a>,
    dream: &'a DreamSearch,
    /// `[d_vocab, d_model]`
    table: Tensor<2>,
    ordinary: Vec<u32>,
    fluent: bool,
    prefix: Vec<u32>,
}

impl Search<'_> {
    /// The best prompt for each fluency, its numbers, and the forwards it took.
    fn run(&self) -> Result<(Vec<Vec<u32>>, Vec<Scored>, usize)> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.dream.seed);
        let mut prompt = || {
            let drawn = (0..self.dream.length).map(|_| self.ordinary[rng.random_range(0..self.ordinary.len())]);
            self.prefix.iter().copied().chain(drawn).collect::<Vec<u32>>()
        };
        let mut prompts: Vec<Vec<u32>> = self.dream.fluency.iter().map(|_| prompt()).collect();
        let (mut scored, mut forwards) = self.objective.of_rows(&prompts, self.fluent)?;
        for _ in 0..self.dream.rounds {
            let sloped = self.objective.slopes(&Tokens::new(prompts.clone())?, None, &self.dream.fluency)?;
            let children = self.children(&prompts, &sloped, &mut rng)?;
            let (new, runs) = self.objective.of_rows(&children, self.fluent)?;
            forwards += 1 + runs;
            // The current prompts come first, so a change must be better to replace one.
            let all: Vec<(Vec<u32>, Scored)> =
                prompts.into_iter().zip(scored).chain(children.into_iter().zip(new)).collect();
            let best = |weight: &f64| {
                let scores: Vec<f64> = all.iter().map(|(_, own)| own.activation + weight * own.log_prob).collect();
                all[common::largest(&scores, 1)[0]].clone()
            };
            (prompts, scored) = self.dream.fluency.iter().map(best).unzip();
        }
        Ok((prompts, scored, forwards))
    }

    /// Each prompt with one token changed, several times.
    fn children(&self, prompts: &[Vec<u32>], sloped: &Sloped, rng: &mut ChaCha8Rng) -> Result<Vec<Vec<u32>>> {
        let first = self.prefix.len();
        let mut children = Vec::new();
        for (row, prompt) in prompts.iter().enumerate() {
            let candidates = (first..prompt.len())
                .map(|at| self.candidates(sloped, row, at, prompt[at]))
                .collect::<Result<Vec<_>>>()?;
            for _ in 0..self.dream.children {
                let at = rng.random_range(0..candidates.len());
                let mut child = prompt.clone();
                child[first + at] = candidates[at][rng.random_range(0..candidates[at].len())];
                children.push(child);
            }
        }
        Ok(children)
    }

    /// The tokens with the largest first-order gain at a position, without the one that is there.
    fn candidates(&self, sloped: &Sloped, row: usize, at: usize, own: u32) -> Result<Vec<u32>> {
        let gains = self.gains(sloped, row, at)?;
        let others: Vec<u32> = self.ordinary.iter().copied().filter(|id| *id != own).collect();
        let values: Vec<f64> = others.iter().map(|id| gains[*id as usize]).collect();
        Ok(common::largest(&values, self.dream.candidates).into_iter().map(|at| others[at]).collect())
    }

    /// What each token would add to the score at a position, to first order and up to a constant: the product of its
    /// embedding with the gradient, and its own log-probability there.
    fn gains(&self, sloped: &Sloped, row: usize, at: usize) -> Result<Vec<f64>> {
        let [_, pos, d_model] = sloped.at_embed.dims();
        let slope = sloped.at_embed.clone().narrow(0, row, 1).narrow(1, at, 1).reshape([1, d_model]);
        let mut gains = common::numbers(slope.matmul(self.table.clone().transpose()))?;
        if let (Some(log_probs), true) = (&sloped.log_probs, at > 0) {
            let [_, _, d_vocab] = log_probs.dims();
            let own = log_probs.clone().narrow(0, row, 1).narrow(1, at - 1, 1).reshape([d_vocab]);
            let weight = self.dream.fluency[row] / (pos - 1) as f64;
            gains.iter_mut().zip(common::numbers(own)?).for_each(|(gain, own)| *gain += weight * own);
        }
        Ok(gains)
    }
}

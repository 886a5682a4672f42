//! How to generate: settings, one method each.

use crate::hooks::{Capture, Edit, Plan, SitePattern};

/// How to generate.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Tokens to add, at most.
    pub max_new_tokens: usize,
    /// 0 takes the likeliest token; above, logits are divided by it and a token is drawn.
    pub temperature: f32,
    /// Only this many of the likeliest tokens are drawn from.
    pub top_k: Option<usize>,
    /// Only the fewest likeliest tokens whose probability reaches this are drawn from; of the top k, where both are set.
    pub top_p: Option<f32>,
    /// Subtracted from a token's logit for each time it has occurred, the prompt included; as in TransformerLens after
    /// the temperature has divided the logits. At temperature 0, which TransformerLens leaves unpenalised, from the
    /// logits themselves.
    pub frequency_penalty: f32,
    /// Logits of tokens that have occurred, the prompt included, are divided by this where positive, multiplied where
    /// negative (<https://arxiv.org/abs/1909.05858>), before all else: as Hugging Face and TransformerLens do.
    pub repetition_penalty: f32,
    /// A row ends when it has produced one of these.
    pub stop_tokens: Vec<u32>,
    /// Seed of the draws.
    pub seed: u64,
    /// The stream of the seed that row 0 draws from, row 1 from the next: a row's draws are its own. The row `r` of a
    /// batch, generated alone, is `stream: r`.
    pub stream: u64,
    /// Whether keys and values are kept; without, every step recomputes the whole prefix.
    pub use_cache: bool,
    /// What is captured and edited at every step.
    pub plan: Plan,
}

impl Default for Generation {
    fn default() -> Self {
        Self {
            max_new_tokens: 20,
            temperature: 0.0,
            top_k: None,
            top_p: None,
            frequency_penalty: 0.0,
            repetition_penalty: 1.0,
            stop_tokens: Vec::new(),
            seed: 0,
            stream: 0,
            use_cache: true,
            plan: Plan::new(),
        }
    }
}

impl Generation {
    /// The likeliest token each time, this many tokens.
    ///
    /// ```
    /// # use arrakis_models::{Generation, HookedAutoModel, Intervention, Result, site};
    /// # fn main() -> Result<()> {
    /// let model = HookedAutoModel::embedded()?;
    /// let how = Generation::greedy(3).edit(site::z(1), Intervention::zero().head(0)).capture(site::resid_post(2));
    /// assert_eq!(model.generate("John gave a drink to", &how)?.steps.len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn greedy(max_new_tokens: usize) -> Self {
        Self { max_new_tokens, ..Self::default() }
    }

    /// Draws this many tokens, at temperature 1.
    pub fn sampled(max_new_tokens: usize) -> Self {
        Self { temperature: 1.0, ..Self::greedy(max_new_tokens) }
    }

    /// 0 takes the likeliest token; above, logits are divided by it and a token is drawn.
    #[must_use]
    pub fn temperature(self, temperature: f32) -> Self {
        Self { temperature, ..self }
    }

    /// Draws from this many of the likeliest tokens.
    #[must_use]
    pub fn top_k(self, k: usize) -> Self {
        Self { top_k: Some(k), ..self }
    }

    /// Draws from the fewest likeliest tokens whose probability reaches `p`.
    #[must_use]
    pub fn top_p(self, p: f32) -> Self {
        Self { top_p: Some(p), ..self }
    }

    /// Subtracts this from a token's logit for each time it has occurred.
    #[must_use]
    pub fn frequency_penalty(self, penalty: f32) -> Self {
        Self { frequency_penalty: penalty, ..self }
    }

    /// Makes tokens that have occurred less likely, above 1.
    #[must_use]
    pub fn repetition_penalty(self, penalty: f32) -> Self {
        Self { repetition_penalty: penalty, ..self }
    }

    /// A row ends when it has produced one of these.
    #[must_use]
    pub fn stop_at(self, tokens: impl IntoIterator<Item = u32>) -> Self {
        Self { stop_tokens: tokens.into_iter().collect(), ..self }
    }

    /// Seed of the draws.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The stream of the seed that row 0 draws from.
    #[must_use]
    pub fn stream(self, stream: u64) -> Self {
        Self { stream, ..self }
    }

    /// Whether keys and values are kept between steps, as they are unless this says otherwise. The numbers agree.
    #[must_use]
    pub fn use_cache(self, use_cache: bool) -> Self {
        Self { use_cache, ..self }
    }

    /// What is captured and edited at every step, in place of what was said before.
    #[must_use]
    pub fn plan(self, plan: Plan) -> Self {
        Self { plan, ..self }
    }

    /// Edits the tensors at the sites that fit, at every step.
    #[must_use]
    pub fn edit(mut self, sites: impl Into<SitePattern>, edit: impl Into<Edit>) -> Self {
        self.plan = self.plan.edit(sites, edit);
        self
    }

    /// Keeps the tensors at the sites that fit, at every step: [`Generated::steps`](super::Generated::steps).
    #[must_use]
    pub fn capture(mut self, capture: impl Into<Capture>) -> Self {
        self.plan = self.plan.capture(capture);
        self
    }
}

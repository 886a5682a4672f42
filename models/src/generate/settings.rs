//! How to generate: settings, one method each.

use crate::hooks::{Capture, Edit, Plan, SitePattern};

/// How to generate.
#[derive(Clone, Debug)]
pub struct Generation {
    /// The most tokens to add.
    pub max_new_tokens: usize,
    /// 0 takes the likeliest token. Above 0, logits are divided by it and a token is drawn.
    pub temperature: f32,
    /// Draws only from this many of the likeliest tokens.
    pub top_k: Option<usize>,
    /// Draws only from the fewest likeliest tokens whose total probability reaches this. With `top_k`, from among
    /// those.
    pub top_p: Option<f32>,
    /// Subtracted from a token's logit for each time it has occurred, including in the prompt. As in TransformerLens,
    /// this comes after the division by the temperature. At temperature 0 it is subtracted from the logits themselves;
    /// TransformerLens applies no penalty there.
    pub frequency_penalty: f32,
    /// Applied first, to the logits of tokens that have occurred, including in the prompt: a positive logit is divided
    /// by it, a negative one multiplied (<https://arxiv.org/abs/1909.05858>). As in Hugging Face and TransformerLens.
    pub repetition_penalty: f32,
    /// A row ends once it has produced one of these, or one of the model's own
    /// ([`HookedTransformer::stop_tokens`](crate::HookedTransformer::stop_tokens)).
    pub stop_tokens: Vec<u32>,
    /// Whether a row goes on past the model's own stop tokens.
    pub ignore_eos: bool,
    /// Seed of the draws.
    pub seed: u64,
    /// The random stream of the seed that row 0 draws from. Row 1 draws from the next, so each row has its own draws.
    /// To reproduce row `r` of a batch alone, use `stream: r`.
    pub stream: u64,
    /// Whether keys and values are kept. If not, every step recomputes the whole prefix.
    pub use_cache: bool,
    /// The captures and edits of every step.
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
            ignore_eos: false,
            seed: 0,
            stream: 0,
            use_cache: true,
            plan: Plan::new(),
        }
    }
}

impl Generation {
    /// Takes the likeliest token each time, up to this many tokens.
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

    /// Draws up to this many tokens at temperature 1.
    pub fn sampled(max_new_tokens: usize) -> Self {
        Self { temperature: 1.0, ..Self::greedy(max_new_tokens) }
    }

    /// Sets the temperature: 0 takes the likeliest token; above 0, logits are divided by it and a token is drawn.
    #[must_use]
    pub fn temperature(self, temperature: f32) -> Self {
        Self { temperature, ..self }
    }

    /// Draws only from this many of the likeliest tokens.
    #[must_use]
    pub fn top_k(self, k: usize) -> Self {
        Self { top_k: Some(k), ..self }
    }

    /// Draws only from the fewest likeliest tokens whose total probability reaches `p`.
    #[must_use]
    pub fn top_p(self, p: f32) -> Self {
        Self { top_p: Some(p), ..self }
    }

    /// Subtracts this from a token's logit for each time it has occurred.
    #[must_use]
    pub fn frequency_penalty(self, penalty: f32) -> Self {
        Self { frequency_penalty: penalty, ..self }
    }

    /// Makes tokens that have occurred less likely if it is above 1.
    #[must_use]
    pub fn repetition_penalty(self, penalty: f32) -> Self {
        Self { repetition_penalty: penalty, ..self }
    }

    /// Ends a row once it has produced one of these, or one of the model's own stop tokens.
    #[must_use]
    pub fn stop_at(self, tokens: impl IntoIterator<Item = u32>) -> Self {
        Self { stop_tokens: tokens.into_iter().collect(), ..self }
    }

    /// Goes on past the model's own stop tokens.
    #[must_use]
    pub fn ignore_eos(self) -> Self {
        Self { ignore_eos: true, ..self }
    }

    /// Sets the seed of the draws.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Sets the random stream of the seed that row 0 draws from.
    #[must_use]
    pub fn stream(self, stream: u64) -> Self {
        Self { stream, ..self }
    }

    /// Sets whether keys and values are kept between steps (by default they are). The numbers agree either way.
    #[must_use]
    pub fn use_cache(self, use_cache: bool) -> Self {
        Self { use_cache, ..self }
    }

    /// Sets the captures and edits of every step, replacing earlier ones.
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

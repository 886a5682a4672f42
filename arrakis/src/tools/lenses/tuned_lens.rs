//! The logit lens with a learned change of basis at each depth.

mod divergence;
mod files;
mod refuse;
mod training;
mod translators;

pub use divergence::LensStep;
pub use training::{Rule, Training};

use std::path::Path;

use arrakis_models::{HookedTransformer, IntoTokens, Plan, Tokens, log_softmax, site};
use burn::tensor::Tensor;

use crate::error::Result;
use crate::tools::shared::lens::LensReader;
use crate::tools::shared::{common, finite};
use crate::tools::{Answer, ScoreTable, Tool};
use refuse::refuse;
use training::Trainer;
use translators::Translator;

pub use crate::tools::shared::lens::{Candidate, Lens, TargetLens};

/// The stream entering each block, translated into the basis of the last layer and then read as logits.
///
/// # What it tells you
///
/// What the stream already says at each depth, where the logit lens misreads it. The translator of layer `l` is
/// `h + h A_l + b_l`; the model's own final norm and unembedding follow. A new tool has zero translators: it is the logit
/// lens. [`TunedLens::train`] fits them on text, with the model frozen.
///
/// # How to read it
///
/// - Rows are `0_pre, 1_pre, …, final_post`. The last row has no translator and equals the model's own logits.
/// - [`TunedLens::loss`] is the divergence from the model's output, beside that of the logit lens. Judge it on text that
///   was not trained on.
///
/// # When it misleads
///
/// - The lens learns what follows from the stream, not what the model does with it: a translator may predict what later
///   layers compute from other inputs.
/// - It fits the text it was trained on. On other text, check the loss first.
/// - Few tokens fit `d_model²` numbers badly.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `train` | `steps` | `steps · layers` |
/// | `loss`, `top`, `target`, `logits` | 1 | 0 |
///
/// A backward pass goes through one unembedding; the model itself is not differentiated.
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let bench = Bench::embedded()?;
/// let lens: TunedLens = bench.tool()?;
/// let text = |name: &str| format!("When {name} and John went to the store, John gave a drink to {name}.");
/// let tokens = |name: &str| Tokens::new(vec![bench.model().to_tokens(&text(name))?]);
/// let trained = lens.train(&[tokens("Mary")?, tokens("Anna")?], &Training::adamw().steps(10))?;
/// let loss = trained.lens.loss(text("Emma").as_str())?;
/// for (step, kl) in loss.rows.iter().zip(&loss.values) {
///     println!("{step}: {:.2} nats, {:.2} by the logit lens", kl[0], kl[1]);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Belrose et al., <https://arxiv.org/abs/2303.08112>, equation 6; loss, optimizer and files as in
/// <https://github.com/AlignmentResearch/tuned-lens>.
#[derive(Clone, Debug)]
pub struct TunedLens {
    model: HookedTransformer,
    /// One for the stream entering each block.
    translators: Vec<Translator>,
}

/// A lens after training.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The lens.
    pub lens: TunedLens,
    /// The loss of each layer before each step, `[step][layer]`: the divergence on the step's batch, in nats per token.
    pub losses: Vec<Vec<f64>>,
}

impl Tool for TunedLens {
    const NAME: &'static str = refuse::NAME;

    fn new(model: &HookedTransformer) -> Result<Self> {
        let config = model.config();
        let zero = |_| Translator::zero(config.d_model, model.device());
        Ok(Self { model: model.clone(), translators: (0..config.n_layers).map(zero).collect() })
    }
}

impl TunedLens {
    /// Trains the translators of this lens further, one batch a step, and again from the first batch. The loss of a layer
    /// is `KL(model || lens)` in nats, averaged over the batch's tokens; the model is frozen.
    ///
    /// # Errors
    ///
    /// No batch, settings that are not valid, batches that do not fit the model, a loss that is not finite.
    pub fn train(&self, batches: &[Tokens], training: &Training) -> Result<Trained> {
        training.check()?;
        if batches.is_empty() {
            return Err(refuse("there is nothing to train on; give at least one batch of tokens"));
        }
        let (translators, losses) = Trainer::new(&self.model, self.translators.clone(), *training).run(batches)?;
        Ok(Trained { lens: Self { model: self.model.clone(), translators }, losses })
    }

    /// Writes the lens to a folder: `config.json` and `model.safetensors`, with the keys and tensor names of the paper's
    /// code.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<()> {
        files::save(folder.as_ref(), &self.model, &self.translators)
    }

    /// The lens of this model that [`TunedLens::save`] wrote, with the same bits. A lens of the paper's code can be read
    /// if its `params.pt` is converted to `model.safetensors`.
    ///
    /// # Errors
    ///
    /// Files that are missing or broken, a lens of a model with other weights or another shape, a `params.pt` alone.
    pub fn load(&self, folder: impl AsRef<Path>) -> Result<Self> {
        Ok(Self { model: self.model.clone(), translators: files::load(folder.as_ref(), &self.model)? })
    }

    /// `KL(model || lens)` of this lens and of the logit lens, in nats, averaged over each prompt's own tokens and then
    /// over prompts: `[step][lens]`.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, numbers that are not finite.
    pub fn loss(&self, prompts: impl IntoTokens) -> Result<ScoreTable<LensStep>> {
        let tokens = prompts.into_tokens(&self.model)?;
        let steps = self.steps();
        let plan = steps.iter().fold(Plan::new(), |plan, (_, site)| plan.capture(site.as_str()));
        let outcome = self.model.run(&tokens, plan)?;
        let target = log_softmax(outcome.output);
        let mut cells = Vec::new();
        for (step, (label, site)) in steps.iter().enumerate() {
            let resid = outcome.cache.get::<3>(site.as_str())?;
            for resid in [self.translate(step, resid.clone()), resid] {
                let apart = divergence::of_positions(target.clone(), self.model.net().forward_unembed(resid));
                let cell = common::numbers(divergence::of_prompts(&apart, &tokens))?;
                finite::check_all(Self::NAME, &self.model, &tokens, &format!("the loss of `{label}`"), &cell)?;
                cells.push(cell);
            }
        }
        let rows = steps.into_iter().map(|(label, _)| label).collect();
        let lenses = ["tuned lens", "logit lens"].map(str::to_owned).to_vec();
        ScoreTable::of_prompts(Self::NAME, "KL to the model's output (nats)", rows, lenses, cells)
            .map(|table| table.measured_on(&tokens))
    }

    /// The `k` likeliest tokens at each point, `[step][pos][rank]`; ties by id.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model, more than one prompt, logits that are NaN or plus infinity.
    pub fn top(&self, prompt: impl IntoTokens, k: usize) -> Result<Lens> {
        self.reader().top(prompt, k)
    }

    /// Rank, logit and log-probability of one token at each point, averaged over prompts of one length: `[step][pos]`.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model, prompts of different lengths, an answer that is not one token of the
    /// model, logits that are NaN or plus infinity.
    pub fn target(&self, prompts: impl IntoTokens, answer: impl Into<Answer>) -> Result<TargetLens> {
        self.reader().target(prompts, answer)
    }

    /// The logits at each point by label, each `[batch, pos, d_vocab]`. All of them are kept in memory, so use the
    /// other methods for long prompts.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model.
    pub fn logits(&self, prompts: impl IntoTokens) -> Result<Vec<(String, Tensor<3>)>> {
        self.reader().logits(prompts)
    }

    fn reader(&self) -> LensReader<'_, impl Fn(usize, Tensor<3>) -> Tensor<3>> {
        let translate = |step, resid| self.translate(step, resid);
        LensReader { tool: Self::NAME, model: &self.model, steps: self.steps(), translate }
    }

    /// A point of the stream in the basis of the last layer. The last point has no translator.
    fn translate(&self, step: usize, resid: Tensor<3>) -> Tensor<3> {
        match self.translators.get(step) {
            Some(translator) => translator.apply(resid),
            None => resid,
        }
    }

    /// Labels and sites: the stream entering each block, and that leaving the last.
    fn steps(&self) -> Vec<(String, String)> {
        let n_layers = self.translators.len();
        let entering = (0..n_layers).map(|layer| (format!("{layer}_pre"), site::resid_pre(layer).to_string()));
        entering.chain([("final_post".to_owned(), site::resid_post(n_layers - 1).to_string())]).collect()
    }
}

#[cfg(test)]
mod tests;

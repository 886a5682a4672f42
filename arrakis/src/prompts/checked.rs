//! Checks a set on a model: its labels, its tokens, and what the metric says.

use std::fmt;

use arrakis_models::HookedTransformer;
use serde::{Deserialize, Serialize};

use super::misfit::misfit;
use super::{Known, KnownPrompt, PromptSet};
use crate::error::Result;

/// What a model makes of a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// The set's name.
    pub name: String,
    /// The number of prompts.
    pub prompts: usize,
    /// What is wrong with prompts, each with its index: a label that is wrong or says nothing, and texts that the tokenizer
    /// does not read as tokens that align.
    pub problems: Vec<String>,
    /// The share of prompts whose right answer has a higher logit than the wrong one; 0 if no prompt can be run.
    pub accuracy: f64,
    /// The mean logit difference of the clean prompts, right minus wrong, in nats.
    pub clean: f64,
    /// The same of the corrupted prompts.
    pub corrupted: f64,
    /// The share of prompts whose logit difference is lower when they are corrupted: those that the metric tells apart.
    pub told_apart: f64,
}

impl PromptSet {
    /// Checks every prompt by its label, by the model's tokenizer, and by the metric. Prompts with a problem are not run.
    ///
    /// The label of a prompt of a built-in set is worked out again from its text. That of your own prompts must differ from
    /// the wrong answer.
    ///
    /// # Errors
    ///
    /// Those of a run.
    pub fn check(&self, model: &HookedTransformer) -> Result<Checked> {
        let known = Known::find(&self.name).ok();
        let (mut problems, mut sound) = (Vec::new(), Vec::new());
        for (index, prompt) in self.prompts.iter().enumerate() {
            match mislabelled(known, prompt).or_else(|| misfit(model, prompt)) {
                Some(problem) => problems.push(format!("prompt {index}: {problem}")),
                None => sound.push(prompt.clone()),
            }
        }
        let [clean, corrupted] = Self { name: self.name.clone(), prompts: sound }.values(model)?;
        let share = |is: &dyn Fn(usize) -> bool| {
            (0..clean.len()).filter(|at| is(*at)).count() as f64 / clean.len().max(1) as f64
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        Ok(Checked {
            name: self.name.clone(),
            prompts: self.prompts.len(),
            problems,
            accuracy: share(&|at| clean[at] > 0.0),
            told_apart: share(&|at| corrupted[at] < clean[at]),
            clean: mean(&clean),
            corrupted: mean(&corrupted),
        })
    }

    /// The logit differences of the clean and of the corrupted prompts.
    fn values(&self, model: &HookedTransformer) -> Result<[Vec<f64>; 2]> {
        if self.prompts.is_empty() {
            return Ok([Vec::new(), Vec::new()]);
        }
        let pairs = self.pairs(model)?;
        Ok([pairs.metric().values(model, &pairs.clean)?, pairs.metric().values(model, &pairs.corrupted)?])
    }
}

/// What is wrong with the labels of a prompt.
fn mislabelled(known: Option<Known>, prompt: &KnownPrompt) -> Option<String> {
    let KnownPrompt { clean, corrupted, answer, wrong, .. } = prompt;
    let right = |answer: &str| known.and_then(|known| known.is_right(clean, answer));
    if clean == corrupted {
        return Some(format!("`{clean}` is not corrupted"));
    }
    if answer == wrong {
        return Some(format!("`{answer}` is called both right and wrong"));
    }
    if known.is_some() && right(answer) != Some(true) {
        return Some(format!("`{answer}` is not the right answer of `{clean}`"));
    }
    (right(wrong) == Some(true)).then(|| format!("`{wrong}` is called wrong, and is right for `{clean}`"))
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, prompts, problems, accuracy, clean, corrupted, told_apart } = self;
        write!(
            f,
            "{name}: {prompts} prompts, {} with problems; accuracy {:.1} %, logit difference {clean:.2} nats clean and \
             {corrupted:.2} corrupted, told apart in {:.1} %",
            problems.len(),
            100.0 * accuracy,
            100.0 * told_apart
        )?;
        problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

#[cfg(test)]
mod tests;

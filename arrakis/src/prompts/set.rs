//! A named set of prompts.

use std::collections::BTreeSet;

use arrakis_models::HookedTransformer;
use serde::{Deserialize, Serialize};

use super::KnownPrompt;
use crate::error::Result;
use crate::tools::{PromptPair, PromptPairs};

/// Prompts with known answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptSet {
    /// What it is called: the name of a built-in set, or the file's.
    pub name: String,
    /// The prompts.
    pub prompts: Vec<KnownPrompt>,
}

impl PromptSet {
    /// The prompts that are not held out.
    #[must_use]
    pub fn train(&self) -> Self {
        self.filter(|prompt| !prompt.held_out)
    }

    /// The held-out prompts.
    #[must_use]
    pub fn held_out(&self) -> Self {
        self.filter(|prompt| prompt.held_out)
    }

    /// The prompts of one template.
    #[must_use]
    pub fn of_template(&self, template: &str) -> Self {
        self.filter(|prompt| prompt.template == template)
    }

    fn filter(&self, keep: impl Fn(&KnownPrompt) -> bool) -> Self {
        let prompts = self.prompts.iter().filter(|prompt| keep(prompt)).cloned().collect();
        Self { name: self.name.clone(), prompts }
    }

    /// The templates, sorted.
    pub fn templates(&self) -> Vec<&str> {
        let templates: BTreeSet<&str> = self.prompts.iter().map(|prompt| prompt.template.as_str()).collect();
        templates.into_iter().collect()
    }

    /// The prompts as tokens of a model. Their groups are the templates.
    ///
    /// # Errors
    ///
    /// Those of [`PromptPairs::new`].
    pub fn pairs(&self, model: &HookedTransformer) -> Result<PromptPairs> {
        let pairs: Vec<PromptPair<&str>> = self.prompts.iter().map(KnownPrompt::pair).collect();
        PromptPairs::new(model, &pairs)?.with_groups(self.prompts.iter().map(|prompt| prompt.template.as_str()))
    }
}

//! One prompt with a known answer.

use serde::{Deserialize, Serialize};

use crate::tools::PromptPair;

/// A prompt, its corrupted version, and the right and the wrong next token, as texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownPrompt {
    /// The prompt.
    pub clean: String,
    /// The prompt with one thing changed and the same number of tokens.
    pub corrupted: String,
    /// The right next token, with its leading space.
    pub answer: String,
    /// A wrong next token.
    pub wrong: String,
    /// The sentence without its words: prompts of one template are a group.
    #[serde(default)]
    pub template: String,
    /// Whether it belongs to the held-out side.
    #[serde(default)]
    pub held_out: bool,
}

impl KnownPrompt {
    /// The texts alone.
    pub fn pair(&self) -> PromptPair<&str> {
        PromptPair { clean: &self.clean, corrupted: &self.corrupted, answer: &self.answer, wrong: &self.wrong }
    }
}

//! Conversations, with the model's own chat template.

use super::HookedTransformer;
use crate::error::Result;
use crate::tokenizer::{Chat, ChatOptions, Message};

impl HookedTransformer {
    /// A conversation as a prompt that the model answers: with the header of its answer at the end. Give it wherever a
    /// prompt can be given.
    ///
    /// # Errors
    ///
    /// [`crate::Error::NoTokenizer`], and those of [`crate::Tokenizer::apply_chat_template`].
    pub fn chat<M: Into<Message>>(&self, messages: impl IntoIterator<Item = M>) -> Result<Chat> {
        self.apply_chat_template(messages, &ChatOptions::new().generation_prompt())
    }

    /// A conversation as a prompt, as transformers' `apply_chat_template` writes it.
    ///
    /// # Errors
    ///
    /// As [`HookedTransformer::chat`].
    pub fn apply_chat_template<M: Into<Message>>(
        &self,
        messages: impl IntoIterator<Item = M>,
        options: &ChatOptions,
    ) -> Result<Chat> {
        let messages: Vec<Message> = messages.into_iter().map(Into::into).collect();
        self.tokenizer()?.apply_chat_template(&messages, options)
    }
}

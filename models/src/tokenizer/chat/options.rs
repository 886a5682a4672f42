//! How a conversation is written.

use serde_json::{Map, Value};

/// How a conversation is written as a prompt. The default is that of transformers' `apply_chat_template`.
#[derive(Clone, Debug, Default)]
pub struct ChatOptions {
    /// Whether the prompt ends with the header of the answer to come.
    pub generation_prompt: bool,
    /// Whether the prompt ends within the last message, so that the model goes on with it.
    pub continue_final_message: bool,
    /// The name of one of the tokenizer's templates, or a template. `None` means `default`, or `tool_use` if there are
    /// tools and it exists.
    pub template: Option<String>,
    /// JSON schemas of the functions that the model may call.
    pub tools: Option<Vec<Value>>,
    /// Documents to answer from.
    pub documents: Option<Vec<Value>>,
    /// Variables that the template reads, such as `enable_thinking`.
    pub variables: Map<String, Value>,
    /// What the template takes for today, such as `2024-07-26` or `2024-07-26T09:30:00`. `None` is the clock's time, so a
    /// template that writes the date gives another prompt each day.
    pub date: Option<String>,
}

impl ChatOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the prompt with the header of the answer to come.
    #[must_use]
    pub fn generation_prompt(self) -> Self {
        Self { generation_prompt: true, ..self }
    }

    /// Ends the prompt within the last message.
    #[must_use]
    pub fn continue_final_message(self) -> Self {
        Self { continue_final_message: true, ..self }
    }

    /// Chooses one of the tokenizer's templates by name, or gives one.
    #[must_use]
    pub fn template(self, template: impl Into<String>) -> Self {
        Self { template: Some(template.into()), ..self }
    }

    /// Tells of functions that the model may call, as JSON schemas.
    #[must_use]
    pub fn tools(self, tools: impl IntoIterator<Item = Value>) -> Self {
        Self { tools: Some(tools.into_iter().collect()), ..self }
    }

    /// Gives documents to answer from.
    #[must_use]
    pub fn documents(self, documents: impl IntoIterator<Item = Value>) -> Self {
        Self { documents: Some(documents.into_iter().collect()), ..self }
    }

    /// Sets a variable that the template reads.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Sets what the template takes for today.
    #[must_use]
    pub fn date(self, date: impl Into<String>) -> Self {
        Self { date: Some(date.into()), ..self }
    }
}

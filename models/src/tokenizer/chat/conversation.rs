//! A conversation as text.

use serde_json::{Map, Value};

use super::ChatOptions;
use super::render::Renderer;
use crate::error::{Error, Result};

/// Put after the message that is to be continued, to find its end. As in transformers.
const END: &str = "CONTINUE_FINAL_MESSAGE_TAG ";

/// A message as a template sees it.
pub(super) type Seen = Map<String, Value>;

/// What all renderings of one conversation share.
pub(super) struct Writer<'a> {
    pub(super) renderer: Renderer,
    /// Special tokens by role.
    pub(super) roles: &'a [(String, String)],
    pub(super) options: &'a ChatOptions,
}

impl Writer<'_> {
    /// The text of messages, with the ending that the options ask for.
    pub(super) fn whole(&self, messages: &[Seen]) -> Result<String> {
        if !self.options.continue_final_message {
            return self.render(messages, self.options.generation_prompt);
        }
        if self.options.generation_prompt {
            return Err(refused(
                "a prompt that continues the last message has no header of a next one: ask for one of both",
            ));
        }
        let mut messages = messages.to_vec();
        let last = last_text(&mut messages).ok_or_else(|| refused("the last message has no text to continue"))?;
        let text = last.as_str().unwrap_or_default().to_owned();
        *last = format!("{text}{END}").into();
        let rendered = self.render(&messages, false)?;
        let end = rendered.rfind(END.trim()).filter(|_| rendered.contains(text.trim()));
        let end =
            end.ok_or_else(|| refused("the template leaves out parts of the last message, which cannot be continued"))?;
        let (text, rest) = rendered.split_at(end);
        Ok(if rest.starts_with(END) { text } else { text.trim_end() }.to_owned())
    }

    /// The text of messages.
    pub(super) fn render(&self, messages: &[Seen], generation_prompt: bool) -> Result<String> {
        let mut context = Map::new();
        context.extend(self.roles.iter().map(|(role, token)| (role.clone(), token.as_str().into())));
        context.extend(self.options.variables.clone());
        context.insert("messages".into(), messages.iter().cloned().map(Value::Object).collect());
        context.insert("tools".into(), self.options.tools.clone().into());
        context.insert("documents".into(), self.options.documents.clone().into());
        context.insert("add_generation_prompt".into(), generation_prompt.into());
        self.renderer.render(&Value::Object(context))
    }
}

/// The text that ends the last message: its content, or the last of its parts that is a text.
fn last_text(messages: &mut [Seen]) -> Option<&mut Value> {
    match messages.last_mut()?.get_mut("content")? {
        Value::Array(parts) => parts.iter_mut().rev().find_map(|part| part.get_mut("text")),
        content => Some(content),
    }
}

fn refused(problem: &str) -> Error {
    Error::ChatTemplate { problem: problem.to_owned() }
}

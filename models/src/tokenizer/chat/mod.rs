//! Conversations as prompts, through the tokenizer's chat templates.

mod conversation;
mod message;
mod methods;
mod options;
mod python;
mod render;
mod spans;
mod templates;

pub use message::Message;
pub use options::ChatOptions;
pub(super) use templates::Templates;

use std::ops::Range;

use self::conversation::{Seen, Writer};
use self::render::Renderer;
use super::{Bos, Encoded, Tokenizer};
use crate::error::{Error, Result};

/// A conversation as a prompt. It can be given wherever a prompt can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// The text that the template writes.
    pub text: String,
    /// Its tokens. The template writes the BOS, so none is added.
    pub ids: Vec<u32>,
    /// Where each message is.
    pub turns: Vec<Turn>,
    /// Positions that the model generated or is to generate, where the template marks them
    /// (`{% generation %}`).
    pub generated: Vec<Range<usize>>,
}

/// Where a message is in a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: String,
    /// Positions of the content; `None` if the template leaves it out or rewrites it. A token that joins content with
    /// what is around it counts.
    pub content: Option<Range<usize>>,
    /// Positions of the whole turn, with its header and what closes it; `None` if the template does not write message
    /// after message, or writes this one into another.
    pub whole: Option<Range<usize>>,
}

impl Tokenizer {
    /// A conversation as transformers' `apply_chat_template` writes it, by the template of the tokenizer.
    ///
    /// # Errors
    ///
    /// [`Error::NoChatTemplate`] if there is none; [`Error::ChatTemplate`] for a template that is not one, cannot be
    /// rendered or refuses the messages, and for no messages.
    ///
    /// # Source
    ///
    /// <https://huggingface.co/docs/transformers/chat_templating>
    pub fn apply_chat_template(&self, messages: &[Message], options: &ChatOptions) -> Result<Chat> {
        if messages.is_empty() {
            return Err(Error::ChatTemplate { problem: "there are no messages; give at least one".into() });
        }
        let template = self.templates.choose(options)?;
        let seen: Vec<Seen> = messages.iter().map(Message::seen).collect();
        let written = serde_json::to_string(&seen).expect("BUG: messages are plain data");
        let marks = !spans::has_signs(template) && !spans::has_signs(&written);
        let renderer = Renderer::new(template, options.date.as_deref(), marks)?;
        let writer = Writer { renderer, roles: &self.roles, options };
        let raw = writer.whole(&seen)?;
        let (text, signs) = if marks { spans::unsigned(&raw) } else { (raw, Vec::new()) };
        let encoded = self.encode_with_offsets(&text, Bos::Omit)?;
        let generated = spans::generated(&signs).into_iter().filter_map(|bytes| positions(&encoded, bytes)).collect();
        let turns = if marks { turns(&writer, messages, &seen, &text, &encoded) } else { unplaced(messages) };
        Ok(Chat { ids: encoded.ids, turns, generated, text })
    }

    /// The names of the chat templates: `default`, if there is a single one.
    pub fn chat_templates(&self) -> Vec<&str> {
        self.templates.names().collect()
    }

    /// The same tokenizer with a chat template for those that it has.
    #[must_use]
    pub fn with_chat_template(self, template: &str) -> Self {
        Self { templates: Templates::single(template), ..self }
    }
}

fn turns(writer: &Writer<'_>, messages: &[Message], seen: &[Seen], text: &str, encoded: &Encoded) -> Vec<Turn> {
    let ends = spans::ends(writer, seen, text);
    let start = |index: usize| if index == 0 { Some(0) } else { ends[index - 1] };
    let whole = |index: usize| positions(encoded, start(index)?..ends[index]?);
    let contents = spans::contents(writer, seen, text).into_iter().map(|bytes| positions(encoded, bytes?));
    let turn = |(index, content): (usize, Option<Range<usize>>)| {
        // A template may write a message into a later turn.
        let holds =
            |whole: &Range<usize>| content.as_ref().is_none_or(|c| whole.start <= c.start && c.end <= whole.end);
        Turn { role: messages[index].role().to_owned(), whole: whole(index).filter(holds), content }
    };
    contents.enumerate().map(turn).collect()
}

fn unplaced(messages: &[Message]) -> Vec<Turn> {
    let turn = |message: &Message| Turn { role: message.role().to_owned(), content: None, whole: None };
    messages.iter().map(turn).collect()
}

/// The tokens that have a part of these bytes; `None` if no token has.
fn positions(encoded: &Encoded, bytes: Range<usize>) -> Option<Range<usize>> {
    let within = |(start, end): &(usize, usize)| *start < bytes.end && *end > bytes.start && start < end;
    let first = encoded.offsets.iter().position(within)?;
    let last = encoded.offsets.iter().rposition(within)?;
    Some(first..last + 1)
}

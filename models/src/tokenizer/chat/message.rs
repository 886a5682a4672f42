//! The messages of a conversation.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The names under which a message's reasoning is passed. Templates read the first; older ones the second.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// One message: a role, a content, and what else its template reads, such as `tool_calls`. In JSON it is an object.
///
/// ```
/// # use arrakis_models::Message;
/// let asked: Message = ("user", "Where is Paris?").into();
/// assert_eq!(asked, Message::user("Where is Paris?"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Message(Map<String, Value>);

impl Message {
    /// A message of a role. The content is a text, or a list of parts such as `{"type": "text", "text": ".."}`.
    pub fn new(role: impl Into<String>, content: impl Into<Value>) -> Self {
        Self(Map::from_iter([("role".to_owned(), role.into().into()), ("content".to_owned(), content.into())]))
    }

    /// A message that says how to behave.
    pub fn system(content: impl Into<Value>) -> Self {
        Self::new("system", content)
    }

    /// A message to the model.
    pub fn user(content: impl Into<Value>) -> Self {
        Self::new("user", content)
    }

    /// A message of the model.
    pub fn assistant(content: impl Into<Value>) -> Self {
        Self::new("assistant", content)
    }

    /// Sets another key, such as `tool_calls` or `name`.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(key.into(), value.into());
        self
    }

    /// Its role; empty if it has none.
    pub fn role(&self) -> &str {
        self.0.get("role").and_then(Value::as_str).unwrap_or_default()
    }

    /// What a template sees: without keys that are null, with reasoning under the names that templates read.
    pub(super) fn seen(&self) -> Map<String, Value> {
        let mut seen: Map<String, Value> = self
            .0
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if let Some(reasoning) = REASONING.iter().find_map(|key| seen.get(*key)).cloned() {
            seen.entry("thinking").or_insert_with(|| reasoning.clone());
            seen.insert("reasoning_content".to_owned(), reasoning);
        }
        seen
    }
}

impl<R: Into<String>, C: Into<String>> From<(R, C)> for Message {
    fn from((role, content): (R, C)) -> Self {
        Self::new(role, content.into())
    }
}

impl From<&Message> for Message {
    fn from(message: &Message) -> Self {
        message.clone()
    }
}

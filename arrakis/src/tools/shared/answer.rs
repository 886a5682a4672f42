//! A token, by its text or its id.

use std::fmt;

use arrakis_models::HookedTransformer;
use serde::{Deserialize, Serialize};

use super::common;
use crate::error::Result;

/// A token that a metric reads, as its text or its id. Texts are tokenized by the model that the metric is used on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// A text that is exactly one token, most often with a leading space: `" Mary"`.
    Text(String),
    /// The token's id.
    Id(u32),
}

impl Answer {
    /// The token's id in a model's vocabulary.
    ///
    /// # Errors
    ///
    /// A text of more than one token (the error lists the pieces), an id out of range, a text for a model without a
    /// tokenizer.
    pub fn id(&self, model: &HookedTransformer) -> Result<u32> {
        match self {
            Self::Text(text) => Ok(model.to_single_token(text)?),
            Self::Id(id) => common::check_token(model, *id).map(|()| *id),
        }
    }

    /// The token's text in quotes, or its id if the model has no text for it.
    pub fn label(&self, model: &HookedTransformer) -> String {
        match self {
            Self::Text(_) => self.to_string(),
            Self::Id(id) => model.to_single_str_token(*id).map_or_else(|_| id.to_string(), |text| format!("{text:?}")),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Id(id) => write!(f, "{id}"),
        }
    }
}

impl From<u32> for Answer {
    fn from(id: u32) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Answer {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&Answer> for Answer {
    fn from(answer: &Answer) -> Self {
        answer.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis_models::HookedAutoModel;

    #[test]
    fn a_text_and_its_id_are_the_same_answer_and_two_tokens_are_an_error() {
        let model = HookedAutoModel::embedded().unwrap();
        let mary = model.to_single_token(" Mary").unwrap();
        assert_eq!(Answer::from(" Mary").id(&model).unwrap(), mary);
        assert_eq!(Answer::from(mary).id(&model).unwrap(), mary);
        let error = Answer::from(" Mary and").id(&model).unwrap_err().to_string();
        assert!(error.starts_with("` Mary and` is 2 tokens ("), "{error}");
        assert!(Answer::from(u32::MAX).id(&model).is_err());
        assert_eq!(
            [Answer::from(mary), " Mary".into(), u32::MAX.into()].map(|answer| answer.label(&model)),
            ["\" Mary\"".to_owned(), "\" Mary\"".to_owned(), u32::MAX.to_string()]
        );
    }
}

//! The tokens of a prompt's subject.

use std::ops::Range;

use arrakis_models::{HookedTransformer, Tokens};

use super::refuse::refuse;
use crate::error::Result;
use crate::tools::Position;

/// What a prompt is about: a part of its text, or positions. Its tokens are corrupted.
///
/// `"Space Needle".into()` is one text for all prompts, `["Rome", "Paris"].into()` one for each, and `(1..4).into()`
/// positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A part of each prompt's text; the first occurrence counts.
    Text(String),
    /// The same, with a text for each prompt.
    Texts(Vec<String>),
    /// Positions of the tokens, negative ones from the end.
    Positions(Vec<Position>),
}

impl From<&str> for Subject {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Subject {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<const N: usize> From<[&str; N]> for Subject {
    fn from(texts: [&str; N]) -> Self {
        Self::Texts(texts.map(str::to_owned).to_vec())
    }
}

impl From<Vec<String>> for Subject {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

impl From<Range<usize>> for Subject {
    fn from(positions: Range<usize>) -> Self {
        Self::Positions(positions.map(Position::from).collect())
    }
}

/// For literals, whose type is `i32` by default.
impl From<Range<i32>> for Subject {
    fn from(positions: Range<i32>) -> Self {
        Self::Positions(positions.map(Position::from).collect())
    }
}

impl From<Vec<Position>> for Subject {
    fn from(positions: Vec<Position>) -> Self {
        Self::Positions(positions)
    }
}

impl Subject {
    /// The positions of the subject's tokens, which are the same in every prompt.
    pub(super) fn positions(&self, model: &HookedTransformer, tokens: &Tokens) -> Result<Vec<usize>> {
        match self {
            Self::Positions(positions) => chosen(positions, tokens.pos()),
            Self::Text(text) => in_all(model, tokens, &vec![text.as_str(); tokens.batch()]),
            Self::Texts(texts) if texts.len() == tokens.batch() => {
                in_all(model, tokens, &texts.iter().map(String::as_str).collect::<Vec<_>>())
            }
            Self::Texts(texts) => {
                Err(refuse(format!("got {} subjects for {} prompts; give one for each", texts.len(), tokens.batch())))
            }
        }
    }
}

fn chosen(positions: &[Position], length: usize) -> Result<Vec<usize>> {
    let mut found = positions.iter().map(|position| position.index(length)).collect::<Result<Vec<_>>>()?;
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Err(refuse("the subject has no position; name at least one token to corrupt"));
    }
    Ok(found)
}

fn in_all(model: &HookedTransformer, tokens: &Tokens, texts: &[&str]) -> Result<Vec<usize>> {
    let spans = tokens.ids().iter().zip(texts).map(|(ids, text)| span(model, ids, text)).collect::<Result<Vec<_>>>()?;
    if let Some(row) = spans.iter().position(|span| *span != spans[0]) {
        let (first, other) = (&spans[0], &spans[row]);
        return Err(refuse(format!(
            "the subject is at positions {}..{} of prompt 0 and {}..{} of prompt {row}; trace them apart and join them with `Trace::by_role`",
            first.start, first.end, other.start, other.end
        )));
    }
    Ok(spans[0].clone().collect())
}

/// The tokens that hold the first occurrence of a text.
fn span(model: &HookedTransformer, ids: &[u32], text: &str) -> Result<Range<usize>> {
    let tokenizer = model.tokenizer()?;
    let whole = tokenizer.decode(ids)?;
    let Some(start) = whole.find(text).filter(|_| !text.is_empty()) else {
        return Err(refuse(format!(
            "the subject {text:?} is not in the prompt {whole:?}; write it as the prompt does, or give its positions"
        )));
    };
    // The text up to each token, and not the token's own text: a word piece has marks that the whole text lacks.
    let mut ends = Vec::with_capacity(ids.len());
    for count in 1..=ids.len() {
        ends.push(common_prefix(&tokenizer.decode(&ids[..count])?, &whole));
    }
    let holds = |end: usize| ends.iter().position(|own| *own >= end).unwrap_or(ids.len() - 1);
    Ok(holds(start + 1)..holds(start + text.len()) + 1)
}

/// Bytes that two texts start with.
fn common_prefix(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis_models::{HookedAutoModel, IntoTokens};

    const PROMPT: &str = "When Mary and John went to the store, John gave a drink to";

    fn found(subject: impl Into<Subject>, prompts: impl IntoTokens) -> Result<Vec<usize>> {
        let model = HookedAutoModel::embedded().unwrap();
        let tokens = prompts.into_tokens(&model).unwrap();
        subject.into().positions(&model, &tokens)
    }

    #[test]
    fn a_text_is_the_tokens_that_hold_it() {
        let model = HookedAutoModel::embedded().unwrap();
        let pieces = model.to_str_tokens(PROMPT).unwrap();
        let at = |word: &str| pieces.iter().position(|piece| piece == word).unwrap();
        assert_eq!(found("Mary", PROMPT).unwrap(), [at(" Mary")]);
        assert_eq!(found("Mary and John", PROMPT).unwrap(), [at(" Mary"), at(" and"), at(" John")]);
        assert_eq!(found("ary an", PROMPT).unwrap(), [at(" Mary"), at(" and")]);
        let last = vec![Position::from(-1), Position::from(0), Position::from(-1)];
        assert_eq!(found(last, PROMPT).unwrap(), [0, pieces.len() - 1]);
    }

    #[test]
    fn mistakes_are_named() {
        let said = |subject: Subject| found(subject, PROMPT).unwrap_err().to_string();
        let absent = said("Seattle".into());
        assert!(absent.starts_with("causal_tracing: the subject \"Seattle\" is not in the prompt \""), "{absent}");
        assert!(absent.ends_with("write it as the prompt does, or give its positions"), "{absent}");
        assert!(said("".into()).contains("is not in the prompt"));
        assert_eq!(
            said((3..3).into()),
            "causal_tracing: the subject has no position; name at least one token to corrupt"
        );
        assert_eq!(said(["Mary", "John"].into()), "causal_tracing: got 2 subjects for 1 prompts; give one for each");
        assert!(said((40..41).into()).starts_with("position 40 is out of range"));
    }

    #[test]
    fn prompts_whose_subjects_stand_apart_are_refused() {
        let model = HookedAutoModel::embedded().unwrap();
        let rows = ["When Mary and John went", "When John and Mary went"].map(|text| model.to_tokens(text).unwrap());
        let error = found("Mary", rows.to_vec()).unwrap_err().to_string();
        assert_eq!(
            error,
            "causal_tracing: the subject is at positions 2..3 of prompt 0 and 4..5 of prompt 1; trace them apart and join them with `Trace::by_role`"
        );
        assert_eq!(found(["Mary", "John"], rows.to_vec()).unwrap(), [2]);
    }
}

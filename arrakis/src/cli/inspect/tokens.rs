//! What `arrakis inspect` says of tokens: the tokenizer, how prompts begin, chat templates, and where text ends.

use std::path::Path;

use arrakis_models::{Bos, Tokenizer, TransformerConfig};
use serde::Serialize;

use super::super::table::grouped;

/// The text whose tokens are shown.
const SAMPLE: &str = "The quick brown fox";

#[derive(Debug, Serialize)]
pub(super) struct TokenizerInfo {
    tokens: usize,
    /// The class of transformers that it follows.
    class: Option<String>,
    bos: Option<u32>,
    /// Whether a prompt begins with the BOS.
    begins_with_bos: bool,
    /// Special tokens with their ids.
    special: Vec<(u32, String)>,
    /// The tokens of a short text, with their ids.
    sample: Vec<(u32, String)>,
    /// Names of its chat templates.
    chat_templates: Vec<String>,
    /// What is doubtful about how prompts begin.
    doubt: Option<String>,
}

impl TokenizerInfo {
    pub(super) fn of(tokenizer: &Tokenizer) -> Self {
        let ids = tokenizer.encode(SAMPLE, Bos::AsTokenizer).unwrap_or_default();
        let pieces = tokenizer.pieces(&ids).unwrap_or_default();
        Self {
            tokens: tokenizer.len(),
            class: tokenizer.class().map(str::to_owned),
            bos: tokenizer.bos(),
            begins_with_bos: ids.first().is_some_and(|id| tokenizer.bos() == Some(*id)),
            special: tokenizer.special().into_iter().collect(),
            doubt: tokenizer.doubt(&ids),
            sample: ids.into_iter().zip(pieces).collect(),
            chat_templates: tokenizer.chat_templates().into_iter().map(str::to_owned).collect(),
        }
    }

    /// Rows of the table: a name and what is to be said.
    pub(super) fn rows(&self, config: Option<&TransformerConfig>) -> Vec<(&'static str, String)> {
        let mut rows = vec![("tokenizer", self.describe() + &self.beyond(config)), ("prompts begin", self.begins())];
        rows.push(("chat template", self.chat()));
        rows.extend(self.doubt.iter().map(|doubt| ("warning", doubt.clone())));
        rows
    }

    /// A note if the model's vocabulary is smaller than the tokenizer's.
    fn beyond(&self, config: Option<&TransformerConfig>) -> String {
        let short = config.map(|config| config.d_vocab).filter(|d_vocab| self.tokens > *d_vocab);
        short.map_or_else(String::new, |d_vocab| {
            format!("; the model knows {} of them, and refuses the others", grouped(d_vocab))
        })
    }

    fn describe(&self) -> String {
        let special: Vec<String> =
            self.special.iter().map(|(id, text)| format!("{id} {}", text.escape_debug())).collect();
        let bos = self.bos.map_or_else(|| "no BOS".to_owned(), |id| format!("BOS {id}"));
        let special =
            if special.is_empty() { "none special".to_owned() } else { format!("special: {}", special.join(", ")) };
        let class = self.class.as_ref().map_or_else(String::new, |class| format!(", as {class}"));
        format!("{} tokens{class}, {bos}, {special}", grouped(self.tokens))
    }

    fn begins(&self) -> String {
        let with = match (self.begins_with_bos, self.bos) {
            (true, _) => "with the BOS",
            (false, Some(_)) => "without the BOS",
            (false, None) => "without a BOS, of which there is none",
        };
        let pieces: Vec<String> =
            self.sample.iter().map(|(id, piece)| format!("{id} `{}`", piece.escape_debug())).collect();
        format!("{with}: `{SAMPLE}` is {}", pieces.join(", "))
    }

    fn chat(&self) -> String {
        match self.chat_templates.as_slice() {
            [] => "none".into(),
            [only] if only == "default" => "one".into(),
            names => names.join(", "),
        }
    }
}

/// What lies in a folder without a tokenizer that is read.
pub(super) fn without(folder: &Path) -> String {
    let unread = Tokenizer::unread(folder).map_or_else(String::new, |problem| format!("; {problem}"));
    format!("none: prompts are token ids{unread}")
}

/// Where generation stops.
pub(super) fn stops(ids: &[u32], tokenizer: Option<&Tokenizer>) -> String {
    let shown = |id: &u32| {
        let piece = tokenizer.and_then(|tokenizer| tokenizer.pieces(&[*id]).ok());
        piece.map_or_else(|| id.to_string(), |piece| format!("{id} `{}`", piece[0].escape_debug()))
    };
    let listed: Vec<String> = ids.iter().map(shown).collect();
    if listed.is_empty() { "nothing: it goes on to the last token asked for".to_owned() } else { listed.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> TokenizerInfo {
        let tokenizer = arrakis_models::HookedAutoModel::embedded().unwrap();
        TokenizerInfo::of(tokenizer.tokenizer().unwrap())
    }

    #[test]
    fn a_vocabulary_that_is_smaller_than_the_tokenizers_is_reported() {
        let tokenizer = TokenizerInfo { tokens: 1_200, ..info() };
        let config = |d_vocab| TransformerConfig::plain("test", 1, 8, 2, d_vocab, 16);
        assert_eq!(tokenizer.beyond(Some(&config(1_000))), "; the model knows 1,000 of them, and refuses the others");
        assert_eq!(tokenizer.beyond(Some(&config(1_200))) + &tokenizer.beyond(None), "");
    }

    #[test]
    fn the_first_tokens_of_a_prompt_are_shown() {
        let info = info();
        assert!(
            info.begins().starts_with("with the BOS: `The quick brown fox` is 0 `<|endoftext|>`, "),
            "{}",
            info.begins()
        );
        let bare = TokenizerInfo { begins_with_bos: false, sample: vec![(5, " fox\n".into())], ..info };
        assert_eq!(bare.begins(), "without the BOS: `The quick brown fox` is 5 ` fox\\n`");
        assert_eq!(stops(&[], None), "nothing: it goes on to the last token asked for");
        assert_eq!(stops(&[54, 2], None), "54, 2");
    }
}

//! Adds the tokens of all files to a tokenizer (`TokenizersBackend.__init__`).

use std::collections::HashSet;

use tokenizers::{AddedToken, Tokenizer as Inner};

use super::settings::Settings;

/// Adds what the tokenizer lacks. New tokens get the next ids in this order: added tokens by their id in the files, then
/// roles, then special tokens without a role.
pub(super) fn add(inner: &mut Inner, settings: &Settings) {
    let known: Vec<AddedToken> = inner.get_added_tokens_decoder().into_values().collect();
    let mut new: Vec<AddedToken> = {
        let known: HashSet<&AddedToken> = known.iter().collect();
        settings.added.values().filter(|token| !known.contains(token)).cloned().collect()
    };
    let mut names: HashSet<String> = known.iter().chain(&new).map(|token| token.content.clone()).collect();
    for token in settings.roles.iter().map(|(_, token)| token).chain(&settings.extra) {
        if names.insert(token.content.clone()) {
            new.push(token.clone());
        }
    }
    let roles: HashSet<&str> = settings.roles.iter().map(|(_, token)| token.content.as_str()).collect();
    for token in &mut new {
        token.special |= roles.contains(token.content.as_str());
    }
    inner.add_tokens(&new);
}

//! Whether a model's tokenizer reads a prompt as tokens that align.

use arrakis_models::HookedTransformer;

use super::KnownPrompt;

/// Why a model's tokenizer does not read the prompt as a set needs it.
pub(super) fn misfit(model: &HookedTransformer, prompt: &KnownPrompt) -> Option<String> {
    let KnownPrompt { clean, corrupted, answer, wrong, .. } = prompt;
    for answer in [answer, wrong] {
        if let Err(error) = model.to_single_token(answer) {
            return Some(error.to_string());
        }
    }
    let mut lengths = Vec::new();
    for text in [clean, corrupted] {
        let ids = match model.to_tokens(text) {
            Ok(ids) => ids,
            Err(error) => return Some(error.to_string()),
        };
        // A word that the tokenizer does not know would be lost.
        if !model.decode(&ids).is_ok_and(|read| read.contains(text)) {
            return Some(format!("the tokenizer does not know a word of `{text}`"));
        }
        lengths.push(ids.len());
    }
    let [clean, corrupted] = lengths[..] else { unreachable!("BUG: a prompt has two texts") };
    (clean != corrupted)
        .then(|| format!("`{}` has {clean} tokens, and its corrupted version {corrupted}", prompt.clean))
}

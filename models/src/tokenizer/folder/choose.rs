//! Which class transformers 5 gives a tokenizer (`AutoTokenizer.from_pretrained`).

use super::class::{BACKEND, Class, Older};
use super::classes::CLASSES;
use super::settings::Settings;
use crate::families::{overrules_tokenizer_class, tokenizer_class};

/// Names of classes that take the file as it is.
const GENERIC: [&str; 5] =
    ["TokenizersBackend", "PreTrainedTokenizer", "PythonBackend", "PreTrainedTokenizerFast", "MistralCommonBackend"];

/// The class of a folder. `byte_level` says whether a `tokenizer.json` is byte-level, `older` which files lie there
/// instead of one.
pub(super) fn choose(settings: &Settings, byte_level: bool, older: Option<Older>) -> &'static Class {
    let model_type = settings.model_type().unwrap_or_default();
    let (declared, registered) = (settings.text("tokenizer_class"), tokenizer_class(model_type));
    let overrules = overrules_tokenizer_class(model_type);
    if byte_level && !overrules && declared.map(plain) == Some("LlamaTokenizer") {
        return &BACKEND;
    }
    let name = match (declared, registered) {
        (Some(declared), Some(registered)) if plain(declared) != plain(registered) => {
            if GENERIC.contains(&registered) || overrules { registered } else { declared }
        }
        (declared, registered) => declared.or(registered).unwrap_or_else(|| of_files(older)),
    };
    by_name(name)
}

/// The class whose files these are, where nothing else is known. transformers refuses such a folder.
fn of_files(older: Option<Older>) -> &'static str {
    match older {
        Some(Older::VocabAndMerges) => "GPT2Tokenizer",
        Some(Older::VocabTxt) => "BertTokenizer",
        Some(Older::SentencePiece) | None => "",
    }
}

fn by_name(name: &str) -> &'static Class {
    let found = CLASSES.iter().find(|class| class.names.contains(&plain(name)));
    found.copied().unwrap_or(&BACKEND)
}

/// Whether the registered class of a model type wants a BOS, whichever class reads the tokenizer.
pub(super) fn wants_bos(settings: &Settings, class: &Class) -> bool {
    let registered = settings.model_type().and_then(tokenizer_class).map(by_name);
    class.wants_bos || registered.is_some_and(|class| class.wants_bos) || settings.flag("add_bos_token") == Some(true)
}

fn plain(name: &str) -> &str {
    name.strip_suffix("Fast").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_found_by_both_spellings_and_names_are_not_repeated() {
        assert_eq!(by_name("GPT2TokenizerFast").names, by_name("GPT2Tokenizer").names);
        assert_eq!(by_name("NobodysTokenizer").names, BACKEND.names);
        let names: Vec<&str> = CLASSES.iter().flat_map(|class| class.names).copied().collect();
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len());
    }
}

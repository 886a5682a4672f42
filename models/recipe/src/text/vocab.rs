//! The word-level vocabulary and its Hugging Face tokenizer: one token per word with its leading space, as in GPT-2.
//!
//! ` Mary` and `Mary` are two tokens, so decoding returns the encoded text. A year is split as GPT-2 splits it: ` 1732`
//! is ` 17` and `32`. A word that is unknown, or unknown without its leading space, becomes `<|unk|>`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use tokenizers::decoders::fuse::Fuse;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use super::words::{
    ADJECTIVES, CENTURIES, EVENTS, GLUE, HELD_OUT_NAMES, OBJECTS, OPENERS, PLACES, PLAIN, TIMES, TRAIN_NAMES,
};

/// Starts a text, ends it and pads the rest of a row.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// Stands for a word that is not in the vocabulary.
pub const UNKNOWN: &str = "<|unk|>";
/// Id of [`END_OF_TEXT`].
pub const END_OF_TEXT_ID: u32 = 0;
/// Id of [`UNKNOWN`].
pub const UNKNOWN_ID: u32 = 1;

/// Words with an optional leading space; digits in pairs; any other character by itself.
const PATTERN: &str = r" ?\p{L}+| ?\d{1,2}|[^\p{L}\d]";

static TOKENS: LazyLock<Vec<String>> = LazyLock::new(list_tokens);
static IDS: LazyLock<BTreeMap<&'static str, u32>> =
    LazyLock::new(|| TOKENS.iter().map(String::as_str).zip(0..).collect());

fn list_tokens() -> Vec<String> {
    let bare = |words: &'static [&'static str]| words.iter().map(|word| (*word).to_string());
    let spaced = |words: &'static [&'static str]| words.iter().map(|word| format!(" {word}"));
    bare(&[END_OF_TEXT, UNKNOWN, ",", "."])
        .chain((0..100).map(|year| format!("{year:02}")))
        .chain(CENTURIES.map(|century| format!(" {century}")))
        .chain(
            [&TRAIN_NAMES[..], &HELD_OUT_NAMES, &PLACES, &OBJECTS, &ADJECTIVES, &TIMES, &EVENTS, &GLUE, &PLAIN]
                .into_iter()
                .flat_map(spaced),
        )
        .chain([&TRAIN_NAMES[..], &HELD_OUT_NAMES, &OPENERS].into_iter().flat_map(bare))
        .collect()
}

/// All tokens; the index of a token is its id.
pub fn tokens() -> &'static [String] {
    &TOKENS
}

/// The id of one token, leading space included (`" Mary"`); `None` if it is not in the vocabulary.
pub fn id(token: &str) -> Option<u32> {
    IDS.get(token).copied()
}

/// The id of a word from the word lists, with its leading space.
pub fn spaced(word: &str) -> u32 {
    id(&format!(" {word}")).expect("BUG: the word lists and the vocabulary agree")
}

/// The id of the last two digits of a year, `00` to `99`; a larger number wraps.
pub fn year(two_digits: u8) -> u32 {
    id(&format!("{:02}", two_digits % 100)).expect("BUG: the vocabulary has 00 to 99")
}

/// The ids of a text, without the initial `<|endoftext|>`.
pub fn encode(text: &str) -> Vec<u32> {
    static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(tokenizer);
    TOKENIZER
        .encode_fast(text, false)
        .expect("BUG: a word-level tokenizer with an unknown token reads any text")
        .get_ids()
        .to_vec()
}

/// The text of some ids, their tokens joined; an id beyond the vocabulary adds nothing.
pub fn decode(ids: &[u32]) -> String {
    ids.iter().filter_map(|id| TOKENS.get(*id as usize)).map(String::as_str).collect()
}

/// The Hugging Face tokenizer; `tokenizer().save("tokenizer.json", true)` writes a file that every loader reads.
pub fn tokenizer() -> Tokenizer {
    let vocab = TOKENS.iter().cloned().zip(0..).collect();
    let words =
        WordLevel::builder().vocab(vocab).unk_token(UNKNOWN.to_string()).build().expect("BUG: the vocabulary is valid");
    let pattern = SplitPattern::Regex(PATTERN.to_string());
    let split =
        Split::new(pattern, SplitDelimiterBehavior::Isolated, false).expect("BUG: the pattern is a valid regex");
    let mut tokenizer = Tokenizer::new(words);
    tokenizer.with_pre_tokenizer(Some(split)).with_decoder(Some(Fuse::new()));
    tokenizer.add_special_tokens(&[AddedToken::from(END_OF_TEXT, true), AddedToken::from(UNKNOWN, true)]);
    tokenizer
}

/// The content of Hugging Face's `tokenizer_config.json`.
pub fn tokenizer_config() -> serde_json::Value {
    serde_json::json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "pad_token": END_OF_TEXT,
        "unk_token": UNKNOWN,
        "model_max_length": super::N_CTX,
        "clean_up_tokenization_spaces": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARY: &str = "When Mary and John went to the store, John gave a drink to";

    #[test]
    fn every_token_is_listed_once_and_there_are_few() {
        assert_eq!(IDS.len(), TOKENS.len());
        assert!(TOKENS.len() <= 600, "{} tokens", TOKENS.len());
        assert_eq!((id(END_OF_TEXT), id(UNKNOWN)), (Some(END_OF_TEXT_ID), Some(UNKNOWN_ID)));
    }

    #[test]
    fn the_name_mover_prompt_has_one_token_per_word() {
        let encoding = tokenizer().encode(MARY, true).unwrap();
        let words = [
            "When", " Mary", " and", " John", " went", " to", " the", " store", ",", " John", " gave", " a", " drink",
            " to",
        ];
        assert_eq!(encoding.get_tokens(), words);
        assert_eq!(tokenizer().decode(encoding.get_ids(), false).unwrap(), MARY);
        assert_eq!(decode(encoding.get_ids()), MARY);
    }

    #[test]
    fn a_year_splits_as_gpt2_splits_it() {
        let ids = encode("The war lasted from the year 1732 to the year 17");
        let tail: Vec<_> = ids[6..].iter().map(|&id| TOKENS[id as usize].as_str()).collect();
        assert_eq!(tail, [" 17", "32", " to", " the", " year", " 17"]);
        assert_eq!(ids[7], year(32));
    }

    #[test]
    fn the_saved_file_gives_the_same_ids_and_the_same_bytes() {
        let saved = tokenizer().to_string(true).unwrap();
        let reloaded = Tokenizer::from_bytes(&saved).unwrap();
        for text in [
            MARY,
            "<|endoftext|>Mary and John",
            " apple river Oscar",
            "The war lasted from the year 1732 to the year 17",
        ] {
            let ids = encode(text);
            assert_eq!(reloaded.encode(text, true).unwrap().get_ids(), ids);
            assert_eq!(reloaded.decode(&ids, false).unwrap(), text);
        }
        assert_eq!(reloaded.to_string(true).unwrap(), saved);
    }

    #[test]
    fn a_text_may_start_with_the_end_of_text_token() {
        assert_eq!(encode("<|endoftext|>Mary")[..], [END_OF_TEXT_ID, id("Mary").unwrap()]);
    }

    #[test]
    fn an_unknown_word_is_unknown() {
        let mary = id("Mary").unwrap();
        assert_eq!(encode("Mary zebra"), [mary, UNKNOWN_ID]);
        assert_eq!(encode("Mary été\n🙂"), [mary, UNKNOWN_ID, UNKNOWN_ID, UNKNOWN_ID]);
        assert_eq!(id("zebra"), None);
    }

    #[test]
    fn any_number_wraps_into_two_digits() {
        assert_eq!(year(132), year(32));
    }
}

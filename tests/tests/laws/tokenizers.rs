//! Every tokenizer compared with Python's `tokenizers`: ids, entries, offsets, pairs, decoding, padded batches.

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::path::{Path, PathBuf};

use arrakis::models::{Bos, Encoded, Error, Side, Tokenizer, Tokens};
use serde::Deserialize;

const KINDS: [&str; 6] = ["gpt2", "gpt2_bpe", "llama2_bpe", "llama3_bpe", "t5_unigram", "bert_wordpiece"];

/// At least this many of the 63 texts have few enough tokens that each token is decoded alone.
const FEW: usize = 55;

/// Rows of a batch are truncated to this many tokens.
const MOST: usize = 10;

/// `vectors.json`.
#[derive(Deserialize)]
struct Vectors {
    vocab_size: usize,
    texts: Vec<Alone>,
    pairs: Vec<Joined>,
    batch: Vec<Batch>,
}

#[derive(Deserialize)]
struct Alone {
    text: String,
    ids: Vec<u32>,
    tokens: Vec<String>,
    /// In characters.
    offsets: Vec<(usize, usize)>,
    type_ids: Vec<u32>,
    ids_plain: Vec<u32>,
    decoded: String,
    decoded_skip: String,
    /// The decoded text of each of `ids_plain`, if they are few.
    decode_each: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Joined {
    pair: (String, String),
    ids: Vec<u32>,
    type_ids: Vec<u32>,
    special_tokens_mask: Vec<u32>,
}

/// Rows truncated to [`MOST`] tokens and padded.
#[derive(Deserialize)]
struct Batch {
    padding_side: String,
    ids: Vec<Vec<u32>>,
    attention_mask: Vec<Vec<u32>>,
}

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tokenizers").join(kind)
}

fn load(kind: &str) -> (Tokenizer, Vectors) {
    let tokenizer = Tokenizer::from_file(&folder(kind).join("tokenizer.json"), None).unwrap();
    let vectors = std::fs::read_to_string(folder(kind).join("vectors.json")).unwrap();
    (tokenizer, serde_json::from_str(&vectors).unwrap())
}

/// Runs a check on every text of every kind of tokenizer.
fn each(check: impl Fn(&Tokenizer, &Alone, &str)) {
    for kind in KINDS {
        let (tokenizer, vectors) = load(kind);
        assert_eq!(vectors.texts.len(), 63, "{kind}");
        assert!(vectors.texts.iter().filter(|text| text.decode_each.is_some()).count() >= FEW, "{kind}");
        for text in &vectors.texts {
            check(&tokenizer, text, &format!("{kind}: {:?}", text.text));
        }
    }
}

/// Offsets of a text, in characters.
fn in_characters(text: &str, encoded: &Encoded) -> Vec<(usize, usize)> {
    let characters = |bytes: usize| text[..bytes].chars().count();
    encoded.offsets.iter().map(|(start, end)| (characters(*start), characters(*end))).collect()
}

#[test]
fn ids_entries_and_offsets_agree() {
    each(|tokenizer, text, what| {
        let encoded = tokenizer.encode_with_offsets(&text.text, Bos::AsTokenizer).unwrap();
        assert_eq!(encoded.ids, text.ids, "{what}");
        assert_eq!(encoded.tokens, text.tokens, "{what}");
        assert_eq!(in_characters(&text.text, &encoded), text.offsets, "{what}");
        assert_eq!(encoded.type_ids, text.type_ids, "{what}");
        assert_eq!(tokenizer.encode(&text.text, Bos::AsTokenizer).unwrap(), text.ids, "{what}");
        assert_eq!(tokenizer.encode(&text.text, Bos::Omit).unwrap(), text.ids_plain, "{what}");
    });
}

#[test]
fn decoded_texts_agree() {
    each(|tokenizer, text, what| {
        assert_eq!(tokenizer.decode(&text.ids).unwrap(), text.decoded, "{what}");
        assert_eq!(tokenizer.decode_text(&text.ids).unwrap(), text.decoded_skip, "{what}");
        for (id, expected) in text.ids_plain.iter().zip(text.decode_each.iter().flatten()) {
            assert_eq!(&tokenizer.decode(&[*id]).unwrap(), expected, "{what}: {id}");
        }
    });
}

/// How a piece differs from its decoded text: `SentencePiece`'s decoder drops a leading space, which a label must show.
#[test]
fn pieces_are_the_decoded_tokens_with_their_spaces() {
    each(|tokenizer, text, what| {
        let pieces = tokenizer.pieces(&text.ids_plain).unwrap();
        for (piece, decoded) in pieces.iter().zip(text.decode_each.iter().flatten()) {
            assert!(piece == decoded || *piece == format!(" {decoded}"), "{what}: {piece:?} of {decoded:?}");
        }
        let plain = text.text.is_ascii() && !text.text.chars().any(char::is_control);
        let blank = if what.starts_with("llama2") && !text.text.is_empty() { " " } else { "" };
        // BERT's normalizer drops case, and T5's drops spaces.
        let kept = !what.starts_with("bert") && !what.starts_with("t5");
        if plain && !text.text.contains('<') && kept {
            assert_eq!(pieces.concat(), format!("{blank}{}", text.text), "{what}");
        }
    });
}

#[test]
fn pairs_agree() {
    for kind in KINDS {
        let (tokenizer, vectors) = load(kind);
        assert_eq!(vectors.pairs.len(), 4, "{kind}");
        for Joined { pair: (first, second), ids, type_ids, special_tokens_mask } in &vectors.pairs {
            let encoded = tokenizer.encode_pair(first, second).unwrap();
            assert_eq!((&encoded.ids, &encoded.type_ids), (ids, type_ids), "{kind}: {first:?}, {second:?}");
            // T5's template gives both texts one type, so the type does not tell which text a token is from.
            for (index, (start, end)) in encoded.offsets.iter().enumerate().filter(|_| kind != "t5_unigram") {
                let text = if type_ids[index] == 0 { first } else { second };
                let (special, within) = (special_tokens_mask[index] == 1, text.get(*start..*end).is_some());
                assert!(within && special == (start == end), "{kind}: {first:?}, {second:?} at {index}");
            }
        }
    }
}

/// Our batches truncate nothing, so rows truncated in the vectors are taken from there. Padding must agree with the
/// vectors.
#[test]
fn padded_batches_agree() {
    for kind in KINDS {
        let (tokenizer, vectors) = load(kind);
        assert_eq!(vectors.batch.len(), 2, "{kind}");
        for Batch { padding_side, ids, attention_mask } in vectors.batch {
            let side = if padding_side == "left" { Side::Left } else { Side::Right };
            let real: Vec<Vec<bool>> = attention_mask.iter().map(|row| row.iter().map(|m| *m == 1).collect()).collect();
            let rows: Vec<Vec<u32>> = ids
                .iter()
                .zip(&real)
                .map(|(ids, real)| ids.iter().zip(real).filter(|(_, real)| **real).map(|(id, _)| *id).collect())
                .collect();
            let whole = tokenizer.encode("Hello world", Bos::AsTokenizer).unwrap();
            assert!(rows[0] == whole || whole.len() > rows[0].len() && rows[0].len() == MOST, "{kind}");
            let added = |(ids, real): (&Vec<u32>, &Vec<bool>)| real.iter().position(|real| !real).map(|at| ids[at]);
            let padding = ids.iter().zip(&real).find_map(added).unwrap();
            let padded = Tokens::padded(&rows, side, padding);
            if rows.iter().any(Vec::is_empty) {
                // GPT-2 makes no token of the empty text. An empty row is refused; the others are padded alike.
                assert!(matches!(padded, Err(Error::EmptyPrompt)), "{kind}");
                let padded = Tokens::padded(&rows[..2], side, padding).unwrap();
                assert_eq!((padded.ids(), padded.real()), (&ids[..2], &real[..2]), "{kind} {padding_side}");
            } else {
                let padded = padded.unwrap();
                assert_eq!((padded.ids(), padded.real()), (&ids[..], &real[..]), "{kind} {padding_side}");
            }
        }
    }
}

#[test]
fn sizes_agree_and_ids_without_a_text_are_marked() {
    for kind in KINDS {
        let (tokenizer, vectors) = load(kind);
        assert_eq!(tokenizer.len(), vectors.vocab_size, "{kind}");
        let beyond = u32::try_from(vectors.vocab_size).unwrap();
        let known = vectors.texts.iter().find(|text| text.ids.len() == 3).unwrap();
        let ids = [known.ids.clone(), vec![beyond]].concat();
        assert_eq!(tokenizer.decode(&ids).unwrap(), known.decoded, "{kind}");
        assert_eq!(tokenizer.decode_text(&ids).unwrap(), known.decoded_skip, "{kind}");
        assert_eq!(tokenizer.pieces(&ids).unwrap()[3], format!("<id {beyond}>"), "{kind}");
        assert!(!tokenizer.has_text(beyond) && tokenizer.has_text(known.ids[0]));
    }
}

/// A start token that the tokenizer does not add itself covers no byte of the text.
#[test]
fn a_prepended_start_token_covers_no_bytes() {
    let (tokenizer, _) = load("gpt2");
    let encoded = tokenizer.with_bos(Some(50256)).encode_with_offsets("Hello world", Bos::Prepend).unwrap();
    assert_eq!(encoded.ids, [50256, 15496, 995]);
    assert_eq!(encoded.tokens, ["<|endoftext|>", "Hello", "Ġworld"]);
    assert_eq!((encoded.offsets, encoded.type_ids), (vec![(0, 0), (0, 5), (5, 11)], vec![0, 0, 0]));
}

/// Padding and truncation settings in a `tokenizer.json` change no prompt.
#[test]
fn padding_and_truncation_of_the_file_are_not_applied() {
    let text = std::fs::read_to_string(folder("bert_wordpiece").join("tokenizer.json")).unwrap();
    let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
    file["truncation"] =
        serde_json::json!({"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0});
    file["padding"] = serde_json::json!({
        "strategy": {"Fixed": 12}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"
    });
    let (plain, vectors) = load("bert_wordpiece");
    let carrying = Tokenizer::from_bytes(file.to_string().as_bytes(), None).unwrap();
    for text in vectors.texts.iter().map(|text| &text.text) {
        let ids = |tokenizer: &Tokenizer| tokenizer.encode(text, Bos::AsTokenizer).unwrap();
        assert_eq!(ids(&carrying), ids(&plain), "{text:?}");
    }
}

/// The two files from which a `tokenizer.json` was made.
fn older_files(kind: &str, to: &Path) {
    let text = std::fs::read_to_string(folder(kind).join("tokenizer.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    std::fs::write(to.join("vocab.json"), file["model"]["vocab"].to_string()).unwrap();
    let line = |merge: &serde_json::Value| match merge.as_str() {
        Some(line) => line.to_owned(),
        None => format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()),
    };
    let lines: Vec<String> = file["model"]["merges"].as_array().unwrap().iter().map(line).collect();
    std::fs::write(to.join("merges.txt"), format!("#version: 0.2\n{}\n", lines.join("\n"))).unwrap();
}

#[test]
fn the_older_two_files_give_the_same_tokens() {
    for kind in ["gpt2", "gpt2_bpe"] {
        let to = tempfile::tempdir().unwrap();
        older_files(kind, to.path());
        let (whole, vectors) = load(kind);
        let older = Tokenizer::from_folder(to.path()).unwrap().unwrap();
        assert_eq!((older.len(), older.special()), (whole.len(), whole.special()), "{kind}");
        for text in vectors.texts.iter().map(|text| &text.text) {
            let encoded = |tokenizer: &Tokenizer| tokenizer.encode_with_offsets(text, Bos::AsTokenizer).unwrap();
            assert_eq!(encoded(&older), encoded(&whole), "{kind}: {text:?}");
            let ids = encoded(&whole).ids;
            assert_eq!(older.decode(&ids).unwrap(), whole.decode(&ids).unwrap(), "{kind}: {text:?}");
        }
        for Joined { pair: (first, second), .. } in &vectors.pairs {
            assert_eq!(older.encode_pair(first, second).unwrap(), whole.encode_pair(first, second).unwrap(), "{kind}");
        }
    }
}

/// GPT-2's tokenizer as it was saved, without `tokenizer.json`.
fn older(settings: Option<&str>) -> arrakis::models::Result<Option<Tokenizer>> {
    let to = tempfile::tempdir().unwrap();
    for file in ["vocab.json", "merges.txt"] {
        std::fs::copy(folder("gpt2_bpe").join(file), to.path().join(file)).unwrap();
    }
    if let Some(settings) = settings {
        std::fs::write(to.path().join("tokenizer_config.json"), settings).unwrap();
    }
    Tokenizer::from_folder(to.path())
}

#[test]
fn the_older_two_files_follow_their_settings() {
    let (whole, _) = load("gpt2_bpe");
    let ids = |tokenizer: &Tokenizer, text: &str| tokenizer.encode(text, Bos::AsTokenizer).unwrap();
    let end = whole.id("<|endoftext|>").unwrap();
    let named = |settings: &str| older(Some(settings)).unwrap().unwrap();
    assert_eq!(older(None).unwrap().unwrap().bos(), Some(end), "the default of GPT-2's class");
    assert_eq!(named(r#"{"bos_token": "<|endoftext|>"}"#).bos(), Some(end));
    let blank = named(r#"{"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": true}"#);
    assert_eq!(ids(&blank, "the end"), ids(&whole, " the end"));
    let begins = named(r#"{"add_bos_token": true, "bos_token": {"content": "<|endoftext|>"}}"#);
    assert_eq!(ids(&begins, "the end"), [vec![end], ids(&whole, "the end")].concat());
    let padded = named(r#"{"pad_token": "<pad>"}"#);
    assert_eq!(padded.id("<pad>"), Some(end + 1));
}

#[test]
fn older_files_of_other_kinds_and_broken_ones_are_refused() {
    assert!(older(Some(r#"{"tokenizer_class": "CLIPTokenizer"}"#)).unwrap().is_none());
    let said = Tokenizer::unread(&folder("gpt2_bpe")).unwrap();
    let expected = "vocab.json with merges.txt is a byte-pair vocabulary of a class that is not known; convert it in Python: \
                    `AutoTokenizer.from_pretrained(folder).save_pretrained(folder)` writes a tokenizer.json";
    assert_eq!(said, expected);
    let said = older(Some("{")).unwrap_err().to_string();
    assert!(said.contains("tokenizer_config.json") && said.contains("not valid JSON"), "{said}");
    let to = tempfile::tempdir().unwrap();
    std::fs::write(to.path().join("vocab.json"), r#"{"a": 0, "b": 1}"#).unwrap();
    for (merges, problem) in
        [("a b\n", "download both files again"), ("#version: 0.2\na b\nab\n", "line 3 is not two parts")]
    {
        std::fs::write(to.path().join("merges.txt"), merges).unwrap();
        let said = Tokenizer::from_folder(to.path()).unwrap_err().to_string();
        assert!(said.contains(problem), "{said}");
    }
}

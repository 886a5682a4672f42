//! Every tokenizer against the vectors of Python's `tokenizers`: ids, entries, offsets, pairs, decoding, padded batches.

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::path::{Path, PathBuf};

use arrakis::models::{Bos, Encoded, Error, Side, Tokenizer, Tokens};
use serde::Deserialize;

const KINDS: [&str; 4] = ["gpt2", "gpt2_bpe", "llama2_bpe", "bert_wordpiece"];

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
    /// Of `ids_plain`, where they are few.
    decode_each: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Joined {
    pair: (String, String),
    ids: Vec<u32>,
    type_ids: Vec<u32>,
    special_tokens_mask: Vec<u32>,
}

/// Rows cut at ten tokens and padded.
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

/// Holds every text of every kind against a check.
fn each(check: impl Fn(&Tokenizer, &Alone, &str)) {
    for kind in KINDS {
        let (tokenizer, vectors) = load(kind);
        assert_eq!(vectors.texts.len(), 63, "{kind}");
        for text in &vectors.texts {
            check(&tokenizer, text, &format!("{kind}: {:?}", text.text));
        }
    }
}

/// Offsets of a text in characters.
fn in_characters(text: &str, encoded: &Encoded) -> Vec<(usize, usize)> {
    let characters = |bytes: usize| text[..bytes].chars().count();
    encoded.offsets.iter().map(|(start, end)| (characters(*start), characters(*end))).collect()
}

#[test]
fn ids_entries_and_offsets() {
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
fn decoding() {
    each(|tokenizer, text, what| {
        assert_eq!(tokenizer.decode(&text.ids).unwrap(), text.decoded, "{what}");
        assert_eq!(tokenizer.decode_text(&text.ids).unwrap(), text.decoded_skip, "{what}");
        for (id, expected) in text.ids_plain.iter().zip(text.decode_each.iter().flatten()) {
            assert_eq!(&tokenizer.decode(&[*id]).unwrap(), expected, "{what}: {id}");
        }
    });
}

/// What a piece is beyond its decoded text: `SentencePiece`'s decoder drops a leading blank, which a label must show.
#[test]
fn pieces_are_the_decoded_tokens_with_their_blanks() {
    each(|tokenizer, text, what| {
        let pieces = tokenizer.pieces(&text.ids_plain).unwrap();
        for (piece, decoded) in pieces.iter().zip(text.decode_each.iter().flatten()) {
            assert!(piece == decoded || *piece == format!(" {decoded}"), "{what}: {piece:?} of {decoded:?}");
        }
        let plain = text.text.is_ascii() && !text.text.chars().any(char::is_control);
        let blank = if what.starts_with("llama2") && !text.text.is_empty() { " " } else { "" };
        if plain && !text.text.contains('<') && !what.starts_with("bert") {
            assert_eq!(pieces.concat(), format!("{blank}{}", text.text), "{what}");
        }
    });
}

#[test]
fn pairs() {
    for kind in KINDS {
        let (tokenizer, vectors) = load(kind);
        assert_eq!(vectors.pairs.len(), 4, "{kind}");
        for Joined { pair: (first, second), ids, type_ids, special_tokens_mask } in &vectors.pairs {
            let encoded = tokenizer.encode_pair(first, second).unwrap();
            assert_eq!((&encoded.ids, &encoded.type_ids), (ids, type_ids), "{kind}: {first:?}, {second:?}");
            for (index, (start, end)) in encoded.offsets.iter().enumerate() {
                let text = if type_ids[index] == 0 { first } else { second };
                let (special, within) = (special_tokens_mask[index] == 1, text.get(*start..*end).is_some());
                assert!(within && special == (start == end), "{kind}: {first:?}, {second:?} at {index}");
            }
        }
    }
}

/// Our batches cut nothing: truncated rows are taken as the vectors have them, and padded as they have it.
#[test]
fn padded_batches() {
    for kind in KINDS {
        let (tokenizer, vectors) = load(kind);
        for Batch { padding_side, ids, attention_mask } in vectors.batch {
            let side = if padding_side == "left" { Side::Left } else { Side::Right };
            let real: Vec<Vec<bool>> = attention_mask.iter().map(|row| row.iter().map(|m| *m == 1).collect()).collect();
            let rows: Vec<Vec<u32>> = ids
                .iter()
                .zip(&real)
                .map(|(ids, real)| ids.iter().zip(real).filter(|(_, real)| **real).map(|(id, _)| *id).collect())
                .collect();
            assert_eq!(rows[0], tokenizer.encode("Hello world", Bos::AsTokenizer).unwrap(), "{kind}");
            let padding = real[0].iter().position(|real| !real).unwrap();
            let padded = Tokens::padded(&rows, side, ids[0][padding]);
            if rows.iter().any(Vec::is_empty) {
                // GPT-2 makes no token of the empty text: a row of nothing is refused, the others are padded alike.
                assert!(matches!(padded, Err(Error::EmptyPrompt)), "{kind}");
                let padded = Tokens::padded(&rows[..2], side, ids[0][padding]).unwrap();
                assert_eq!((padded.ids(), padded.real()), (&ids[..2], &real[..2]), "{kind} {padding_side}");
            } else {
                let padded = padded.unwrap();
                assert_eq!((padded.ids(), padded.real()), (&ids[..], &real[..]), "{kind} {padding_side}");
            }
        }
    }
}

#[test]
fn sizes_and_unknown_ids() {
    for kind in KINDS {
        let (tokenizer, vectors) = load(kind);
        assert_eq!(tokenizer.len(), vectors.vocab_size, "{kind}");
        let beyond = u32::try_from(vectors.vocab_size).unwrap();
        let said = tokenizer.decode(&[beyond]).unwrap_err().to_string();
        assert_eq!(said, format!("token {beyond} is out of range: there are {beyond}, numbered from 0"), "{kind}");
        assert_eq!(tokenizer.decode_text(&[beyond]).unwrap_err().to_string(), said, "{kind}");
    }
}

/// A beginning that the tokenizer does not add by itself stands for no byte of the text.
#[test]
fn a_prepended_beginning_has_no_bytes() {
    let (tokenizer, _) = load("gpt2");
    let encoded = tokenizer.with_bos(Some(50256)).encode_with_offsets("Hello world", Bos::Prepend).unwrap();
    assert_eq!(encoded.ids, [50256, 15496, 995]);
    assert_eq!(encoded.tokens, ["<|endoftext|>", "Hello", "Ġworld"]);
    assert_eq!((encoded.offsets, encoded.type_ids), (vec![(0, 0), (0, 5), (5, 11)], vec![0, 0, 0]));
}

/// Padding and truncation that a `tokenizer.json` carries change no prompt.
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

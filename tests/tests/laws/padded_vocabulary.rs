//! A model whose embedding has more rows than its tokenizer has tokens: ids without a text lose no text.

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::collections::BTreeMap;

use arrakis::models::{Generation, HookedAutoModel, HookedTransformer, LoadOptions};
use arrakis::prelude::*;
use arrakis_tests::fixture;
use serde_json::json;

/// Tokens that have a text, of 120.
const KNOWN: u32 = 50;

/// A checkpoint of `fixtures/parity` with a tokenizer of words `w0`, `w1`, ….
fn model() -> HookedTransformer {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("parity/llama").join(file), folder.path().join(file)).unwrap();
    }
    let vocab: BTreeMap<String, u32> = (0..KNOWN).map(|id| (format!("w{id}"), id)).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "w0" }
    });
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let options = LoadOptions::new().device("cpu").quiet();
    HookedAutoModel::load(folder.path().to_str().unwrap(), &options).unwrap()
}

#[test]
fn generation_lenses_and_decoding_go_on() {
    let model = model();
    let made = model.generate("w5 w6 w7", &Generation::greedy(8).ignore_eos()).unwrap().ids.remove(0);
    assert_eq!(made[..3], [5, 6, 7]);
    let without = made.iter().filter(|id| **id >= KNOWN).count();
    assert!(without > 0, "{made:?}");
    let expected: Vec<String> = made.iter().filter(|id| **id < KNOWN).map(|id| format!("w{id}")).collect();
    assert_eq!(model.decode(&made).unwrap(), expected.join(" "), "as transformers, which drops ids without a text");
    let tokenizer = model.tokenizer().unwrap();
    for (piece, id) in tokenizer.pieces(&made).unwrap().iter().zip(&made) {
        assert_eq!(*piece, if *id < KNOWN { format!("w{id}") } else { format!("<id {id}>") });
    }
    let top = model.top_tokens("w5 w6 w7", 120).unwrap();
    assert_eq!(top.iter().filter(|token| token.text.starts_with("<id ")).count(), 70);
    let lens = LogitLens::new(&model).unwrap().top("w5 w6 w7", 120).unwrap();
    assert!(format!("{lens:?}").contains("<id "), "{lens:?}");
}

#[test]
fn an_id_that_the_model_does_not_have_is_refused() {
    let model = model();
    let expected = "token 120 is out of range: there are 120, numbered from 0";
    assert_eq!(model.to_single_str_token(120).unwrap_err().to_string(), expected);
    assert_eq!(model.decode(&[5, 120]).unwrap_err().to_string(), expected);
}

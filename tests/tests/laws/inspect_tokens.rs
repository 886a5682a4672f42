//! What `arrakis inspect` says of tokens: how prompts begin, chat templates, where generation stops, what is not read.

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::path::Path;

use arrakis_tests::fixture;
use serde_json::{Value, json};

/// A checkpoint of `fixtures/parity` with other files beside it.
fn folder(model: &str, files: &[(&str, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("parity").join(model).join(file), folder.path().join(file)).unwrap();
    }
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixture("tokenizers").join(name)).unwrap()
}

fn inspect(folder: &Path, more: &[&str]) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = [&["arrakis", "--device", "cpu", "inspect", folder.to_str().unwrap()], more].concat();
    arrakis::cli::run(args, &mut out, &mut err);
    String::from_utf8(out).unwrap()
}

/// The value of a row of the table.
fn row(out: &str, name: &str) -> String {
    let line = out.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in\n{out}"));
    line[name.len()..].trim().to_owned()
}

#[test]
fn a_gemma_prompt_without_its_bos_is_told_with_its_tokens() {
    let mut tokenizer: Value = serde_json::from_str(&text("llama2_bpe/tokenizer.json")).unwrap();
    tokenizer["post_processor"] = Value::Null;
    let settings = json!({
        "tokenizer_class": "GemmaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "chat_template": [{ "name": "default", "template": "" }, { "name": "rag", "template": "" }]
    });
    let folder = folder(
        "gemma",
        &[
            ("tokenizer.json", tokenizer.to_string()),
            ("tokenizer_config.json", settings.to_string()),
            ("generation_config.json", json!({ "eos_token_id": [2, 1] }).to_string()),
        ],
    );
    let out = inspect(folder.path(), &[]);
    assert!(row(&out, "tokenizer").starts_with("1,201 tokens, as GemmaTokenizer, BOS 1, special: "), "{out}");
    let begins = row(&out, "prompts begin");
    assert!(begins.starts_with("without the BOS: `The quick brown fox` is ") && !begins.contains("`<s>`"), "{out}");
    assert!(row(&out, "warning").starts_with("a prompt does not begin with the BOS token `<s>`"), "{out}");
    assert_eq!(row(&out, "chat template"), "default, rag");
    assert_eq!(row(&out, "generation stops at"), "2 `</s>`, 1 `<s>`");
    let found: Value = serde_json::from_str(&inspect(folder.path(), &["--json"])).unwrap();
    assert_eq!((&found["stop_tokens"], &found["tokenizer"]["begins_with_bos"]), (&json!([2, 1]), &json!(false)));
    let pieces: String =
        found["tokenizer"]["sample"].as_array().unwrap().iter().map(|pair| pair[1].as_str().unwrap()).collect();
    assert_eq!(pieces, "The quick brown fox");
}

#[test]
fn a_prompt_with_its_bos_needs_no_warning() {
    let settings = json!({ "tokenizer_class": "GemmaTokenizer", "bos_token": "<s>", "eos_token": "</s>" });
    let files =
        [("tokenizer.json", text("llama2_bpe/tokenizer.json")), ("tokenizer_config.json", settings.to_string())];
    let out = inspect(folder("gemma", &files).path(), &[]);
    assert!(row(&out, "prompts begin").starts_with("with the BOS: `The quick brown fox` is 1 `<s>`, "), "{out}");
    assert!(!out.contains("warning"), "{out}");
    assert_eq!(row(&out, "chat template"), "none");
    assert_eq!(row(&out, "generation stops at"), "1 `<s>`");
}

#[test]
fn a_vocabulary_that_is_not_read_is_named_with_the_way_to_convert_it() {
    for (file, said) in [
        ("tekken.json", "tekken.json is Mistral's tekken vocabulary; convert it in Python"),
        ("tokenizer.model", "tokenizer.model is a vocabulary that is not SentencePiece's; convert it in Python"),
    ] {
        let folder = folder("llama", &[(file, "IQ== 0\nIg== 1\n".to_owned())]);
        let out = inspect(folder.path(), &[]);
        let row = row(&out, "tokenizer");
        assert!(row.starts_with(&format!("none: prompts are token ids; {said}")), "{out}");
        assert_eq!(row.matches("save_pretrained").count(), 1);
        assert!(out.contains("it would load"), "{out}");
    }
}

//! What the small files beside a vocabulary say: ids, decoded texts and special tokens of folders compared with
//! transformers (`fixtures/tokenizers/make_folders.py`).

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrakis::models::{Bos, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, Value};

/// `folders.json`.
#[derive(Deserialize)]
struct Folders {
    transformers: String,
    texts: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    base: String,
    /// The files that are there in the base's place.
    take: Vec<String>,
    /// Keys of `tokenizer.json` that are replaced.
    edit: Map<String, Value>,
    files: BTreeMap<String, Value>,
    answer: Answer,
}

#[derive(Deserialize)]
struct Answer {
    class: String,
    bos: Option<u32>,
    len: usize,
    special: Vec<u32>,
    texts: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "as")]
    ids: Vec<u32>,
    omit: Option<Vec<u32>>,
    decode: Option<String>,
    decode_text: Option<String>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tokenizers")
}

fn folders() -> Folders {
    serde_json::from_str(&std::fs::read_to_string(fixtures().join("folders.json")).unwrap()).unwrap()
}

/// Writes the folder that a case describes.
fn write(case: &Case, to: &Path) {
    for name in &case.take {
        let path = to.join(name);
        if name == "tokenizer.model" {
            std::fs::copy(fixtures().join(&case.base), path).unwrap();
            continue;
        }
        let text = std::fs::read_to_string(fixtures().join(&case.base).join("tokenizer.json")).unwrap();
        let mut file: Map<String, Value> = serde_json::from_str(&text).unwrap();
        file.extend(case.edit.clone());
        let model = &file["model"];
        let content = match name.as_str() {
            "vocab.json" => model["vocab"].to_string(),
            "merges.txt" => merges(model),
            "vocab.txt" => words(model),
            _ => serde_json::to_string(&file).unwrap(),
        };
        std::fs::write(path, content).unwrap();
    }
    for (name, content) in &case.files {
        std::fs::write(to.join(name), content.to_string()).unwrap();
    }
}

fn merges(model: &Value) -> String {
    let line = |merge: &Value| match merge.as_str() {
        Some(line) => format!("{line}\n"),
        None => format!("{} {}\n", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()),
    };
    let lines: String = model["merges"].as_array().unwrap().iter().map(line).collect();
    format!("#version: 0.2\n{lines}")
}

fn words(model: &Value) -> String {
    let mut words: Vec<(&String, u64)> =
        model["vocab"].as_object().unwrap().iter().map(|(word, id)| (word, id.as_u64().unwrap())).collect();
    words.sort_by_key(|(_, id)| *id);
    words.iter().flat_map(|(word, _)| [word.as_str(), "\n"]).collect()
}

fn load(case: &Case) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    write(case, folder.path());
    Tokenizer::from_folder(folder.path()).unwrap().unwrap()
}

#[test]
fn ids_and_texts_are_those_of_transformers() {
    let folders = folders();
    assert!(folders.cases.len() >= 50 && folders.transformers.starts_with("5."));
    for case in &folders.cases {
        let tokenizer = load(case);
        for (text, row) in folders.texts.iter().zip(&case.answer.texts) {
            let what = format!("{}: {text:?}", case.name);
            assert_eq!(tokenizer.encode(text, Bos::AsTokenizer).unwrap(), row.ids, "{what}");
            let omit = row.omit.as_ref().unwrap_or(&row.ids);
            assert_eq!(&tokenizer.encode(text, Bos::Omit).unwrap(), omit, "{what}");
            let decoded = row.decode.as_ref().unwrap_or(text);
            assert_eq!(&tokenizer.decode(&row.ids).unwrap(), decoded, "{what}");
            let plain = row.decode_text.as_ref().unwrap_or(decoded);
            assert_eq!(&tokenizer.decode_text(&row.ids).unwrap(), plain, "{what}");
        }
    }
}

#[test]
fn sizes_and_special_tokens_are_those_of_transformers() {
    for case in &folders().cases {
        let (tokenizer, answer) = (load(case), &case.answer);
        let special: Vec<u32> = tokenizer.special().into_keys().collect();
        assert_eq!((tokenizer.len(), special), (answer.len, answer.special.clone()), "{}", case.name);
        assert_eq!(tokenizer.bos(), answer.bos, "{}", case.name);
        let class = answer.class.trim_start_matches("Distil");
        assert!(tokenizer.class().is_some_and(|own| class.contains(own)), "{}: {class}", case.name);
    }
}

/// However a text begins and whatever the tokenizer adds, there is one BOS in front.
#[test]
fn a_prepended_bos_is_the_only_one() {
    for case in &folders().cases {
        let tokenizer = load(case);
        let Some(bos) = tokenizer.bos() else {
            assert!(tokenizer.encode("Hi", Bos::Prepend).is_err(), "{}", case.name);
            continue;
        };
        let text = tokenizer.special()[&bos].clone();
        for text in ["Hi".to_owned(), format!("{text}Hi"), format!("{text}{text}Hi"), String::new()] {
            let encoded = tokenizer.encode_with_offsets(&text, Bos::Prepend).unwrap();
            let count = encoded.ids.iter().take_while(|id| **id == bos).count();
            // What is split by `split_special_tokens` is no BOS.
            assert_eq!(count, 1, "{}: {text:?}", case.name);
            assert_eq!((encoded.tokens.len(), encoded.offsets.len()), (encoded.ids.len(), encoded.ids.len()));
        }
    }
}

/// A broken `tokenizer.model` is read, refused or named as another kind, but never makes us panic.
#[test]
fn a_broken_model_of_sentencepiece_is_read_or_refused() {
    let whole = std::fs::read(fixtures().join("sentencepiece/bpe.model")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut broken: Vec<Vec<u8>> = (0..whole.len()).step_by(211).map(|length| whole[..length].to_vec()).collect();
    for seed in 1..60_usize {
        let mut bytes = whole.clone();
        for step in 1..5 {
            let place = seed * 7_919 * step % bytes.len();
            bytes[place] ^= 1 << (seed * step % 8);
        }
        broken.push(bytes);
    }
    let mut read = 0;
    for bytes in broken {
        std::fs::write(folder.path().join("tokenizer.model"), bytes).unwrap();
        if let Ok(Some(tokenizer)) = Tokenizer::from_folder(folder.path()) {
            let _ = tokenizer.encode("Hello <|im_start|> world", Bos::AsTokenizer);
            read += 1;
        }
    }
    assert!(read > 10, "{read} are read");
}

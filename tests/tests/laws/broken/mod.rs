//! Broken checkpoints and prompts. Each gives an error that names the file or key and the fix, and none panics.

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

mod folders;
mod pickles;
mod places;

use std::path::{Path, PathBuf};

use arrakis::models::{HookedAutoModel, HookedTransformer, LoadOptions, Result};
use serde_json::{Value, json};

fn fixture(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parity").join(case)
}

fn load(folder: &Path) -> Result<HookedTransformer> {
    HookedAutoModel::load(folder.to_str().unwrap(), &LoadOptions::new().device("cpu").quiet())
}

/// A copy of a case without its reference, for a test to break.
fn copy(case: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json"] {
        let from = fixture(case).join(file);
        if from.is_file() {
            std::fs::copy(from, folder.path().join(file)).unwrap();
        }
    }
    folder
}

/// The error of loading a broken copy of `llama`.
fn refusal(break_it: impl FnOnce(&Path)) -> String {
    let folder = copy("llama");
    break_it(folder.path());
    load(folder.path()).map(drop).unwrap_err().to_string()
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// `config.json` with one key changed.
fn config(folder: &Path, key: &str, value: Value) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    config[key] = value;
    std::fs::write(path, config.to_string()).unwrap();
}

/// `model.safetensors` with its header changed.
fn header(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut value: Value = serde_json::from_slice(&bytes[8..end]).unwrap();
    change(&mut value);
    let text = value.to_string();
    std::fs::write(path, [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &bytes[end..]].concat()).unwrap();
}

#[test]
fn weights_that_are_cut_short_or_not_weights_are_refused() {
    let cut = |length: usize| {
        refusal(|folder| {
            let path = folder.join("model.safetensors");
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(path, &bytes[..length]).unwrap();
        })
    };
    let whole = std::fs::read(fixture("llama").join("model.safetensors")).unwrap();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let ends = [8 + header - 1, 8 + header, 8 + header + 1, whole.len() - 1];
    for length in [0, 1, 7, 8, 9, 100, 10_000, 100_000].into_iter().chain(ends) {
        says(&cut(length), &["model.safetensors", "download it again"]);
    }
    let longer = refusal(|folder| {
        std::fs::write(folder.join("model.safetensors"), [&whole[..], b"x"].concat()).unwrap();
    });
    says(&longer, &["model.safetensors", "something was added at its end", "download it again"]);
    let huge = refusal(|folder| {
        std::fs::write(folder.join("model.safetensors"), [&u64::MAX.to_le_bytes()[..], b"{}"].concat()).unwrap();
    });
    says(&huge, &["model.safetensors", "header", "18446744073709551615", "download it again"]);
}

#[test]
fn false_headers_are_refused() {
    let name = "model.norm.weight";
    let overlapping = refusal(|folder| header(folder, |value| value[name]["data_offsets"] = json!([0, 128])));
    says(&overlapping, &["model.safetensors", "is listed at bytes", "download it again"]);
    let shape = refusal(|folder| header(folder, |value| value[name]["shape"] = json!([33])));
    says(&shape, &["model.safetensors", name, "[33]"]);
    let overflowing = refusal(|folder| header(folder, |value| value[name]["shape"] = json!([u64::MAX, 4])));
    says(&overflowing, &["model.safetensors", name]);
    let turned =
        refusal(|folder| header(folder, |value| value["model.layers.0.mlp.up_proj.weight"]["shape"] = json!([32, 72])));
    says(
        &turned,
        &[
            "wrong shape: `model.layers.0.mlp.up_proj.weight` [[32, 72]]",
            "asks for [32, 72]",
            "blocks.0.mlp.w_in.weight",
        ],
    );
    let whole_numbers = refusal(|folder| header(folder, |value| value[name]["dtype"] = json!("I32")));
    says(&whole_numbers, &[name, "holds I32", "F64, F32, F16 and BF16 are read", "widened"]);
    // Eight bits per number, under a name for which Burn has no type.
    let quarter = refusal(|folder| {
        header(folder, |value| {
            value[name]["dtype"] = json!("F8_E5M2");
            value[name]["shape"] = json!([128]);
        });
    });
    says(&quarter, &[name, "holds F8_E5M2"]);
    let strange = |name: String, shape: Value| {
        refusal(move |folder| {
            header(folder, |value| {
                let mut tensor = value.as_object_mut().unwrap().remove("model.norm.weight").unwrap();
                tensor["shape"] = shape;
                value[name] = tensor;
            });
        })
    };
    let deep = strange(name.into(), Value::Array([vec![json!(1); 5_000], vec![json!(32)]].concat()));
    says(&deep, &["`model.norm.weight`", "5001 axes", "download it again"]);
    let long = strange("x".repeat(100_000), json!([32]));
    says(&long, &["a name of 100000 bytes", "download it again"]);
    assert!(deep.len() < 500 && long.len() < 500, "{deep} {long}");
    let steering = strange("\u{1b}[31m".into(), json!([32]));
    says(&steering, &["`\\u{1b}[31m`", "download it again"]);
    let renamed = refusal(|folder| {
        header(folder, |value| {
            let tensor = value.as_object_mut().unwrap().remove(name).unwrap();
            value["model.nrom.weight"] = tensor;
        });
    });
    says(&renamed, &["missing: `model.norm.weight`", "unexpected: `model.nrom.weight`"]);
}

/// A head that config.json ties to the embedding although the file has another one. Transformers 5 uses it,
/// transformers 4 does not.
#[test]
fn a_tied_head_that_differs_from_the_embedding_is_refused() {
    let tied = refusal(|folder| config(folder, "tie_word_embeddings", json!(true)));
    says(
        &tied,
        &["contradiction: `lm_head.weight` differs from `model.embed_tokens.weight`", "`tie_word_embeddings` to false"],
    );
}

#[test]
fn missing_shards_are_named() {
    let index = |name: &'static str| {
        refusal(move |folder| {
            std::fs::remove_file(folder.join("model.safetensors")).unwrap();
            let map = json!({"weight_map": {"model.norm.weight": name}});
            std::fs::write(folder.join("model.safetensors.index.json"), map.to_string()).unwrap();
        })
    };
    says(
        &index("model-00001-of-00002.safetensors"),
        &["index.json", "`model-00001-of-00002.safetensors` is missing", "download it"],
    );
    for outside in ["../model.safetensors", "/etc/passwd", "..", "", "a/b.safetensors"] {
        says(&index(outside), &["index.json", "`model.norm.weight`", "not a file of this folder"]);
    }
    let empty = refusal(|folder| std::fs::remove_file(folder.join("model.safetensors")).unwrap());
    says(&empty, &["no weights here", "model.safetensors"]);
}

#[test]
fn configs_that_make_no_sense_are_refused() {
    let changed = |key: &'static str, value: Value| refusal(move |folder| config(folder, key, value));
    says(&changed("hidden_size", json!("32")), &["config.json", "`hidden_size` is \"32\"", "whole number"]);
    says(&changed("num_attention_heads", json!(0)), &["config.json", "`num_attention_heads` is 0", "from 1"]);
    says(&changed("num_hidden_layers", json!(1_000_000_000)), &["config.json", "`num_hidden_layers` is 1000000000"]);
    says(
        &changed("num_hidden_layers", json!(9_999)),
        &[
            "the config asks for 9999 layers, but there are 30 tensors in all",
            "is this the config.json of these weights?",
        ],
    );
    says(
        &changed("num_hidden_layers", json!(20)),
        &["missing: `model.layers.", "more; is this the config.json of these weights?"],
    );
    says(&changed("vocab_size", json!(9_999_999)), &["wrong shape: `", "9999999"]);
    says(&changed("rms_norm_eps", json!("small")), &["`rms_norm_eps` is \"small\"", "finite number"]);
    says(&changed("rms_norm_eps", json!(-1e-5)), &["norm_eps", "above 0"]);
    says(&changed("num_key_value_heads", json!(3)), &["3", "query heads"]);
    says(&changed("hidden_act", json!("silly")), &["`hidden_act` is \"silly\"", "silu"]);
    says(&changed("model_type", json!("lama")), &["`lama` is not known", "did you mean `llama`?"]);
    says(&changed("model_type", json!(7)), &["config.json", "`model_type` is 7", "\"model_type\": \"gpt2\""]);
    let far = changed("model_type", json!("t5"));
    says(&far, &["`t5` is not known; known are gpt2, "]);
    assert!(!far.contains("did you mean"), "{far}");
    let steering = changed("\u{1b}[31m", json!(1));
    says(&steering, &["`\\u{1b}[31m` is 1", "not known"]);
    let t5 = json!({"model_type": "t5", "is_encoder_decoder": true, "d_model": 32, "num_layers": 2});
    let t5 = refusal(|folder| std::fs::write(folder.join("config.json"), t5.to_string()).unwrap());
    says(&t5, &["config.json of `t5`", "`is_encoder_decoder` is true", "cross attention", "gpt2", "bert"]);
    says(&changed("some_new_option", json!(true)), &["`some_new_option` is true", "remove it"]);
    says(&changed("rope_parameters", json!({"rope_type": "spiral", "rope_theta": 1e4})), &["rope_type", "spiral"]);
}

#[test]
fn configs_that_are_not_json_are_refused() {
    let written = |text: String| refusal(move |folder| std::fs::write(folder.join("config.json"), text).unwrap());
    says(
        &written(r#"{"model_type": "llama", "rms_norm_eps": NaN}"#.into()),
        &["config.json", "not valid JSON", "line 1", "near `", "\"rms_norm_eps\": NaN}`", "fix it"],
    );
    says(&written("[".repeat(200_000)), &["config.json", "not valid JSON", "recursion limit"]);
    says(&written(String::new()), &["config.json", "it is empty", "download it again"]);
    says(&written(" ".repeat(5 << 20)), &["config.json", "larger than 4.2 MB", "the right file?"]);
    let long = written(format!(r#"{{"model_type": "llama", "hidden_size": [{}0]}}"#, "0, ".repeat(100_000)));
    assert!(long.len() < 500 && long.contains("`hidden_size` is [0,0,0,"), "{}", &long[..500.min(long.len())]);
    says(&written("[1]".into()), &["config.json", "object"]);
    let absent = refusal(|folder| std::fs::remove_file(folder.join("config.json")).unwrap());
    says(&absent, &["cannot read", "config.json"]);
    let binary = refusal(|folder| std::fs::write(folder.join("config.json"), [0xff, 0xfe, 0x00]).unwrap());
    says(&binary, &["config.json", "not UTF-8 text", "save it as UTF-8"]);
    let marked = copy("llama");
    let text = std::fs::read_to_string(marked.path().join("config.json")).unwrap();
    std::fs::write(marked.path().join("config.json"), format!("\u{feff}{text}")).unwrap();
    assert!(load(marked.path()).is_ok());
}

#[test]
fn broken_and_missing_tokenizers_are_named() {
    for text in ["", "{}", "{\"model\": {\"type\": \"BPE\"}}", &"[".repeat(200_000)] {
        let broken = refusal(|folder| std::fs::write(folder.join("tokenizer.json"), text).unwrap());
        let problem = if text.is_empty() { "it is empty" } else { "not a tokenizer.json" };
        says(&broken, &["tokenizer.json", problem, "download it again"]);
    }
    let model = load(&fixture("llama")).unwrap();
    says(&model.forward("hello").unwrap_err().to_string(), &["no tokenizer", "tokenizer.json", "token ids"]);
}

#[test]
fn prompts_that_cannot_run_are_refused() {
    let model = load(&fixture("llama")).unwrap();
    let refused = |ids: Vec<u32>| model.forward(ids).unwrap_err().to_string();
    says(&refused(vec![]), &["empty", "at least one token"]);
    says(&refused(vec![5, 120]), &["token 120 is out of range", "120"]);
    says(&refused(vec![u32::MAX]), &["token 4294967295 is out of range"]);
    says(&refused(vec![7; 65]), &["65 tokens", "64", "shorten"]);
    let ragged = model.forward(vec![vec![1, 2], vec![3]]).unwrap_err().to_string();
    says(&ragged, &["row 1", "Tokens::padded"]);
    let overflow = model.generate(vec![7; 60], &arrakis::models::Generation::greedy(10)).unwrap_err().to_string();
    says(&overflow, &["69 tokens", "64"]);
    let text = load(&fixture("stories260K")).unwrap();
    assert!(text.forward("Once upon a time").is_ok());
}

#[test]
fn broken_references_are_refused() {
    use arrakis::parity::Reference;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reference.safetensors");
    let whole = std::fs::read(fixture("llama").join("reference.safetensors")).unwrap();
    for bytes in [&whole[..50], &whole[..whole.len() - 1], b"", &[0xff; 64]] {
        std::fs::write(&path, bytes).unwrap();
        says(&Reference::open(&path).unwrap_err().to_string(), &["reference.safetensors", "again"]);
    }
    std::fs::write(&path, &whole).unwrap();
    std::fs::write(folder.path().join("reference.json"), "{").unwrap();
    says(&Reference::open(&path).unwrap_err().to_string(), &["reference.json", "not valid JSON"]);
}

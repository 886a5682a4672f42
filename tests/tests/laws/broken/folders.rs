//! Folders that hold something else than a model: each says what lies there and what to give instead.

use std::path::Path;

use serde_json::json;

use super::{config, copy, load, refusal, says};

/// The error of loading a folder with these files.
fn with(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    load(folder.path()).map(drop).unwrap_err().to_string()
}

#[test]
fn an_adapter_alone_names_its_base_model() {
    let adapter = r#"{"peft_type": "LORA", "base_model_name_or_path": "meta-llama/Llama-3.2-1B", "r": 8}"#;
    says(
        &with(&[("adapter_config.json", adapter), ("adapter_model.safetensors", "")]),
        &[
            "a LORA adapter of the base model `meta-llama/Llama-3.2-1B`",
            "LoadOptions::adapter(..)",
            "merge_and_unload()",
        ],
    );
}

#[test]
fn a_cache_root_points_to_its_snapshot() {
    let main = ("refs/main", "aaaa");
    let said = with(&[main, ("snapshots/aaaa/config.json", "{}"), ("snapshots/bbbb/config.json", "{}")]);
    says(&said, &["the root of a model in the Hub's cache", "snapshots/aaaa`"]);
}

#[test]
fn the_layout_of_the_authors_is_named() {
    let said = refusal(|folder| {
        std::fs::rename(folder.join("model.safetensors"), folder.join("consolidated.safetensors")).unwrap();
    });
    says(&said, &["no weights here", "`consolidated.safetensors`", "not of transformers"]);
}

#[test]
fn the_output_of_a_training_points_to_its_last_checkpoint() {
    let said = with(&[("checkpoint-50/config.json", "{}"), ("checkpoint-200/config.json", "{}")]);
    says(&said, &["the output folder of a training", "step 200", "checkpoint-200`"]);
}

#[test]
fn a_variant_is_to_be_renamed() {
    let said = refusal(|folder| {
        std::fs::rename(folder.join("model.safetensors"), folder.join("model.fp16.safetensors")).unwrap();
    });
    says(&said, &["`model.fp16.safetensors` is a variant", "rename it model.safetensors"]);
}

#[test]
fn quantised_checkpoints_are_named_as_such() {
    for (key, value, method) in [
        ("quantization_config", json!({ "quant_method": "bitsandbytes", "load_in_4bit": true }), "(bitsandbytes)"),
        ("quantization_config", json!({ "quant_method": "fp8", "weight_block_size": [128, 128] }), "(FP8)"),
        ("quantization_config", json!({ "quant_method": "gptq", "bits": 4 }), "(GPTQ)"),
        ("quantization_config", json!({ "quant_method": "awq", "bits": 4 }), "(AWQ)"),
        ("quantization", json!({ "group_size": 64, "bits": 4 }), "(MLX)"),
    ] {
        let said = refusal(|folder| config(folder, key, value));
        says(&said, &["the weights are quantised", method, "model.dequantize()"]);
        assert!(!said.contains("remove"), "{said}");
    }
}

/// Keys that no language model reads do not refuse a model.
#[test]
fn keys_of_other_tools_are_let_through() {
    let folder = copy("llama");
    for (key, value) in [
        ("max_sequence_length", json!(2048)),
        ("custom_pipelines", json!({})),
        ("transformers_weights", json!("x")),
        ("unsloth_version", json!("2025.1")),
        ("_my_note", json!("hello")),
    ] {
        config(folder.path(), key, value);
    }
    load(folder.path()).unwrap();
    // transformers reads the weights from a file of that name.
    std::fs::copy(folder.path().join("model.safetensors"), folder.path().join("x")).unwrap();
    let said = load(folder.path()).map(drop).unwrap_err().to_string();
    says(&said, &["the weights are in `x`", "`transformers_weights`", "rename that file model.safetensors"]);
}

/// A path need not be text.
#[cfg(unix)]
#[test]
fn a_path_that_is_not_text_is_loaded() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use arrakis::models::{HookedAutoModel, LoadOptions};
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&path).unwrap();
    let load = |path: &Path| HookedAutoModel::load_folder(path, "café", &LoadOptions::new().device("cpu").quiet());
    says(&load(&path).map(drop).unwrap_err().to_string(), &["caf\u{fffd}", "cannot read", "config.json"]);
    for entry in std::fs::read_dir(copy("llama").path()).unwrap().flatten() {
        std::fs::copy(entry.path(), path.join(entry.file_name())).unwrap();
    }
    load(&path).unwrap();
}

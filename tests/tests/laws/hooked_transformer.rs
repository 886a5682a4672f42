//! Checkpoints of `HookedTransformer`, against its own logits (`fixtures/hooked_transformer/make_hooked.py`).

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::path::{Path, PathBuf};

use arrakis::models::{HookedAutoConfig, HookedAutoModel, HookedTransformer, LoadOptions, device};
use arrakis_tests::{distance, expected_logits};
use serde_json::{Value, json};

const CASES: [&str; 4] = ["attn_only", "solu", "rotary", "rms"];

/// Single precision, with logits up to 20.
const TOLERANCE: f32 = 2e-5;

fn fixture(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hooked_transformer").join(case)
}

fn load(folder: &Path) -> HookedTransformer {
    HookedAutoModel::load(folder.to_str().unwrap(), &LoadOptions::new().device("cpu").quiet()).unwrap()
}

#[test]
fn a_state_dict_gives_the_logits_of_transformer_lens() {
    for case in CASES {
        let (ids, logits) = expected_logits(&fixture(case));
        let far = distance(&load(&fixture(case)), &ids, &logits);
        assert!(far < TOLERANCE, "{case}: {far:e} from TransformerLens's logits");
    }
}

/// A model of attention alone writes nothing where its MLPs would be.
#[test]
fn attention_alone_leaves_the_stream_after_it() {
    let model = load(&fixture("attn_only"));
    let (_, cache) = model.run_with_cache([1, 2, 3], ["blocks.*.mlp_out"]).unwrap();
    for layer in 0..2 {
        let out: Vec<f32> = device::read(cache.get::<3>(format!("blocks.{layer}.mlp_out").as_str()).unwrap()).unwrap();
        assert!(!out.is_empty() && out.iter().all(|value| *value == 0.0));
    }
}

#[test]
fn what_the_transformer_here_lacks_is_named() {
    let text = std::fs::read_to_string(fixture("solu").join("config.json")).unwrap();
    let said = |key: &str, value: Value| {
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config[key] = value;
        HookedAutoConfig::from_json(config).unwrap_err().to_string()
    };
    for (key, value, problem) in [
        ("act_fn", json!("solu_ln"), "this activation is not supported; supported are relu"),
        ("normalization_type", Value::Null, "a model without norms is not supported"),
        ("positional_embedding_type", json!("shortformer"), "supported are standard and rotary"),
        ("gated_mlp", json!(true), "a gated MLP is not supported in this format"),
        ("attention_dir", json!("bidirectional"), "only causal attention is supported"),
        ("d_vocab_out", json!(3), "it must be d_vocab"),
    ] {
        let said = said(key, value);
        assert!(said.starts_with("config.json of `hooked_transformer`") && said.contains(problem), "{key}: {said}");
    }
}

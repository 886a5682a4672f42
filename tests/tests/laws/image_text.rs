//! Models that read images and text: the language model gives the logits of the whole for text alone
//! (`fixtures/image_text/make_image_text.py`).

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::path::{Path, PathBuf};

use arrakis::models::{HookedAutoModel, HookedTransformer, LoadOptions};
use arrakis_tests::expected_logits;
use serde_json::Value;

const CASES: [&str; 6] = ["gemma3", "llava", "mistral3", "qwen2_vl", "qwen2_5_vl", "qwen3_vl"];

/// Single precision, with logits up to 10.
const TOLERANCE: f32 = 2e-5;

fn fixture(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/image_text").join(case)
}

fn load(folder: &Path) -> HookedTransformer {
    HookedAutoModel::load(folder.to_str().unwrap(), &LoadOptions::new().device("cpu").quiet()).unwrap()
}

/// The largest distance from the logits that transformers gives without an image.
fn distance(model: &HookedTransformer, case: &str) -> f32 {
    let (ids, logits) = expected_logits(&fixture(case));
    arrakis_tests::distance(model, &ids, &logits)
}

#[test]
fn the_language_model_gives_the_logits_of_the_whole() {
    for case in CASES {
        let far = distance(&load(&fixture(case)), case);
        assert!(far < TOLERANCE, "{case}: {far:e} from transformers' logits");
    }
}

/// It is saved as the model of text that it is, for transformers too.
#[test]
fn the_language_model_is_saved_alone() {
    for (case, kind) in [("llava", "llama"), ("qwen2_vl", "qwen2"), ("gemma3", "gemma3_text")] {
        let folder = tempfile::tempdir().unwrap();
        load(&fixture(case)).save_pretrained(folder.path()).unwrap();
        let config: Value = serde_json::from_slice(&std::fs::read(folder.path().join("config.json")).unwrap()).unwrap();
        assert_eq!((&config["model_type"], config.get("vision_config")), (&Value::from(kind), None));
        assert!(distance(&load(folder.path()), case) < TOLERANCE, "{case}");
    }
}

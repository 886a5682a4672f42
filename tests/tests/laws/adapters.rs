//! Adapters of PEFT, merged on loading, against the logits that PEFT gives (`fixtures/adapters/make_adapters.py`).

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::path::{Path, PathBuf};

use arrakis::models::{HookedAutoModel, HookedTransformer, LoadOptions, Result, device};
use arrakis_tests::{distance, expected_logits};

const CASES: [(&str, &str); 9] = [
    ("llama_lora", "llama"),
    ("llama_rslora", "llama"),
    ("llama_dora", "llama"),
    ("llama_embedding", "llama"),
    ("llama_biases", "llama_biases"),
    ("llama_lora_bias", "llama_biases"),
    ("gpt2_lora", "gpt2"),
    ("gpt2_dora", "gpt2"),
    ("gpt2_saved", "gpt2"),
];

/// Single precision, with logits up to 30.
const TOLERANCE: f32 = 5e-5;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn load(base: &str, adapter: Option<&Path>) -> Result<HookedTransformer> {
    let options = LoadOptions { adapter: adapter.map(Path::to_owned), ..LoadOptions::new().device("cpu").quiet() };
    HookedAutoModel::load(fixtures().join("parity").join(base).to_str().unwrap(), &options)
}

fn logits(model: &HookedTransformer, ids: &[u32]) -> Vec<f32> {
    device::read(model.forward(ids.to_vec()).unwrap()).unwrap()
}

#[test]
fn a_merged_adapter_gives_the_logits_of_peft() {
    for (case, base) in CASES {
        let adapter = fixtures().join("adapters").join(case);
        let (ids, expected) = expected_logits(&adapter);
        let far = distance(&load(base, Some(&adapter)).unwrap(), &ids, &expected);
        assert!(far < TOLERANCE, "{case}: {far:e} from PEFT's logits");
        let plain = distance(&load(base, None).unwrap(), &ids, &expected);
        assert!(plain > 1.0, "{case}: the adapter changes the logits by {plain} only");
    }
}

#[test]
fn a_merged_model_is_saved_as_it_is() {
    for (case, base) in [("llama_dora", "llama"), ("gpt2_saved", "gpt2")] {
        let merged = load(base, Some(&fixtures().join("adapters").join(case))).unwrap();
        let folder = tempfile::tempdir().unwrap();
        merged.save_pretrained(folder.path()).unwrap();
        let again =
            HookedAutoModel::load(folder.path().to_str().unwrap(), &LoadOptions::new().device("cpu").quiet()).unwrap();
        assert_eq!(logits(&again, &[1, 2, 3]), logits(&merged, &[1, 2, 3]), "{case}");
    }
}

#[test]
fn an_adapter_of_another_model_is_refused() {
    let refused = |case: &str, base: &str| {
        load(base, Some(&fixtures().join("adapters").join(case))).map(drop).unwrap_err().to_string()
    };
    let said = refused("gpt2_lora", "llama");
    assert!(
        said.contains("it changes `transformer.h.0.attn.c_attn.weight`, which")
            && said.contains("it was trained on `tiny/gpt2`"),
        "{said}"
    );
    let said = refused("llama_lora", "llama_biases");
    assert!(said.contains("of shape [32, 32], the model has [18, 24]; it was trained on `tiny/llama`"), "{said}");
}

#[test]
fn an_adapter_alone_names_its_base_model() {
    let folder = fixtures().join("adapters/llama_lora");
    let said = HookedAutoModel::from_pretrained(folder.to_str().unwrap()).map(drop).unwrap_err().to_string();
    assert!(
        said.contains("it holds a LORA adapter of the base model `tiny/llama`") && said.contains("merge_and_unload"),
        "{said}"
    );
}

//! Checkpoints of `HookedTransformer`, against its own logits (`fixtures/hooked_transformer/make_hooked.py`).

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrakis::models::{Generation, HookedAutoConfig, HookedAutoModel, HookedTransformer, LoadOptions, device};
use arrakis_tests::{distance, expected_logits};
use safetensors::SafeTensors;
use serde_json::{Value, json};

const CASES: [&str; 9] =
    ["attn_only", "solu", "rotary", "rms", "solu_ln", "solu_ln_pre", "bare", "shortformer", "shortformer_mlp"];

/// What single precision leaves of the largest logit: a few roundings of 6e-8 in each of two blocks.
const TOLERANCE: f32 = 1e-6;

/// The distance of a model's logits from others, in units of the largest of those.
fn apart(model: &HookedTransformer, ids: &[u32], logits: &[f32]) -> f32 {
    distance(model, ids, logits) / logits.iter().fold(0.0, |largest: f32, logit| largest.max(logit.abs()))
}

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
        let far = apart(&load(&fixture(case)), &ids, &logits);
        assert!(far < TOLERANCE, "{case}: {far:e} from TransformerLens's logits");
    }
}

/// TransformerLens in double precision is the judge: what is left is rounding, ours no larger than its own.
#[test]
fn single_precision_is_as_near_to_double_here_as_there() {
    for case in CASES {
        let (ids, theirs) = expected_logits(&fixture(case));
        let bytes = std::fs::read(fixture(case).join("exact.safetensors")).unwrap();
        let held = SafeTensors::deserialize(&bytes).unwrap();
        let exact: Vec<f64> = held
            .tensor("logits")
            .unwrap()
            .data()
            .chunks_exact(8)
            .map(|b| f64::from_le_bytes(b.try_into().unwrap()))
            .collect();
        let own = device::read(load(&fixture(case)).forward(ids).unwrap()).unwrap();
        let far = |logits: &[f32]| {
            let squares = logits.iter().zip(&exact).map(|(logit, exact)| (f64::from(*logit) - exact).powi(2));
            (squares.sum::<f64>() / exact.len() as f64).sqrt()
        };
        let (ours, theirs) = (far(&own), far(&theirs));
        assert!(ours < 2.0 * theirs && theirs < 2.0 * ours, "{case}: {ours:e} and {theirs:e}");
    }
}

/// Every tensor comes back under its name, in its shape, with its bits, and the config as it was. The masks of attention are
/// not weights.
#[test]
fn a_state_dict_is_saved_as_it_was() {
    for case in CASES {
        let (original, saved) = (fixture(case), tempfile::tempdir().unwrap());
        let model = load(&original);
        model.save_pretrained(saved.path()).unwrap();
        let config = |folder: &Path| std::fs::read(folder.join("config.json")).unwrap();
        assert!(config(saved.path()) == config(&original), "{case}");
        let bytes = std::fs::read(saved.path().join("model.safetensors")).unwrap();
        let written = SafeTensors::deserialize(&bytes).unwrap();
        let of = |name: &str| written.tensor(name).unwrap_or_else(|_| panic!("{case}: {name} is missing"));
        let held = weights(&original);
        assert_eq!(written.len(), held.len(), "{case}");
        for (name, (shape, numbers)) in held {
            assert!((of(&name).shape(), of(&name).data()) == (shape.as_slice(), numbers.as_slice()), "{case}: {name}");
        }
        let (ids, logits) = expected_logits(&original);
        assert!(apart(&load(saved.path()), &ids, &logits) < TOLERANCE, "{case}");
    }
}

#[test]
fn the_sites_of_the_table_are_met() {
    for case in CASES {
        let model = load(&fixture(case));
        let (_, cache) = model.run_with_cache([1, 2, 3], ["*"]).unwrap();
        let (mut met, mut known): (Vec<&str>, Vec<String>) = (cache.sites().collect(), model.sites());
        met.sort_unstable();
        known.sort_unstable();
        assert_eq!(met, known, "{case}");
        assert_eq!(known.iter().any(|site| site == "blocks.0.mlp.mid"), case.starts_with("solu_ln"), "{case}");
    }
}

/// Positions that queries and keys read beside the stream are not on it, and a cache keeps them in its keys.
#[test]
fn positions_beside_the_stream_reach_no_value() {
    for case in ["shortformer", "shortformer_mlp"] {
        let model = load(&fixture(case));
        let (_, cache) = model.run_with_cache([7, 7, 7], ["blocks.0.*"]).unwrap();
        let of = |site: &str| -> Vec<f32> { cache.activation(site).unwrap().to_vec().unwrap() };
        let same = |values: &[f32]| values.chunks(values.len() / 3).all(|row| row == &values[..values.len() / 3]);
        assert!(
            same(&of("blocks.0.resid_pre")) && same(&of("blocks.0.attn.v")) && !same(&of("blocks.0.attn.k")),
            "{case}"
        );
        let how = |cache: bool| Generation::greedy(5).use_cache(cache).ignore_eos();
        let logits = |cache: bool| model.generate(&[5_u32, 17, 3][..], &how(cache)).unwrap().logits_of_row(0).unwrap();
        let (kept, again) = (logits(true), logits(false));
        let largest = again.iter().fold(0.0, |largest: f32, logit| largest.max(logit.abs()));
        assert!(kept.iter().zip(&again).all(|(a, b)| (a - b).abs() < TOLERANCE * largest), "{case}");
    }
}

type Stored = (Vec<usize>, Vec<u8>);

/// The weights of a safetensors state dict as they are stored. A pickle is compared by its numbers alone, through its twin.
fn weights(folder: &Path) -> BTreeMap<String, Stored> {
    let bytes =
        std::fs::read(folder.join("weights.safetensors")).or_else(|_| std::fs::read(folder.join("model.safetensors")));
    let bytes = bytes.unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter().filter(|(name, _)| {
        !["attn.mask", "attn.IGNORE", "attn.rotary_sin", "attn.rotary_cos"].iter().any(|end| name.ends_with(end))
    });
    tensors.map(|(name, view)| (name, (view.shape().to_vec(), view.data().to_vec()))).collect()
}

/// Weights without a config, whose shape is stated.
#[test]
fn a_shape_is_stated_where_there_is_no_config() {
    let folder = tempfile::tempdir().unwrap();
    let (alone, case) = (folder.path().join("anything.pth"), fixture("shortformer"));
    std::fs::copy(case.join("model_final.pth"), &alone).unwrap();
    let name = alone.to_str().unwrap();
    let stated = json!({
        "n_layers": 2, "d_model": 24, "d_head": 6, "n_ctx": 16, "d_vocab": 40, "attn_only": true, "normalization_type": "LN",
        "positional_embedding_type": "shortformer"
    });
    let options = LoadOptions::new().device("cpu").quiet();
    let said = HookedAutoModel::load(name, &options).unwrap_err().to_string();
    assert!(said.contains("this is a file;") && said.contains("`LoadOptions::config`"), "{said}");
    let model = HookedAutoModel::load(name, &options.config(stated)).unwrap();
    let (ids, logits) = expected_logits(&case);
    assert!(apart(&model, &ids, &logits) < TOLERANCE);
    let saved = folder.path().join("saved");
    model.save_pretrained(&saved).unwrap();
    assert!(apart(&load(&saved), &ids, &logits) < TOLERANCE, "with the config that was stated");
}

/// The sizes that a config states.
const SIZES: [&str; 9] =
    ["n_layers", "d_model", "d_head", "n_ctx", "d_vocab", "n_heads", "d_mlp", "n_key_value_heads", "rotary_dim"];

/// What errors call a size: some numbers are wrong beside another before any tensor is looked at.
fn named(key: &str) -> Vec<&str> {
    match key {
        "n_heads" | "n_key_value_heads" => vec!["n_heads", "n_key_value_heads", "n_kv_heads"],
        "rotary_dim" => vec!["rotary_dim", "rope.dims"],
        key => vec![key],
    }
}

/// Heads of another width, with as many numbers in all, must not be read as if they were those of the file.
#[test]
fn a_wrong_size_is_refused_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    for case in CASES {
        let text = std::fs::read_to_string(fixture(case).join("config.json")).unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        let weights = ["model.safetensors", "model_final.pth"].map(|name| fixture(case).join(name));
        let weights = weights.into_iter().find(|path| path.is_file()).unwrap();
        let options = LoadOptions::new().device("cpu").quiet();
        let load = |config: Value| HookedAutoModel::load_folder(&weights, case, &options.clone().config(config));
        load(config.clone()).unwrap();
        let is_read = |key: &&str| !(config["attn_only"] == true && *key == "d_mlp");
        for key in SIZES.into_iter().filter(is_read) {
            let Some(right) = config[key].as_u64() else { continue };
            for wrong in [right - 1, right + 1, right + 2, 2 * right, right / 2] {
                let mut stated = config.clone();
                stated[key] = json!(wrong);
                if key == "d_vocab" {
                    stated["d_vocab_out"] = json!(wrong);
                }
                let said = load(stated).map(drop).unwrap_err().to_string();
                let is_named = named(key).iter().any(|name| said.contains(name));
                assert!(is_named && said.contains(&wrong.to_string()), "{case}: {key} {wrong}: {said}");
            }
        }
    }
    // Two wrong numbers whose product is right.
    let mut stated: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("solu").join("config.json")).unwrap()).unwrap();
    (stated["n_heads"], stated["d_head"]) = (json!(6), json!(3));
    std::fs::write(folder.path().join("config.json"), stated.to_string()).unwrap();
    std::fs::copy(fixture("solu").join("model.safetensors"), folder.path().join("model.safetensors")).unwrap();
    let said = HookedAutoModel::load_folder(folder.path(), "solu", &LoadOptions::new().quiet())
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(said.contains("the config gives 3 as `d_head`, but `blocks.0.attn.W_Q` is [3, 24, 6]"), "{said}");
    assert!(said.contains("the config gives 6 as `n_heads`"), "{said}");
}

/// A model of attention alone has no neurons, and writes nothing where its MLPs would be.
#[test]
fn attention_alone_leaves_the_stream_after_it() {
    let model = load(&fixture("attn_only"));
    assert!(!model.sites().iter().any(|site| site.contains("mlp.post") || site.contains("ln2")));
    assert!(model.w_out(0).unwrap_err().to_string().contains("its blocks have attention alone"));
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
        ("act_fn", json!("glu"), "this activation is not supported; supported are relu"),
        ("normalization_type", json!("BN"), "this norm is not known; known are LN, LNPre, RMS, RMSPre and null"),
        ("positional_embedding_type", json!("alibi"), "supported are standard, shortformer and rotary"),
        ("gated_mlp", json!(true), "a gated MLP is not supported in this format"),
        ("attention_dir", json!("bidirectional"), "only causal attention is supported"),
        ("d_vocab_out", json!(3), "it must be d_vocab"),
    ] {
        let said = said(key, value);
        assert!(said.starts_with("config.json of `hooked_transformer`") && said.contains(problem), "{key}: {said}");
    }
}

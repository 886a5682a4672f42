//! Compares every family with small checkpoints that transformers wrote: both spellings, every tensor, every shape.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Cut, FAMILIES, HfConfig, Weight, WeightMap, family};
use crate::transformer::{Init, Source, Transformer, TransformerConfig};

/// A checkpoint's config, its older spelling, and the shapes of its tensors.
#[derive(Deserialize)]
struct Case {
    config: Value,
    config_v4: Option<Value>,
    tensors: BTreeMap<String, Vec<usize>>,
}

fn cases() -> Vec<(String, Case)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/configs");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let case = |path: PathBuf| {
        (
            path.file_stem().unwrap().to_string_lossy().into_owned(),
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap(),
        )
    };
    paths.into_iter().map(case).collect()
}

fn read(config: &Value) -> crate::error::Result<TransformerConfig> {
    let hf = HfConfig::new(config.clone())?;
    let config = (family(hf.family())?.config)(&hf)?;
    config.check()?;
    Ok(config)
}

/// Records the parameters that a transformer takes.
#[derive(Default)]
struct Shapes(BTreeMap<String, Vec<usize>>);

impl Source for Shapes {
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], _init: Init) -> Tensor<D> {
        self.0.insert(name.to_owned(), shape.to_vec());
        Tensor::zeros(shape, &Device::flex())
    }
}

/// A name as the file has it, with the prefix or without.
fn find<'a>(
    map: &WeightMap,
    tensors: &'a BTreeMap<String, Vec<usize>>,
    name: &str,
) -> Option<(&'a String, &'a Vec<usize>)> {
    let bare = name.strip_prefix(map.prefix).unwrap_or(name);
    tensors.get_key_value(name).or_else(|| tensors.get_key_value(bare))
}

/// The shape that our tensor gets when the loader cuts theirs.
fn cut_shape(weight: &Weight, shapes: &[&Vec<usize>]) -> Vec<usize> {
    if let Cut::InStack { index, width, start, step } = weight.cut {
        let [count, inputs @ .., outputs] = shapes[0].as_slice() else { panic!("{} is no stack", weight.ours) };
        assert!(index < *count && *outputs == width && start < step, "{}", weight.ours);
        return inputs.iter().copied().chain([width / step]).collect();
    }
    let mut shape = match shapes[0].as_slice() {
        [count, outputs, inputs] => vec![count * outputs, *inputs],
        plain => plain.to_vec(),
    };
    let axis = if weight.out_in || shape.len() == 1 { 0 } else { shape.len() - 1 };
    shape[axis] += shapes[1..].iter().map(|shape| shape[axis]).sum::<usize>();
    match weight.cut {
        Cut::Whole | Cut::InStack { .. } => {}
        Cut::Range { start, len } => {
            assert!(start + len <= shape[axis], "{}", weight.ours);
            shape[axis] = len;
        }
        Cut::PerGroup { groups, stride, start, len } => {
            assert!(groups * stride == shape[axis] && start + len <= stride, "{}", weight.ours);
            shape[axis] = groups * len;
        }
    }
    if weight.out_in {
        shape.reverse();
    }
    shape
}

#[test]
fn both_spellings_give_the_same_config() {
    let mut seen = 0;
    for (name, case) in cases() {
        let new = read(&case.config).unwrap_or_else(|error| panic!("{name}: {error}"));
        let Some(old) = case.config_v4 else { continue };
        assert_eq!(new, read(&old).unwrap_or_else(|error| panic!("{name}: {error}")), "{name}");
        seen += 1;
    }
    assert!(seen >= 24, "{seen} cases");
}

#[test]
fn every_tensor_is_mapped_once_or_ignored_and_fits() {
    let mut families = BTreeSet::new();
    for (name, case) in cases() {
        let config = read(&case.config).unwrap();
        families.insert(config.family.clone());
        let map = (family(case.config["model_type"].as_str().unwrap()).unwrap().weights)(&config);
        let mut wanted = Shapes::default();
        drop(Transformer::build(&mut wanted, &config));
        let mut left: BTreeSet<&String> = case.tensors.keys().collect();
        for weight in &map.weights {
            let theirs: Vec<_> = weight
                .theirs
                .iter()
                .map(|theirs| find(&map, &case.tensors, theirs).unwrap_or_else(|| panic!("{name} lacks {theirs}")))
                .collect();
            for (key, _) in &theirs {
                left.remove(key);
            }
            let shapes: Vec<_> = theirs.iter().map(|(_, shape)| *shape).collect();
            assert_eq!(wanted.0.remove(&weight.ours), Some(cut_shape(weight, &shapes)), "{name}: {}", weight.ours);
        }
        assert!(wanted.0.is_empty(), "{name}: nothing maps to {:?}", wanted.0.keys());
        left.retain(|key| !map.ignored.iter().any(|end| key.ends_with(end)));
        assert!(left.is_empty(), "{name}: {left:?} is neither mapped nor ignored");
    }
    let all: BTreeSet<String> = FAMILIES.iter().map(|family| family.model_types[0].to_owned()).collect();
    assert_eq!(families, all, "every family has a checkpoint here");
}

#[test]
fn stacked_experts_fit_too() {
    let (_, case) = cases().into_iter().find(|(name, _)| name == "mixtral").unwrap();
    let config = read(&case.config).unwrap();
    let map = (family("mixtral").unwrap().weights)(&config);
    let (count, d_mlp, d_model) = (4, config.d_mlp, config.d_model);
    let published = map.clone().settled(|name| case.tensors.contains_key(name));
    assert_eq!(published.weights, map.weights);
    let stacked = map.settled(|name| name.contains(".mlp.") || !name.contains(".block_sparse_moe."));
    let mut starts = BTreeMap::<&str, Vec<usize>>::new();
    for weight in stacked.weights.iter().filter(|weight| weight.ours.starts_with("blocks.0.mlp.experts.")) {
        let name = weight.theirs[0].as_str();
        let stack =
            if name.ends_with("gate_up_proj") { vec![count, 2 * d_mlp, d_model] } else { vec![count, d_model, d_mlp] };
        let expected = if weight.ours.contains("w_out") { vec![d_mlp, d_model] } else { vec![d_model, d_mlp] };
        assert_eq!(cut_shape(weight, &[&stack]), expected, "{}", weight.ours);
        let Cut::Range { start, .. } = weight.cut else { panic!("{} is not cut", weight.ours) };
        starts.entry(name.rsplit('.').next().unwrap()).or_default().push(start);
    }
    // For each expert in turn 24 outputs of the gate and 24 of up; 32 outputs of down in the other stack.
    assert_eq!(starts["gate_up_proj"], [0, 24, 48, 72, 96, 120, 144, 168]);
    assert_eq!(starts["down_proj"], [0, 32, 64, 96]);
}

#[test]
fn every_unknown_key_is_refused() {
    for (name, case) in cases() {
        let mut config = case.config.clone();
        config["use_strange_attention"] = json!(true);
        let error = read(&config).unwrap_err().to_string();
        assert!(error.contains("`use_strange_attention`"), "{name}: {error}");
    }
}

fn changed(name: &str, key: &str, value: Value) -> crate::error::Result<TransformerConfig> {
    let (_, case) = cases().into_iter().find(|(case, _)| case == name).unwrap();
    let mut config = case.config_v4.unwrap_or(case.config);
    config[key] = value;
    read(&config)
}

fn without(name: &str, key: &str) -> TransformerConfig {
    let (_, case) = cases().into_iter().find(|(case, _)| case == name).unwrap();
    let mut config = case.config_v4.unwrap();
    config.as_object_mut().unwrap().remove(key);
    read(&config).unwrap()
}

#[test]
fn absent_and_null_are_told_apart() {
    assert_eq!(changed("mistral", "sliding_window", Value::Null).unwrap().windows, [None; 3]);
    assert_eq!(without("mistral", "sliding_window").windows, [Some(4096); 3]);
    assert_eq!(changed("gemma2", "final_logit_softcapping", Value::Null).unwrap().final_softcap, None);
    assert_eq!(without("gemma2", "final_logit_softcapping").final_softcap, Some(30.0));
    assert_eq!(without("qwen3", "head_dim").d_head, 128);
    assert_eq!(without("gpt_neox", "rotary_pct").rope(0).unwrap().dims, 2);
}

/// The first checkpoints of BERT have a pooler, their own names for norms, and no `bert.` prefix in a bare encoder.
#[test]
fn the_first_bert_checkpoints_fit() {
    let (_, case) = cases().into_iter().find(|(name, _)| name == "bert").unwrap();
    let config = read(&case.config).unwrap();
    let map = (family("bert").unwrap().weights)(&config);
    let once =
        |name: &str| name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
    let names: BTreeSet<String> = case.tensors.keys().map(|name| once(name)).collect();
    let settled = map.clone().settled(|name| names.contains(name));
    let theirs: BTreeSet<String> = settled.weights.iter().flat_map(|weight| weight.theirs.clone()).collect();
    assert_eq!(theirs, names);
    for ignored in ["bert.pooler.dense.weight", "cls.seq_relationship.bias"] {
        assert!(map.ignored.iter().any(|end| ignored.ends_with(end)), "{ignored}");
    }
    assert!(map.copies.contains(&("cls.predictions.decoder.weight", "embed.weight")));
    let mut untied = case.config.clone();
    untied["tie_word_embeddings"] = json!(false);
    let map = (family("bert").unwrap().weights)(&read(&untied).unwrap());
    let bias = |map: &WeightMap| {
        let found = map.weights.iter().find(|weight| weight.ours == "unembed.bias");
        found.unwrap().theirs.clone()
    };
    assert_eq!(bias(&map), ["cls.predictions.decoder.bias"]);
    // A file that transformers 4 wrote holds one bias for both.
    assert_eq!(bias(&map.settled(|name| name != "cls.predictions.decoder.bias")), ["cls.predictions.bias"]);
}

/// transformers accepts some keys under two names. BLOOM's checkpoints use either.
#[test]
fn other_names_of_a_key_are_read() {
    for (case, own, other) in [
        ("gpt2", "n_layer", "num_hidden_layers"),
        ("gpt2", "n_embd", "hidden_size"),
        ("gptj", "n_head", "num_attention_heads"),
        ("gpt_neo", "num_heads", "num_attention_heads"),
        ("bloom", "n_head", "num_attention_heads"),
        ("bloom", "hidden_size", "n_embed"),
        ("mixtral", "num_local_experts", "num_experts"),
    ] {
        let (_, case) = cases().into_iter().find(|(name, _)| name == case).unwrap();
        let mut config = case.config.clone();
        config[other] = config.as_object_mut().unwrap().remove(own).unwrap();
        assert_eq!(read(&config).unwrap(), read(&case.config).unwrap(), "{other}");
    }
}

/// Keys of published checkpoints that transformers does not read, or reads elsewhere: GPT-2's own, and Pythia's as
/// transformers 4 saves them again.
#[test]
fn keys_of_published_checkpoints_are_ignored() {
    for (case, keys) in [
        (
            "gpt2",
            json!({ "n_ctx": 32, "n_special": 0, "predict_special_tokens": true, "output_past": true, "_num_labels": 1 }),
        ),
        ("gpt_neox", json!({ "rope_theta": 10_000, "partial_rotary_factor": 0.25, "rope_scaling": null })),
        (
            "bloom",
            json!({ "n_inner": null, "skip_bias_add": true, "offset_alibi": 100, "attention_softmax_in_fp32": true }),
        ),
    ] {
        let (_, case) = cases().into_iter().find(|(name, _)| name == case).unwrap();
        let mut config = case.config_v4.clone().unwrap();
        config.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        assert_eq!(read(&config).unwrap(), read(&case.config).unwrap(), "{keys}");
    }
}

#[test]
fn a_key_that_changes_numbers_is_supported_or_refused() {
    let windows = |config: TransformerConfig| config.windows;
    assert_eq!(windows(changed("qwen2_yarn", "layer_types", Value::Null).unwrap()), [None, None, Some(4)]);
    assert_eq!(windows(changed("gemma2", "layer_types", Value::Null).unwrap()), [Some(4), None, Some(4), None]);
    let refusals = [
        ("llama", "partial_rotary_factor", json!(0.5), "rotates whole heads"),
        ("llama", "quantization_config", json!({ "bits": 4 }), "quantization_config"),
        ("llama", "num_key_value_heads", json!(3), "n_kv_heads"),
        ("llama", "hidden_act", json!("mish"), "not known"),
        ("falcon", "apply_residual_connection_post_layernorm", json!(true), "before the norm"),
        ("gemma3", "rope_scaling", json!({ "type": "linear", "factor": 8.0 }), "rename it `rope_type`"),
        ("phi", "qk_layernorm", json!("yes"), "must be true or false"),
        ("bert", "position_embedding_type", json!("relative_key"), "it must be"),
        ("bert", "type_vocab_size", json!(0), "from 1"),
        ("stablelm", "head_dim", json!(16), "hidden_size / num_attention_heads, 8, wide"),
        ("gpt2", "hidden_size", json!(48), "`n_embd` means the same and is 32"),
        ("gpt_neox", "rope_theta", json!(5000.0), "rotary_emb_base"),
        ("llama", "num_hidden_layers", json!(10_001), "from 1 to 10000"),
        ("bloom", "n_layer", json!(10_000_000), "from 1 to 10000"),
        ("stablelm", "num_attention_heads", json!(10_000_000), "must be a multiple"),
        ("opt", "layer_norm_elementwise_affine", json!(false), "must be true"),
        ("falcon", "num_ln_in_parallel_attn", json!(2), "with new_decoder_architecture"),
        ("gemma3", "sliding_window", Value::Null, "sliding_window"),
        ("gemma", "use_bidirectional_attention", json!(true), "must be false"),
        ("gptj", "rotary_dim", json!(5), "must be even"),
        ("gpt_neo", "attention_layers", json!(["local", "local", "local", "local"]), "keep one of the two"),
        ("qwen3", "layer_types", json!(["full_attention"]), "each of the 3 layers"),
    ];
    for (case, key, value, said) in refusals {
        let error = changed(case, key, value).unwrap_err().to_string();
        assert!(error.contains(said), "{case}.{key}: {error}");
    }
}

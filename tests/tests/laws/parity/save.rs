//! Every checkpoint loaded, saved in its own layout and loaded again: file for file and bit for bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrakis::models::checkpoint::Checkpoint;
use arrakis::models::{HookedAutoModel, HookedTransformer, LoadOptions, Step, device};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use super::fixture;

/// Files written by other programs or in another type: their tensors are compared by name, with the prefix added.
/// Transformers wrote all others, and those must be the same to the byte.
const NOT_AS_TRANSFORMERS_WRITES: [&str; 8] = [
    "gpt2_hub",
    "gpt_neo_bin",
    "gpt_neox_serial",
    "gemma_hub",
    "qwen2_yarn",
    "opt_plain",
    "qwen3_shards",
    "bert_untied",
];

fn cases() -> Vec<String> {
    let folders = std::fs::read_dir(fixture("")).unwrap();
    let folders = folders.map(Result::unwrap).filter(|entry| entry.path().join("config.json").is_file());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn load(folder: &Path) -> HookedTransformer {
    let options = LoadOptions::new().device("cpu").quiet();
    HookedAutoModel::load(folder.to_str().unwrap(), &options).unwrap()
}

/// The shape and bits of every parameter.
fn bits(model: &HookedTransformer) -> BTreeMap<String, (Vec<usize>, Vec<u32>)> {
    let of = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
    model
        .parameters()
        .into_iter()
        .map(|(name, tensor)| (name, (tensor.dims().to_vec(), of(tensor.to_vec().unwrap()))))
        .collect()
}

/// The shape and bits of every float tensor of a checkpoint, widened.
fn tensors(folder: &Path) -> BTreeMap<String, (Vec<usize>, Vec<u32>)> {
    let mut checkpoint = Checkpoint::open(folder).unwrap();
    let floats: Vec<(String, Vec<usize>)> = checkpoint
        .tensors()
        .filter(|(_, held)| held.is_float())
        .map(|(name, held)| (name.to_owned(), held.shape.clone()))
        .collect();
    let mut read = |name: &str| -> Vec<u32> {
        checkpoint.read(name).unwrap().try_into_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
    };
    floats.into_iter().map(|(name, shape)| (name.clone(), (shape, read(&name)))).collect()
}

#[test]
fn a_saved_checkpoint_equals_the_loaded_one() {
    let cases = cases();
    assert!(cases.len() >= 29, "{cases:?}");
    for case in &cases {
        let (original, saved) = (fixture(case), tempfile::tempdir().unwrap());
        let model = load(&original);
        model.save_pretrained(saved.path()).unwrap();
        assert_eq!(bits(&load(saved.path())), bits(&model), "{case}: parameters");
        if NOT_AS_TRANSFORMERS_WRITES.contains(&case.as_str()) {
            same_tensors(case, saved.path());
        } else {
            for file in ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"] {
                let read = |folder: &Path| std::fs::read(folder.join(file)).ok();
                assert!(read(&original) == read(saved.path()), "{case}: {file} differs");
            }
        }
        let left: Vec<PathBuf> = std::fs::read_dir(saved.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.iter().all(|path| path.extension().is_some_and(|end| end != "part")), "{left:?}");
    }
}

/// Tensors that are not weights are left out, as transformers does. Names get their prefix, and numbers keep every bit.
fn same_tensors(case: &str, saved: &Path) {
    let left_out = |name: &str| {
        let tied_copy = case == "gpt_neo_bin" && name == "lm_head.weight";
        // A second bias, which transformers 5 saves but does not use.
        let unused = case == "bert_untied" && name == "cls.predictions.bias";
        tied_copy || unused || ["masked_bias", "rotary_emb.inv_freq"].iter().any(|end| name.ends_with(end))
    };
    let prefix = if case == "gpt2_hub" { "transformer." } else { "" };
    let original = tensors(&fixture(case)).into_iter().filter(|(name, _)| !left_out(name));
    let original: BTreeMap<String, _> = original.map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect();
    let mut written = tensors(saved);
    if case == "bert_untied" {
        // Transformers 4 reads the one bias under this name.
        assert!(written.remove("cls.predictions.bias").as_ref() == written.get("cls.predictions.decoder.bias"));
    }
    assert_eq!(written.keys().collect::<Vec<_>>(), original.keys().collect::<Vec<_>>(), "{case}");
    assert!(written == original, "{case}: a tensor differs");
}

/// Mixtral's experts in the stacked layout of transformers 5 are written back in the published one, each expert by
/// itself.
#[test]
fn of_two_layouts_the_published_one_is_written() {
    let published = std::fs::read(fixture("mixtral").join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&published).unwrap();
    let mut tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, view) in file.tensors() {
        let Some((block, rest)) = name.split_once("block_sparse_moe.") else {
            tensors.insert(name.clone(), (view.shape().to_vec(), view.data().to_vec()));
            continue;
        };
        if rest == "gate.weight" {
            tensors.insert(format!("{block}mlp.gate.weight"), (view.shape().to_vec(), view.data().to_vec()));
        }
    }
    for block in ["model.layers.0.", "model.layers.1."] {
        let experts = |parts: &[&str]| -> Vec<u8> {
            let names = (0..4).flat_map(|expert| parts.iter().map(move |part| (expert, part)));
            let name = |(expert, part)| format!("{block}block_sparse_moe.experts.{expert}.{part}.weight");
            names.flat_map(|at| file.tensor(&name(at)).unwrap().data().to_vec()).collect()
        };
        tensors.insert(format!("{block}mlp.experts.gate_up_proj"), (vec![4, 2 * 24, 32], experts(&["w1", "w3"])));
        tensors.insert(format!("{block}mlp.experts.down_proj"), (vec![4, 32, 24], experts(&["w2"])));
    }
    let views = tensors
        .iter()
        .map(|(name, (shape, bytes))| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let (stacked, saved) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(stacked.path().join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    std::fs::copy(fixture("mixtral").join("config.json"), stacked.path().join("config.json")).unwrap();
    load(stacked.path()).save_pretrained(saved.path()).unwrap();
    assert!(std::fs::read(saved.path().join("model.safetensors")).unwrap() == published);
}

#[test]
fn a_widened_checkpoint_is_marked_float32() {
    for (case, key) in [("gemma_hub", "torch_dtype"), ("qwen2_yarn", "dtype")] {
        let saved = tempfile::tempdir().unwrap();
        load(&fixture(case)).save_pretrained(saved.path()).unwrap();
        let config = |folder: &Path| -> Value {
            serde_json::from_str(&std::fs::read_to_string(folder.join("config.json")).unwrap()).unwrap()
        };
        let mut expected = config(&fixture(case));
        assert_eq!(expected[key], "bfloat16", "{case}");
        expected[key] = json!("float32");
        assert_eq!(config(saved.path()), expected, "{case}");
    }
}

#[test]
fn a_rewritten_model_is_saved_where_it_fits_and_refused_by_name_where_it_does_not() {
    let (gpt2, neox) = (load(&fixture("gpt2")), load(&fixture("gpt_neox")));
    let saved = tempfile::tempdir().unwrap();
    let folder = saved.path().join("new");

    let moved = gpt2.process(&[Step::FoldValueBiases]).unwrap();
    moved.save_pretrained(&folder).unwrap();
    assert_eq!(bits(&load(&folder)), bits(&moved));
    let centred = neox.process(&[Step::CenterUnembed]).unwrap();
    centred.save_pretrained(&folder).unwrap();
    assert_eq!(bits(&load(&folder)), bits(&centred), "the earlier file is replaced");

    let error = gpt2.processed().unwrap().save_pretrained(saved.path().join("none")).unwrap_err().to_string();
    for line in [
        "the model does not fit the `gpt2` its config.json describes:",
        "missing: `transformer.h.0.ln_1.weight` (our `blocks.0.ln1.weight`)",
        "extra: our `unembed.weight` [32, 120]",
        "save its `unprocessed()`, or our own layout with `save_own`",
    ] {
        assert!(error.contains(line), "{line} is not in {error}");
    }
    assert!(!saved.path().join("none").exists(), "nothing is written before it is known to fit");
    gpt2.processed().unwrap().unprocessed().save_pretrained(saved.path().join("raw")).unwrap();
}

#[test]
fn a_model_without_such_a_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = HookedAutoModel::embedded_on(&device::cpu()).unwrap().save_pretrained(folder.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "this model has no config.json of Hugging Face, because it was not loaded from one: \
         save our own layout with `save_own`"
    );
    let model = load(&fixture("llama"));
    model.save_own(folder.path()).unwrap();
    let error = model.save_pretrained(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("arrakis.json`: this folder holds a model in our own layout; save to another"), "{error}");
}

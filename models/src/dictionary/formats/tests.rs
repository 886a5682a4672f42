//! Every format beside the code that its dictionaries come from, as `tests/fixtures/dictionaries/make_formats.py` recorded it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;

use super::super::architectures::{BatchTopK, Matryoshka, Standard};
use super::super::testing::read;
use super::super::{Dictionary, DictionaryConfig, Init};
use super::DictionaryOptions;

#[derive(Deserialize)]
struct Expected {
    rows: usize,
    x: Vec<f32>,
    acts: Vec<f32>,
    recon: Vec<f32>,
    #[serde(default)]
    site: Option<String>,
    #[serde(default)]
    site_out: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/dictionaries")
}

fn options() -> DictionaryOptions {
    DictionaryOptions { device: Some("cpu".into()), pickles: true, top_k: None }
}

fn expected() -> BTreeMap<String, Expected> {
    serde_json::from_str(&std::fs::read_to_string(folder().join("formats.json")).unwrap()).unwrap()
}

fn load(name: &str) -> Dictionary {
    Dictionary::load_path(&folder().join("formats").join(name), name, &options()).unwrap()
}

fn near(name: &str, found: &[f32], expected: &[f32]) {
    let size = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let far = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(found.len() == expected.len() && far <= 1e-5 * size, "{name}: {far} of {size}\n{found:?}\n{expected:?}");
}

impl Expected {
    fn x(&self) -> Tensor<2> {
        Tensor::from_data(TensorData::new(self.x.clone(), [self.rows, self.x.len() / self.rows]), &Device::flex())
    }
}

#[test]
fn every_format_computes_what_its_own_code_does() {
    let all = expected();
    assert!(all.len() > 25, "{}", all.len());
    for (name, expected) in &all {
        let dictionary = load(name);
        near(name, &read(dictionary.encode(expected.x()).unwrap()), &expected.acts);
        near(name, &read(dictionary.apply(expected.x()).unwrap()), &expected.recon);
        let named = |site: crate::error::Result<crate::site::Site>| site.ok().map(|site| site.to_string());
        assert_eq!(named(dictionary.site()), expected.site, "{name}");
        assert_eq!(named(dictionary.site_out()), expected.site_out, "{name}");
    }
}

#[test]
fn what_saelens_saved_is_saved_again_to_the_same_bytes() {
    for name in expected().keys().filter(|name| name.starts_with("sae_lens/") && !name.ends_with("_training")) {
        let to = tempfile::tempdir().unwrap();
        load(name).save(to.path()).unwrap();
        for file in ["cfg.json", "sae_weights.safetensors"] {
            let (ours, theirs) = (to.path().join(file), folder().join("formats").join(name).join(file));
            let (ours, theirs) = (std::fs::read(ours).unwrap(), std::fs::read(theirs).unwrap());
            // The order of this config is that of a Python set, which is another in every process.
            if name.ends_with("batchtopk_inference") && file == "cfg.json" {
                let [ours, theirs]: [serde_json::Value; 2] =
                    [ours, theirs].map(|bytes| serde_json::from_slice(&bytes).unwrap());
                assert_eq!(ours, theirs);
                continue;
            }
            let text = String::from_utf8_lossy;
            assert!(ours == theirs, "{name}/{file}:\n{}\n{}", text(&ours), text(&theirs));
        }
    }
}

#[test]
fn what_other_formats_held_is_the_same_after_it_is_saved() {
    for (name, expected) in expected().iter().filter(|(name, _)| !name.starts_with("sae_lens/")) {
        let to = tempfile::tempdir().unwrap();
        let dictionary = load(name);
        if let Err(error) = dictionary.save(to.path()) {
            assert!(
                error.to_string().contains("SAELens has no transcoder of the architecture `topk`"),
                "{name}: {error}"
            );
            continue;
        }
        let back = Dictionary::load_path(to.path(), name, &options()).unwrap();
        near(name, &read(back.apply(expected.x()).unwrap()), &expected.recon);
    }
}

#[test]
fn a_batch_top_k_dictionary_is_saved_as_the_jump_relu_that_it_is() {
    let (training, inference) = (load("sae_lens/batchtopk_training"), load("sae_lens/batchtopk_inference"));
    let ready = training.for_inference().unwrap();
    assert_eq!(ready.config.architecture.name(), "jumprelu");
    near("threshold", &read(ready.threshold.unwrap().val()), &read(inference.threshold.unwrap().val()));
    near("w_dec", &read(ready.w_dec.val()), &read(inference.w_dec.val()));
    let unknown = BatchTopK { k: 1.0, threshold: -1.0, ..BatchTopK::default() };
    let config = DictionaryConfig::autoencoder(2, 3, unknown);
    let error = Dictionary::new(config, &Init::default(), 0, &Device::flex()).unwrap().for_inference().unwrap_err();
    assert_eq!(error.to_string(), "`threshold` is -1: it is not known yet; train on, or set it");
}

/// `google/gemma-scope-2-4b-pt/{resid_post,mlp_out,attn_out}/layer_17_width_16k_l0_big/config.json` name one site twice.
#[test]
fn a_config_of_gemma_scope_2_decides_whatever_its_folder_is_called() {
    let weights = "formats/gemma-scope-2-1b-pt/resid_post/layer_12_width_16k_l0_small/params.safetensors";
    let of = |hooks: [&str; 2], kind: &str| {
        let own = tempfile::tempdir().unwrap();
        std::fs::copy(folder().join(weights), own.path().join("params.safetensors")).unwrap();
        let config = serde_json::json!({
            "hf_hook_point_in": hooks[0], "hf_hook_point_out": hooks[1], "width": 16384, "model_name": "google/gemma-3-4b-pt",
            "architecture": "jump_relu", "l0": 150, "affine_connection": false, "type": kind,
        });
        std::fs::write(own.path().join("config.json"), config.to_string()).unwrap();
        let found = Dictionary::load_path(own.path(), "transcoder/layer_3", &options()).unwrap();
        let into = found.config.transcodes.then(|| found.site_out().unwrap().to_string());
        (found.site().unwrap().to_string(), into)
    };
    for (hook, site) in [
        ("model.layers.17.output", "blocks.17.resid_post"),
        ("model.layers.17.post_feedforward_layernorm.output", "blocks.17.mlp_out"),
        ("model.layers.17.self_attn.o_proj.input", "blocks.17.attn.z"),
    ] {
        assert_eq!(of([hook; 2], "sae"), (site.to_owned(), None));
    }
    let hooks = ["pre", "post"].map(|place| format!("model.layers.17.{place}_feedforward_layernorm.output"));
    let between = of(hooks.each_ref().map(String::as_str), "transcoder");
    assert_eq!(between, ("blocks.17.mlp_read".into(), Some("blocks.17.mlp_out".into())));
}

#[test]
fn top_k_is_said_where_the_files_cannot_say_it() {
    let layer = |name: &str, called: &str, top_k| {
        let path = folder().join("formats").join(name);
        Dictionary::load_path(&path, called, &DictionaryOptions { top_k, ..options() })
    };
    let file = "circuit_tracer/layer_0.safetensors";
    let (plain, top) = (layer(file, file, None).unwrap(), layer(file, file, Some(2)).unwrap());
    let x = expected()[file].x();
    let active =
        |of: &Dictionary| read(of.encode(x.clone()).unwrap()).chunks(of.config.d_sae).map(count).collect::<Vec<_>>();
    assert!(active(&plain).iter().any(|active| *active > 2), "{:?}", active(&plain));
    assert!(active(&top).iter().all(|active| *active <= 2), "{:?}", active(&top));

    let crv = "facebook/crv-8b-instruct-transcoders/layer_0.safetensors";
    let error = layer(file, crv, None).unwrap_err().to_string();
    assert!(error.contains("set `DictionaryOptions { top_k: Some(k), .. }`"), "{error}");
    assert_eq!(layer(file, crv, Some(2)).unwrap().config.architecture, top.config.architecture);

    let error = layer("sae_lens/topk", "topk", Some(2)).unwrap_err().to_string();
    assert!(error.contains("`top_k` is 2: the files say what their latents are (topk); leave it out"), "{error}");
    let error = layer(file, file, Some(0)).unwrap_err().to_string();
    assert!(error.contains('k'), "{error}");
}

fn count(acts: &[f32]) -> usize {
    acts.iter().filter(|act| **act != 0.0).count()
}

#[test]
fn pickles_are_refused_unless_asked_for() {
    let name = folder().join("formats/dictionary_learning/BatchTopKSAE");
    let options = DictionaryOptions { pickles: false, ..options() };
    for path in [name.clone(), name.join("ae.pt")] {
        let error = Dictionary::load_path(&path, "x", &options).unwrap_err().to_string();
        assert!(
            error.contains("it is a pickle, which may hold more than tensors; set `DictionaryOptions { pickles: true"),
            "{error}"
        );
    }
}

fn said(files: &[(&str, &str)]) -> String {
    let to = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(to.path().join(name), text).unwrap();
    }
    let error = Dictionary::load_path(to.path(), "here", &options()).unwrap_err().to_string();
    error.replace(&to.path().display().to_string(), "DIR")
}

#[test]
fn a_folder_without_a_dictionary_says_what_lies_there() {
    let nothing = said(&[]);
    for (folder, fix) in [
        (
            "open_ai",
            "there, but relu.pt, topk.pt; name the file, such as `relu.pt`, or give the folder with one of sae_weights",
        ),
        ("cross_layer", "W_enc_2.safetensors; it is a cross-layer dictionary: open it with `CrossLayer`"),
    ] {
        let path = self::folder().join("formats").join(folder);
        let error = Dictionary::load_path(&path, folder, &options()).unwrap_err().to_string();
        assert!(error.contains(fix), "{error}");
    }
    assert!(nothing.starts_with(
        "`DIR`: no dictionary lies there, but nothing; give the folder with one of sae_weights.safetensors (SAELens), "
    ));
    assert!(
        said(&[("model.safetensors", ""), ("config.json", "{}")]).contains("but config.json, model.safetensors; give")
    );
}

/// The files of a dictionary, with its config changed.
fn with_cfg(name: &str, change: impl Fn(&mut serde_json::Map<String, serde_json::Value>)) -> String {
    let from = folder().join("formats").join(name);
    let to = tempfile::tempdir().unwrap();
    std::fs::copy(from.join("sae_weights.safetensors"), to.path().join("sae_weights.safetensors")).unwrap();
    let mut cfg = serde_json::from_str(&std::fs::read_to_string(from.join("cfg.json")).unwrap()).unwrap();
    change(&mut cfg);
    std::fs::write(to.path().join("cfg.json"), serde_json::to_string(&cfg).unwrap()).unwrap();
    let error = Dictionary::load_path(to.path(), "here", &options()).unwrap_err().to_string();
    error.replace(&to.path().display().to_string(), "DIR")
}

#[test]
fn configs_that_do_not_fit_are_refused_with_the_fix() {
    let set = |key: &'static str, value: serde_json::Value| {
        with_cfg("sae_lens/standard", move |cfg| _ = cfg.insert(key.into(), value.clone()))
    };
    assert_eq!(
        set("d_sae", 11.into()),
        "`DIR`: the weights do not fit the config:\n\
         `w_enc` has shape [6, 10], the config needs [6, 11]\n\
         `b_enc` has shape [10], the config needs [11]\n\
         `w_dec` has shape [10, 6], the config needs [11, 6]"
    );
    assert!(set("architecture", "standrd".into()).contains("which is not read; did you mean `standard`? Known are"));
    assert!(
        set("architecture", "jumprelu".into())
            .contains("it has no tensor `threshold`; it has W_dec, W_enc, b_dec, b_enc")
    );
    assert!(set("d_in", 0.into()).contains("`d_in` is 0: give a whole number above 0"));
    assert!(set("normalize_activations", "l2".into()).contains("`normalize_activations` is \"l2\": known are none, "));
    assert!(set("apply_b_dec_to_input", 1.into()).contains("`apply_b_dec_to_input` is 1: give true or false"));
    let left = with_cfg("sae_lens/jumprelu", |cfg| _ = cfg.insert("architecture".into(), "standard".into()));
    assert!(left.contains("`threshold` is not part of a SAELens dictionary of this architecture"), "{left}");
    let hook = with_cfg("sae_lens/standard", |cfg| {
        let facts = cfg["metadata"].as_object_mut().unwrap();
        facts.insert("hook_name".into(), "blocks.1.hook_resid_pst".into());
    });
    assert!(hook.contains("no site fits `blocks.1.hook_resid_pst`; did you mean `blocks.1.resid_post`?"), "{hook}");
}

/// Dictionaries of ours, and of other formats, that `SAELens` is given.
fn to_be_saved() -> Vec<(&'static str, Dictionary)> {
    let new = |config| Dictionary::new(config, &Init::default(), 1, &Device::flex()).unwrap();
    let of = |name: &'static str, from: &str| (name, load(from));
    let top = BatchTopK { k: 3.0, rescale_acts_by_decoder_norm: true, threshold: 0.02 };
    let half = DictionaryConfig { dtype: "float16".into(), ..DictionaryConfig::autoencoder(6, 10, Standard) };
    vec![
        ("half", new(half)),
        ("matryoshka", new(DictionaryConfig::autoencoder(6, 10, Matryoshka { top, widths: vec![4, 10] }))),
        ("skip_transcoder", new(DictionaryConfig::skip_transcoder(6, 10, 4, Standard))),
        of("gated", "dictionary_learning/GatedAutoEncoder"),
        of("topk", "sparsify/layers.5"),
        of("gemma_scope", "gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71"),
        of("gemma_scope_2", "gemma-scope-2-1b-pt/transcoder/layer_3_width_16k_l0_small_affine"),
    ]
}

/// `read_saved.py` recorded what `SAELens` computes from these very bytes.
#[test]
fn saelens_reads_what_is_saved_to_the_same_numbers() {
    let bless = std::env::var_os("ARRAKIS_BLESS").is_some();
    let recorded = std::fs::read_to_string(folder().join("saved.json")).unwrap_or_default();
    let recorded: BTreeMap<String, Expected> = serde_json::from_str(&recorded).unwrap_or_default();
    for (name, dictionary) in to_be_saved() {
        let (to, kept) = (tempfile::tempdir().unwrap(), folder().join("saved").join(name));
        dictionary.save(if bless { &kept } else { to.path() }).unwrap();
        if bless {
            continue;
        }
        for file in ["cfg.json", "sae_weights.safetensors"] {
            let (ours, kept) = (std::fs::read(to.path().join(file)).unwrap(), std::fs::read(kept.join(file)).unwrap());
            assert!(ours == kept, "{name}/{file}: run the script again, and read the diff");
        }
        let expected = &recorded[name];
        let back = Dictionary::load_path(to.path(), name, &options()).unwrap();
        near(name, &read(back.encode(expected.x()).unwrap()), &expected.acts);
        near(name, &read(back.apply(expected.x()).unwrap()), &expected.recon);
    }
}

#[test]
fn a_dictionary_of_ours_is_read_back() {
    let config = DictionaryConfig { dtype: "float16".into(), ..DictionaryConfig::autoencoder(6, 10, Standard) };
    let dictionary = Dictionary::new(config, &Init::default(), 1, &Device::flex()).unwrap();
    let to = tempfile::tempdir().unwrap();
    dictionary.save(&to.path().join("a/b")).unwrap();
    let back = Dictionary::load_path(&to.path().join("a/b"), "x", &options()).unwrap();
    assert_eq!(back.config.dtype, "float16");
    let halved: Vec<f32> = read(dictionary.w_enc.val()).iter().map(|x| half::f16::from_f32(*x).to_f32()).collect();
    assert_eq!(read(back.w_enc.val()), halved);
    assert_eq!(back.config.metadata.text("sae_lens_version"), Some("6.54.12"));
    let wrong = DictionaryConfig { dtype: "int8".into(), ..dictionary.config.clone() };
    let error = Dictionary::of(wrong, dictionary.parameters()).unwrap().save(to.path()).unwrap_err().to_string();
    assert_eq!(error, "`dtype` is `int8`: give `float32`, `float16`, `bfloat16` or `float64`");
}

#[test]
fn what_sparsify_adds_to_a_dictionary_is_refused_if_it_is_not_read() {
    for (key, what) in [
        ("signed", "latents that may be negative are"),
        ("embed_skip", "a path from the embedding is"),
        ("gram_lookup", "a table of n-grams is"),
    ] {
        let cfg = format!(r#"{{"d_in": 6, "num_latents": 10, "k": 3, "{key}": true}}"#);
        let error = said(&[("sae.safetensors", ""), ("cfg.json", &cfg)]);
        assert_eq!(error, format!("`DIR/cfg.json`: `{key}` is true: {what} not read"));
    }
}

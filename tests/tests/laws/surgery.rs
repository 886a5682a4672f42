//! Surgery on a checkpoint of every family: against transformers' own numbers, against the blocks run one by one, saved
//! and loaded, and under generation.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrakis::models::transformer::{Positions, QkNorm};
use arrakis::models::{Generation, HookedAutoModel, HookedTransformer, LoadOptions, Plan, RunOptions, device};
use arrakis::prelude::ModelSurgery;
use arrakis::tools::Tool;
use serde::Deserialize;

const PROMPT: [u32; 8] = [34, 17, 29, 49, 82, 5, 61, 34];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn load(folder: &Path) -> HookedTransformer {
    let options = LoadOptions::new().device("cpu").quiet();
    HookedAutoModel::load(folder.to_str().unwrap(), &options).unwrap()
}

/// Every checkpoint of `tests/fixtures/parity`.
fn each_family(mut check: impl FnMut(&str, &HookedTransformer, &ModelSurgery)) {
    let folders = std::fs::read_dir(fixture("parity")).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = folders.filter(|path| path.join("config.json").is_file()).collect();
    folders.sort();
    assert!(folders.len() >= 40, "{folders:?}");
    for folder in folders {
        let model = load(&folder);
        check(&folder.file_name().unwrap().to_string_lossy(), &model, &ModelSurgery::new(&model).unwrap());
    }
}

fn logits(model: &HookedTransformer) -> Vec<f32> {
    device::read(model.forward(PROMPT).unwrap()).unwrap()
}

fn bits(model: &HookedTransformer) -> Vec<u32> {
    logits(model).into_iter().map(f32::to_bits).collect()
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The last layer, the first one twice, the second.
fn shuffled(model: &HookedTransformer) -> [usize; 4] {
    [model.config().n_layers - 1, 0, 0, 1]
}

#[derive(Deserialize)]
struct Reference {
    ids: Vec<u32>,
    cases: std::collections::BTreeMap<String, Vec<Case>>,
}

#[derive(Deserialize)]
struct Case {
    order: Vec<usize>,
    logits: Vec<f32>,
}

/// `tests/fixtures/surgery/make_reference.py` rearranged the layers in transformers.
#[test]
fn rearranged_layers_give_transformers_logits() {
    let text = std::fs::read_to_string(fixture("surgery/reference.json")).unwrap();
    let reference: Reference = serde_json::from_str(&text).unwrap();
    assert!(reference.cases.len() >= 22 && reference.ids == PROMPT);
    for (name, cases) in &reference.cases {
        let model = load(&fixture("parity").join(name));
        for case in cases {
            let made = ModelSurgery::new(&model).unwrap().arrange_layers(case.order.iter().copied()).unwrap();
            let all = logits(made.model());
            let last = &all[all.len() - case.logits.len()..];
            let apart = apart(last, &case.logits);
            assert!(apart < 1e-4, "{name} {:?}: {apart}", case.order);
        }
    }
}

/// The stream through blocks of the original, each run by itself.
#[test]
fn inside_is_the_blocks_run_one_by_one_and_outside_nothing_changes() {
    each_family(|name, model, surgery| {
        let before = bits(model);
        let (order, stop) = (shuffled(model), |layer: usize| RunOptions::new().stop_at_layer(layer as isize));
        let mut stream = model.run_from(PROMPT, Plan::new(), None, &stop(0)).unwrap().output;
        for layer in order {
            stream = model.run_from(PROMPT, Plan::new(), Some((layer, stream)), &stop(layer + 1)).unwrap().output;
        }
        let by_hand = device::read(model.net().forward_unembed(stream)).unwrap();
        let made = surgery.arrange_layers(order).unwrap();
        assert_eq!(logits(made.model()), by_hand, "{name}");
        assert!(made.model().sites().iter().any(|site| site == "blocks.3.resid_post"), "{name}");
        let same = surgery.permute_layers(0..model.config().n_layers).unwrap();
        assert_eq!((bits(same.model()), bits(model)), (before.clone(), before), "{name}");
    });
}

#[test]
fn a_model_of_other_layers_is_saved_and_loaded_or_refused_by_name() {
    let mut refused = BTreeSet::new();
    each_family(|name, model, surgery| {
        for made in
            [surgery.arrange_layers(shuffled(model)), surgery.delete_layers([0]), surgery.repeat_layers([-1], 3)]
        {
            let (made, folder) = (made.unwrap(), tempfile::tempdir().unwrap());
            match made.model().save_pretrained(folder.path()) {
                Ok(()) => assert_eq!(bits(&load(folder.path())), bits(made.model()), "{name}"),
                Err(error) => {
                    assert!(error.to_string().contains("changed: `attn_scales` is ["), "{name}: {error}");
                    refused.insert(name.to_owned());
                }
            }
            let own = tempfile::tempdir().unwrap();
            made.model().save_own(own.path()).unwrap();
            assert_eq!(bits(&load(own.path())), bits(made.model()), "{name}");
        }
    });
    assert_eq!(refused, ["gpt2_inverse".to_owned()].into(), "its scales follow the index of the layer");
}

#[test]
fn cached_generation_of_repeated_layers_is_the_uncached_one() {
    each_family(|name, model, surgery| {
        if model.config().bidirectional {
            return;
        }
        let made = surgery.arrange_layers(shuffled(model)).unwrap();
        let ids = |cache: bool| {
            let how = Generation { use_cache: cache, ..Generation::greedy(6) };
            let made = made.model().generate(&PROMPT[..4], &how).unwrap();
            (made.ids.clone(), made.logits_of_row(0).unwrap())
        };
        let ((with, with_logits), (without, without_logits)) = (ids(true), ids(false));
        assert_eq!(with, without, "{name}");
        assert!(apart(&with_logits, &without_logits) < 1e-3, "{name}");
    });
}

/// Saves and loads, which must give the same bits, or is refused with the key that cannot say it.
fn saves(name: &str, model: &HookedTransformer) -> bool {
    let folder = tempfile::tempdir().unwrap();
    match model.save_pretrained(folder.path()) {
        Ok(()) => assert_eq!(bits(&load(folder.path())), bits(model), "{name}"),
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("` is ") && error.ends_with("our own layout with `save_own`"), "{name}: {error}");
            return false;
        }
    }
    true
}

/// Families whose `config.json` has no width of a head beside the numbers of heads and of `d_model`.
const NO_HEAD_DIM: [&str; 9] = ["bert", "cohere2", "falcon", "gpt2", "gpt_neo", "gpt_neox", "gptj", "opt", "stablelm"];

/// The first group of heads of every layer.
#[test]
fn removed_heads_are_silent_ones_in_every_family() {
    let mut unsaved = BTreeSet::new();
    each_family(|name, model, surgery| {
        let config = model.config();
        let group = config.n_heads / config.n_kv_heads;
        let heads: Vec<_> = (0..config.n_layers).flat_map(|layer| (0..group).map(move |head| (layer, head))).collect();
        let silent = surgery.silence_heads(heads.iter().copied()).unwrap();
        let dependent = matches!(config.positions, Positions::Alibi { .. }) || config.qk_norm == QkNorm::Full;
        // Six heads of 3 in a stream of 21.
        let dependent = dependent || name == "opt_plain";
        match surgery.remove_heads(heads) {
            Ok(removed) => {
                let apart = apart(&logits(removed.model()), &logits(silent.model()));
                assert!(apart < 1e-4 && !dependent && config.n_kv_heads > 1, "{name}: {apart}");
                if !saves(name, removed.model()) {
                    unsaved.insert(config.family.clone());
                }
            }
            Err(error) => {
                assert!(dependent || config.n_kv_heads == 1, "{name}: {error}");
                assert!(error.to_string().ends_with("; silence them instead, which keeps the shape of the model"));
            }
        }
    });
    assert_eq!(unsaved, NO_HEAD_DIM.map(ToOwned::to_owned).into());
}

#[test]
fn removed_neurons_are_silent_ones_in_every_family() {
    let mut unsaved = BTreeSet::new();
    each_family(|name, model, surgery| {
        let neurons = (0..model.config().n_layers).flat_map(|layer| [(layer, 1), (layer, 4)]);
        if model.config().experts.is_some() {
            assert!(surgery.remove_neurons(neurons).unwrap_err().to_string().contains("mixture of experts"), "{name}");
            return;
        }
        let removed = surgery.remove_neurons(neurons.clone()).unwrap();
        let apart = apart(&logits(removed.model()), &logits(surgery.silence_neurons(neurons).unwrap().model()));
        assert!(apart < 1e-4, "{name}: {apart}");
        if !saves(name, removed.model()) {
            unsaved.insert(model.config().family.clone());
        }
    });
    assert_eq!(unsaved, ["bloom".to_owned()].into(), "its MLPs are four times as wide as its stream");
}

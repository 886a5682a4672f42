//! A real language model held against numbers measured with transformers' own modules and hooks.
//!
//! Needs the folder that `tests/fixtures/smollm2/get_smollm2.py` makes, named by `ARRAKIS_SMOLLM2`:
//! `ARRAKIS_SMOLLM2=folder cargo test --workspace --features arrakis-tests/smollm2 --test smollm2`.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use arrakis::models::device::read;
use arrakis::models::{
    Activation, Generation, HookedAutoModel, HookedTransformer, Intervention, LoadOptions, Plan, SweepCase,
    SweepResult, Tokens,
};
use arrakis::prelude::{Tensor, site};
use safetensors::SafeTensors;
use serde_json::Value;

static MODEL: LazyLock<HookedTransformer> = LazyLock::new(|| {
    let folder = std::env::var("ARRAKIS_SMOLLM2").expect("ARRAKIS_SMOLLM2 names the folder get_smollm2.py makes");
    HookedAutoModel::load(&folder, &LoadOptions { device: Some("cpu".into()), quiet: true, ..LoadOptions::default() })
        .unwrap()
});

static FACTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_slice(&std::fs::read(fixture("open.json")).unwrap()).unwrap());

static NUMBERS: LazyLock<BTreeMap<String, Vec<f64>>> = LazyLock::new(|| {
    let bytes = std::fs::read(fixture("open.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let values = match view.dtype() {
                safetensors::Dtype::F32 => {
                    view.data().chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
                }
                _ => view.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
            };
            (name, values)
        })
        .collect()
});

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/smollm2").join(name)
}

/// Largest absolute difference from a recorded tensor.
fn apart(name: &str, got: &[f64]) -> f64 {
    let recorded = &NUMBERS[name];
    assert_eq!(recorded.len(), got.len(), "{name}");
    recorded.iter().zip(got).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn close(name: &str, got: &[f64], tolerance: f64) {
    let apart = apart(name, got);
    println!("{name}: {} numbers, largest difference {apart:.2e} (tolerance {tolerance:.0e})", got.len());
    assert!(apart <= tolerance, "{name}: {apart} > {tolerance}");
}

fn numbers(tensor: &Activation) -> Vec<f64> {
    tensor.to_vec().unwrap().into_iter().map(f64::from).collect()
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    list(value).into_iter().map(|x| x as u32).collect()
}

/// Prompts of one length with their right and wrong names.
struct Group {
    clean: Tokens,
    corrupted: Tokens,
    answers: Vec<u32>,
    wrong: Vec<u32>,
}

impl Group {
    /// Logit difference of each prompt, `[batch]`, from logits `[batch, pos, d_vocab]`.
    fn logit_diff(&self, logits: &Tensor<3>) -> Tensor<1> {
        let pos = logits.dims()[1];
        let rows = (0..self.answers.len()).map(|row| {
            let last = logits.clone().narrow(0, row, 1).narrow(1, pos - 1, 1);
            (last.clone().narrow(2, self.answers[row] as usize, 1) - last.narrow(2, self.wrong[row] as usize, 1))
                .reshape([1])
        });
        Tensor::cat(rows.collect(), 0)
    }

    fn sweep(&self, tokens: &Tokens, cases: Vec<SweepCase>) -> SweepResult {
        let sweep = MODEL.sweep(tokens).unwrap().cases(cases).last_only().quiet();
        sweep.run(|logits| Ok(self.logit_diff(&logits))).unwrap()
    }
}

/// Each layer's `z` on some prompts.
fn z(tokens: &Tokens) -> Vec<Activation> {
    let (_, cache) = MODEL.run_with_cache(tokens, ["*.attn.z"]).unwrap();
    (0..MODEL.config().n_layers).map(|layer| cache.activation(site::z(layer)).unwrap().clone()).collect()
}

/// The recorded pairs, in their order, by length.
fn groups() -> Vec<Group> {
    let mut by_length: Vec<(usize, Vec<[String; 4]>)> = Vec::new();
    for pair in FACTS["ioi"]["pairs"].as_array().unwrap() {
        let pair: [String; 4] = serde_json::from_value(pair.clone()).unwrap();
        let length = MODEL.to_tokens(&pair[0]).unwrap().len();
        match by_length.iter_mut().find(|(other, _)| *other == length) {
            Some((_, pairs)) => pairs.push(pair),
            None => by_length.push((length, vec![pair])),
        }
    }
    let tokens = |pairs: &[[String; 4]], which: usize| {
        Tokens::new(pairs.iter().map(|pair| MODEL.to_tokens(&pair[which]).unwrap()).collect()).unwrap()
    };
    let single = |pairs: &[[String; 4]], which: usize| {
        pairs.iter().map(|pair| MODEL.to_single_token(&pair[which]).unwrap()).collect()
    };
    by_length
        .iter()
        .map(|(_, pairs)| Group {
            clean: tokens(pairs, 0),
            corrupted: tokens(pairs, 1),
            answers: single(pairs, 2),
            wrong: single(pairs, 3),
        })
        .collect()
}

/// The table of a head sweep, each group's sum over its prompts divided by all prompts.
fn head_table(what: &str, edit: impl Fn(&Group, usize, usize) -> Intervention) -> Vec<f64> {
    let started = std::time::Instant::now();
    let (n_layers, n_heads) = (MODEL.config().n_layers, MODEL.config().n_heads);
    let groups = groups();
    let prompts: usize = groups.iter().map(|group| group.answers.len()).sum();
    let mut table = vec![0.0; n_layers * n_heads];
    for group in &groups {
        let heads = (0..n_layers * n_heads).map(|i| (i / n_heads, i % n_heads));
        let cases = heads
            .map(|(l, h)| SweepCase::new(format!("L{l}H{h}"), site::z(l), edit(group, l, h).head(h).edit()))
            .collect();
        let found = group.sweep(&group.clean, cases);
        println!("{what}: {:?}, {:.0} % of block evaluations saved", found.work, 100.0 * found.work.saved());
        for (cell, values) in table.iter_mut().zip(&found.values) {
            *cell += values.iter().sum::<f64>() / prompts as f64;
        }
    }
    println!("{what}: {:.1} s", started.elapsed().as_secs_f64());
    table
}

#[test]
fn facts_tokens_logits_hidden_states_attentions() {
    for (i, fact) in FACTS["facts"].as_array().unwrap().iter().enumerate() {
        let tokens = MODEL.to_tokens(fact["prompt"].as_str().unwrap()).unwrap();
        assert_eq!(tokens, ids(&fact["tokens"]));
        let (logits, cache) = MODEL.run_with_cache(&tokens, ["*.resid_pre", "*.resid_post", "*.pattern"]).unwrap();
        let last = logits.clone().narrow(1, tokens.len() - 1, 1);
        close(&format!("facts.{i}.logits_last"), &numbers(&last.into()), 1e-3);
        if i == 0 {
            let layers = 0..MODEL.config().n_layers;
            let patterns: Vec<f64> =
                layers.clone().flat_map(|l| numbers(cache.activation(site::pattern(l)).unwrap())).collect();
            close("facts.0.attentions", &patterns, 1e-4);
            let mut hidden: Vec<Vec<f64>> =
                layers.map(|l| numbers(cache.activation(site::resid_pre(l)).unwrap())).collect();
            let last = cache.get::<3>(site::resid_post(MODEL.config().n_layers - 1)).unwrap();
            hidden.push(numbers(&MODEL.net().ln_final.as_ref().unwrap().apply(last).into()));
            let recorded = NUMBERS["facts.0.hidden_states"].chunks(hidden[0].len());
            for (layer, (got, recorded)) in hidden.iter().zip(recorded).enumerate() {
                let largest = recorded.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
                let apart = got.iter().zip(recorded).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(apart <= 1e-3 + 1e-6 * largest, "hidden state {layer}: {apart}, largest entry {largest}");
            }
        }
    }
}

#[test]
fn lens_ranks_of_the_answers() {
    for fact in FACTS["facts"].as_array().unwrap() {
        let tokens = MODEL.to_tokens(fact["prompt"].as_str().unwrap()).unwrap();
        let answer = MODEL.to_single_token(fact["answer"].as_str().unwrap()).unwrap() as usize;
        let (_, cache) = MODEL.run_with_cache(&tokens, ["*.resid_pre", "*.resid_post"]).unwrap();
        let n_layers = MODEL.config().n_layers;
        let streams = (0..n_layers).map(site::resid_pre).chain([site::resid_post(n_layers - 1)]);
        let ranks: Vec<f64> = streams
            .map(|stream| {
                let last = cache.get::<3>(stream).unwrap().narrow(1, tokens.len() - 1, 1);
                let lens = read(MODEL.net().logits(MODEL.net().ln_final.as_ref().unwrap().apply(last))).unwrap();
                lens.iter().filter(|logit| **logit > lens[answer]).count() as f64
            })
            .collect();
        assert_eq!(ranks, list(&fact["lens_rank_of_answer"]));
    }
}

#[test]
fn loss_and_greedy_text() {
    let tokens = Tokens::new(vec![MODEL.to_tokens(FACTS["text"]["text"].as_str().unwrap()).unwrap()]).unwrap();
    let loss = read(MODEL.loss(MODEL.forward(&tokens).unwrap(), &tokens).unwrap()).unwrap()[0];
    assert!((f64::from(loss) - FACTS["text"]["loss"].as_f64().unwrap()).abs() < 1e-4, "{loss}");
    for use_cache in [true, false] {
        let how = Generation { use_cache, ..Generation::greedy(24) };
        let made = MODEL.generate(FACTS["greedy"]["prompt"].as_str().unwrap(), &how).unwrap();
        assert_eq!(made.ids[0], ids(&FACTS["greedy"]["tokens"]));
        assert_eq!(MODEL.to_string(&made.ids[0]).unwrap(), FACTS["greedy"]["text"].as_str().unwrap());
    }
}

#[test]
fn head_scores_on_repeated_random_tokens() {
    let (n, batch) = (32, 4);
    let rows =
        NUMBERS["induction.tokens"].chunks(2 * n + 1).map(|row| row.iter().map(|id| *id as u32).collect()).collect();
    let tokens = Tokens::new(rows).unwrap();
    let (_, cache) = MODEL.run_with_cache(&tokens, ["*.pattern"]).unwrap();
    let stripe = |queries: std::ops::Range<usize>, key: &dyn Fn(usize) -> usize| {
        let mut scores = Vec::new();
        for layer in 0..MODEL.config().n_layers {
            let pattern = numbers(cache.activation(site::pattern(layer)).unwrap());
            let (heads, length) = (MODEL.config().n_heads, 2 * n + 1);
            for head in 0..heads {
                let at = |row: usize, q: usize| pattern[((row * heads + head) * length + q) * length + key(q)];
                let sum: f64 =
                    (0..batch).flat_map(|row| queries.clone().map(move |q| (row, q))).map(|(row, q)| at(row, q)).sum();
                scores.push(sum / (batch * queries.len()) as f64);
            }
        }
        scores
    };
    close("induction.score", &stripe(n + 1..2 * n + 1, &|q| q - n + 1), 1e-4);
    close("induction.previous_token", &stripe(1..2 * n + 1, &|q| q - 1), 1e-4);
    close("induction.duplicate_token", &stripe(n + 1..2 * n + 1, &|q| q - n), 1e-4);
}

#[test]
fn names_are_told_apart() {
    let (mut clean, mut corrupted) = (Vec::new(), Vec::new());
    for group in groups() {
        clean.extend(read(group.logit_diff(&MODEL.forward(&group.clean).unwrap())).unwrap().into_iter().map(f64::from));
        corrupted.extend(
            read(group.logit_diff(&MODEL.forward(&group.corrupted).unwrap())).unwrap().into_iter().map(f64::from),
        );
    }
    for (name, got) in [("clean_logit_diff", clean), ("corrupted_logit_diff", corrupted)] {
        let recorded = list(&FACTS["ioi"][name]);
        let apart = got.iter().zip(&recorded).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-3 && got.len() == recorded.len(), "{name}: {apart}");
    }
}

#[test]
fn every_head_zeroed() {
    let table = head_table("zero", |_, _, _| Intervention::zero());
    close("ioi.zero_ablate_z.logit_diff", &table, 1e-3);
}

#[test]
fn every_head_patched_from_the_corrupted_run() {
    let stored: Vec<Vec<Activation>> = groups().iter().map(|group| z(&group.corrupted)).collect();
    let lengths: Vec<usize> = groups().iter().map(|group| group.clean.pos()).collect();
    let table = head_table("patch", |group, layer, _| {
        let which = lengths.iter().position(|length| *length == group.clean.pos()).unwrap();
        Intervention::patch(&stored[which][layer])
    });
    close("ioi.patch_corrupted_z.logit_diff", &table, 1e-3);
}

#[test]
fn resid_pre_patched_by_layer_and_position() {
    let started = std::time::Instant::now();
    let group = &groups()[0];
    let (_, clean) = MODEL.run_with_cache(&group.clean, ["*.resid_pre"]).unwrap();
    let mut cases = Vec::new();
    for layer in 0..MODEL.config().n_layers {
        let stream = clean.activation(site::resid_pre(layer)).unwrap();
        for position in 0..group.clean.pos() {
            let edit = Intervention::patch(stream).positions([position as isize]).edit();
            cases.push(SweepCase::new(format!("{layer}@{position}"), site::resid_pre(layer), edit));
        }
    }
    let found = group.sweep(&group.corrupted, cases);
    println!("resid: {:?}, {:.1} s", found.work, started.elapsed().as_secs_f64());
    close("ioi.patch_clean_resid_pre.logit_diff", &found.means(), 1e-3);
}

#[test]
fn attribution_by_head_direct_and_by_gradient() {
    let (n_layers, n_heads) = (MODEL.config().n_layers, MODEL.config().n_heads);
    let (mut direct, mut patching) = (vec![0.0; n_layers * n_heads], vec![0.0; n_layers * n_heads]);
    for group in groups() {
        let prompts = 16.0;
        let plan = Plan::new().capture("*.attn.z").capture("ln_final.scale").grad("*.attn.z");
        let run = MODEL.run(&group.clean, plan).unwrap();
        let grads = run.gradients(group.logit_diff(&run.output).sum()).unwrap();
        let corrupted = z(&group.corrupted);
        let scale = run.cache.get::<3>("ln_final.scale").unwrap();
        let (batch, pos) = (group.clean.batch(), group.clean.pos());
        let rows = |ids: &[u32]| {
            let columns: Vec<Tensor<2>> = ids.iter().map(|id| MODEL.w_u().narrow(1, *id as usize, 1)).collect();
            Tensor::cat(columns, 1).transpose()
        };
        let weight = MODEL.net().ln_final.as_ref().unwrap().weight.as_ref().unwrap().val();
        let direction = (rows(&group.answers) - rows(&group.wrong)) * weight.unsqueeze()
            / scale.narrow(1, pos - 1, 1).reshape([batch, 1]);
        for layer in 0..n_layers {
            let z = run.cache.get::<4>(site::z(layer)).unwrap();
            let gradient = grads.get::<4>(site::z(layer)).unwrap();
            let difference = corrupted[layer].tensor::<4>().unwrap() - z.clone();
            let results = MODEL.block(layer).unwrap().attn.head_results(z.narrow(1, pos - 1, 1));
            let d_model = direction.dims()[1];
            let by_head =
                read((results * direction.clone().reshape([batch, 1, 1, d_model])).sum_dim(3).sum_dim(0)).unwrap();
            let patched = read((gradient * difference).sum_dim(3).sum_dim(1).sum_dim(0)).unwrap();
            for head in 0..n_heads {
                direct[layer * n_heads + head] += f64::from(by_head[head]) / prompts;
                patching[layer * n_heads + head] += f64::from(patched[head]) / prompts;
            }
        }
    }
    close("ioi.dla_by_head", &direct, 1e-3);
    close("ioi.attribution_patch_z", &patching, 1e-3);
}

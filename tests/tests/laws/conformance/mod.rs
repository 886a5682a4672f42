//! Every family × every site × every device, and the laws of every run, on tiny checkpoints in which every part
//! matters.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

mod broken;
mod devices;
mod encoders;
mod gradients;
mod identities;
mod isolation;
mod passes;
mod runs;
mod sites;
mod sweeps;
mod units;

use arrakis::models::device::read;
use arrakis::models::families::FAMILIES;
use arrakis::models::{HookedTransformer, Tokens};
use arrakis_tests::{devices, fixture, list, load};

/// The checkpoint of each family, named after one of its model types; or those that `ARRAKIS_FAMILIES` lists.
fn families() -> Vec<&'static str> {
    let there = |name: &&&str| fixture("parity").join(name).is_dir();
    let all: Vec<&str> = FAMILIES.iter().map(|family| *family.model_types.iter().find(there).unwrap()).collect();
    let listed = list("ARRAKIS_FAMILIES");
    let unknown: Vec<&String> = listed.iter().filter(|name| !all.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "ARRAKIS_FAMILIES: {unknown:?} is not among {all:?}");
    all.into_iter().filter(|case| listed.is_empty() || listed.iter().any(|name| name == case)).collect()
}

/// More checkpoints of these families, with the most different options. They run on the first device only, because they
/// combine the same kernels.
const OPTIONS: &[&str] = &["gpt_neox_serial", "stablelm_parallel", "opt_350m", "falcon_new", "bloom_post"];

/// Runs a check on every device.
fn each_device(check: impl Fn(&str)) {
    for device in devices() {
        check(device);
    }
}

/// Runs a check on every case on every device. Reports all failures, not only the first.
fn each(check: impl Fn(&HookedTransformer) -> Result<(), String>) {
    let families = families();
    let cases = devices().iter().flat_map(|device| families.iter().map(move |case| (case, device)));
    let cases = cases.chain(OPTIONS.iter().map(|case| (case, &devices()[0])));
    let failures: Vec<String> = cases
        .filter_map(|(case, device)| {
            check(&load(case, device)).err().map(|problem| format!("{case} on {device}: {problem}"))
        })
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn prompt() -> Tokens {
    Tokens::new(vec![vec![3, 14, 15, 9, 26, 5, 35, 8], vec![2, 7, 18, 28, 18, 28, 4, 5]]).unwrap()
}

/// The largest difference; NaN if any difference is NaN.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let larger = |most: f32, next: f32| if next > most || next.is_nan() { next } else { most };
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, larger)
}

fn logits(model: &HookedTransformer, tokens: &Tokens) -> Vec<f32> {
    read(model.forward(tokens).unwrap()).unwrap()
}

fn close(what: &str, a: &[f32], b: &[f32], tolerance: f32) -> Result<(), String> {
    let apart = apart(a, b);
    if apart <= tolerance { Ok(()) } else { Err(format!("{what}: {apart} > {tolerance}")) }
}

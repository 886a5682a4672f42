//! Weights kept in half precision take half the memory and give the same numbers, whatever is done with the model.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

use std::path::PathBuf;

use arrakis::models::device::read;
use arrakis::models::hooks::Activation;
use arrakis::models::{Generation, HookedAutoModel, HookedTransformer, LoadOptions, Plan, Tokens};
use arrakis::prelude::Tensor;

/// Checkpoints whose files hold bfloat16.
const CASES: &[&str] = &["gemma_hub", "qwen2_yarn"];

fn load(case: &str, keep_half: bool) -> HookedTransformer {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/parity").join(case);
    let options = LoadOptions { keep_half, ..LoadOptions::new().device("cpu").quiet() };
    HookedAutoModel::load(folder.to_str().unwrap(), &options).unwrap()
}

fn bytes(model: &HookedTransformer) -> usize {
    model.parameters().iter().map(|(_, parameter)| parameter.bytes()).sum()
}

fn apart(a: Tensor<3>, b: Tensor<3>) -> f32 {
    read((a - b).abs().max()).unwrap()[0]
}

#[test]
fn half_precision_takes_half_the_memory_and_gives_the_same_numbers() {
    for case in CASES {
        let (wide, half) = (load(case, false), load(case, true));
        let share = bytes(&half) as f64 / bytes(&wide) as f64;
        assert!((0.5..0.55).contains(&share), "{case}: {share}");
        for ((name, a), (_, b)) in wide.parameters().iter().zip(half.parameters()) {
            assert_eq!(a.to_vec().unwrap(), b.to_vec().unwrap(), "{case} {name}");
        }
        assert_eq!(wide.fingerprint().unwrap(), half.fingerprint().unwrap());
        let tokens = [3, 14, 15, 9, 26];
        // A widened copy has another memory layout, so sums over it may round differently.
        assert!(apart(wide.forward(tokens).unwrap(), half.forward(tokens).unwrap()) < 1e-5, "{case}");
        let all = |model: &HookedTransformer| model.run_with_cache(tokens, ["*"]).unwrap().1;
        for ((site, a), (_, b)) in all(&wide).iter().zip(all(&half).iter()) {
            let close = |(a, b): (f32, f32)| a == b || (a - b).abs() < 1e-5 * (1.0 + a.abs());
            assert!(a.to_vec().unwrap().into_iter().zip(b.to_vec().unwrap()).all(close), "{case} {site}");
        }
        let made = |model: &HookedTransformer| model.generate(tokens, &Generation::greedy(5)).unwrap().ids;
        assert_eq!(made(&wide), made(&half));
    }
}

#[test]
fn every_operation_works_on_half_precision() {
    for case in CASES {
        let (wide, half) = (load(case, false), load(case, true));
        let tokens = Tokens::new(vec![vec![3, 14, 15, 9]]).unwrap();
        let processed = |model: &HookedTransformer| model.processed().unwrap().forward(&tokens).unwrap();
        assert!(apart(processed(&wide), processed(&half)) < 1e-4, "{case}");
        let views = |model: &HookedTransformer| -> Vec<Activation> {
            vec![model.w_q(0).unwrap().into(), model.w_o(0).unwrap().into(), model.w_u().into(), model.w_e().into()]
        };
        for (a, b) in views(&wide).iter().zip(views(&half)) {
            assert_eq!(a.to_vec().unwrap(), b.to_vec().unwrap(), "{case}");
        }
        let metric = |logits: Tensor<3>| logits.narrow(1, 3, 1).narrow(2, 5, 1).reshape([1]);
        let gradient = |model: &HookedTransformer| {
            let run = model.run(&tokens, Plan::new().grad("blocks.0.resid_pre")).unwrap();
            run.gradients(metric(run.output.clone())).unwrap().get::<3>("blocks.0.resid_pre").unwrap()
        };
        assert!(apart(gradient(&wide), gradient(&half)) < 1e-4, "{case}");
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        wide.save_pretrained(one.path()).unwrap();
        half.save_pretrained(two.path()).unwrap();
        let file = |folder: &tempfile::TempDir| std::fs::read(folder.path().join("model.safetensors")).unwrap();
        assert!(file(&one) == file(&two), "{case}: both are written as float32, to the byte");
    }
}

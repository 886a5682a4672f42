//! Under a limit on memory, runs that do not fit are refused before they run, and sweeps run in smaller forwards.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]
#![cfg(target_os = "linux")]

use arrakis::models::{Error, TransformerConfig};
use arrakis::prelude::*;
use arrakis_tests::alone_within;

/// What the process may take. It has less than half of that before it runs a model.
const LIMIT: u64 = 4 << 30;

/// Logits are all that is large.
fn model(d_vocab: usize) -> HookedTransformer {
    HookedAutoModel::lively(&TransformerConfig::plain("test", 2, 8, 2, d_vocab, 4096), 1).unwrap()
}

fn ids(count: u32) -> Vec<u32> {
    (0..count).map(|at| (at * 7919) % 100_000).collect()
}

#[test]
fn a_forward_a_capture_and_a_sweep_that_do_not_fit_are_refused() {
    alone_within(LIMIT, || {
        // 8 GB of logits for the long prompt, 20 MB for the short one.
        let model = model(500_000);
        let refused = |found: Result<(), Error>, what: &str| {
            let said = found.unwrap_err().to_string();
            assert!(said.starts_with(what) && said.contains("the limit on its address space (`ulimit -v`)"), "{said}");
        };
        let long = ids(4000);
        refused(model.forward(long.as_slice()).map(drop), "what this run computes would take");
        refused(model.run_with_cache(long.as_slice(), ["logits"]).map(drop), "what this run captures would take");
        let sweep = model.sweep(long.as_slice()).unwrap().case("zero", site::z(0), Intervention::zero()).quiet();
        refused(sweep.run(|logits| Ok::<_, Error>(logits.max().reshape([1]))).map(drop), "what this run");
        assert!(model.forward(ids(10).as_slice()).is_ok());
    });
}

/// Twenty cases of 200 MB each, which a setting puts into one forward.
#[test]
fn a_sweep_runs_in_forwards_that_fit() {
    alone_within(LIMIT, || {
        let model = model(100_000);
        let case =
            |at: usize| SweepCase::new(at.to_string(), site::mlp_out(at % 2), Intervention::scale(1.5 + at as f32));
        let found = |tokens: usize| {
            let sweep = model.sweep(ids(500).as_slice()).unwrap().cases((0..20).map(case)).tokens_per_forward(tokens);
            sweep.quiet().run(|logits| Ok::<_, Error>(logits.narrow(1, 499, 1).narrow(2, 7, 1).reshape([1]))).unwrap()
        };
        let (together, apart) = (found(20 * 500), found(500));
        assert_eq!(apart.work.forwards, 21);
        assert!((3..=11).contains(&together.work.forwards), "{:?}", together.work);
        assert_eq!(together.values, apart.values);
    });
}

//! The tools compared with `TransformerLens` 3.2.1's `HookedTransformer`, on six checkpoints (two of them trained),
//! with raw and processed weights; and their identities on a checkpoint of every family.
//!
//! `tests/fixtures/tl/<case>/reference.json` describes every tensor, and names those left out as rows of others. Two
//! numbers count as equal within 1e-4 plus 1e-4 of their size, in either direction.

#![allow(clippy::unwrap_used, reason = "a test that panics says where")]

mod case;

mod activations;
mod families;
mod heads;
mod patching;
mod paths;
mod residual;
mod tracing;
mod weights;

/// Analyses by name that the modules compare. A `*` stands for any ending.
const COMPARED: [&str; 18] = [
    "decompose_resid",
    "decompose_resid_ln",
    "stack_head_results",
    "full_resid_decomposition",
    "accumulated_resid",
    "accumulated_resid_ln",
    "logit_lens",
    "logit_attrs",
    "logit_attrs_heads",
    "composition.*",
    "detect.*",
    "repeated.pattern",
    "ablate.heads",
    "ablate.heads_mean",
    "loss",
    "loss_per_token",
    "grad.*",
    "patch.*",
];

#[test]
fn every_analysis_is_compared() {
    case::Case::each(|case| {
        let names = case.analyses();
        assert!(names.len() > 40, "{}: {names:?}", case.name);
        let known = |name: &String| {
            COMPARED.iter().any(|known| known.strip_suffix('*').map_or(name == known, |start| name.starts_with(start)))
        };
        let unknown: Vec<&String> = names.iter().filter(|name| !known(name)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", case.name);
    });
}

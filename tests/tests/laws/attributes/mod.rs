//! What the attributes of an experiment do to a function, on a tiny model.

#![allow(clippy::unwrap_used, reason = "clippy does not see that helpers belong to tests")]

mod figures;
mod golden;
mod hypotheses;
mod order;
mod profiles;
mod records;
mod reuse;
mod selection;
mod shapes;
mod tools;
mod tracked;

use arrakis::experiment::{Outcome, Record};
use arrakis::prelude::*;

/// Two layers, two heads, sixteen dimensions, random weights.
fn model() -> HookedTransformer {
    let config = serde_json::json!({
        "model_type": "gpt2", "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 16, "vocab_size": 32,
        "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": true
    });
    let config = HookedAutoConfig::from_json(config).unwrap();
    HookedAutoModel::from_config(&config, 0).unwrap()
}

/// A bench that saves to its own temporary folder.
fn bench() -> (tempfile::TempDir, Bench) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(model()).save_dir(folder.path());
    (folder, bench)
}

/// The only run of an experiment.
fn only_run(bench: &Bench, name: &str) -> Record {
    let versions = bench.list_versions(name).unwrap();
    assert_eq!(versions.len(), 1, "{versions:?}");
    let mut runs = bench.runs(name, &versions[0]).unwrap();
    assert_eq!(runs.len(), 1);
    runs.remove(0)
}

/// A tool that a user wrote.
struct Depth {
    n_layers: usize,
}

impl Tool for Depth {
    const NAME: &'static str = "depth";
    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { n_layers: model.config().n_layers })
    }
}

/// A tool that cannot be built for any model.
struct Impossible;

impl Tool for Impossible {
    const NAME: &'static str = "impossible";
    fn new(_model: &HookedTransformer) -> Result<Self> {
        Err(Error::Tool { tool: Self::NAME, problem: "this model has no second head start".into() })
    }
}

fn message(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Ok(value) => panic!("no failure: {value}"),
        Outcome::Error(message) | Outcome::Panic(message) => message,
    }
}

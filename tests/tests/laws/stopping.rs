//! Where generation stops, compared with transformers (`fixtures/stopping/make_stopping.py`).

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::path::Path;

use arrakis::models::{Generation, HookedAutoModel, HookedTransformer, LoadOptions, Side, Tokens};
use arrakis_tests::fixture;
use serde::Deserialize;
use serde_json::{Map, Value};

/// `stopping.json`.
#[derive(Deserialize)]
struct Recorded {
    prompts: Vec<Vec<u32>>,
    steps: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    /// A checkpoint of `fixtures/parity`.
    model: String,
    /// Its `generation_config.json`.
    generation: Option<Value>,
    /// Keys of its `config.json`.
    config: Map<String, Value>,
    stop: Vec<u32>,
    rows: Vec<Vec<u32>>,
    /// The rows without an end.
    free: Vec<Vec<u32>>,
}

fn recorded() -> Recorded {
    serde_json::from_str(&std::fs::read_to_string(fixture("stopping/stopping.json")).unwrap()).unwrap()
}

fn load(case: &Case) -> HookedTransformer {
    let (from, to) = (fixture("parity").join(&case.model), tempfile::tempdir().unwrap());
    std::fs::copy(from.join("model.safetensors"), to.path().join("model.safetensors")).unwrap();
    let mut config: Map<String, Value> =
        serde_json::from_str(&std::fs::read_to_string(from.join("config.json")).unwrap()).unwrap();
    config.extend(case.config.clone());
    std::fs::write(to.path().join("config.json"), serde_json::to_string(&config).unwrap()).unwrap();
    if let Some(generation) = &case.generation {
        std::fs::write(to.path().join("generation_config.json"), generation.to_string()).unwrap();
    }
    loaded(to.path())
}

fn loaded(folder: &Path) -> HookedTransformer {
    HookedAutoModel::load(folder.to_str().unwrap(), &LoadOptions::new().device("cpu").quiet()).unwrap()
}

#[test]
fn rows_of_a_batch_end_where_transformers_ends_them() {
    let Recorded { prompts, steps, cases } = recorded();
    assert!(cases.iter().any(|case| case.rows[0].len() != case.rows[1].len()));
    for case in &cases {
        let (model, how) = (load(case), Generation::greedy(steps));
        assert_eq!(model.stop_tokens(), case.stop, "{}", case.model);
        let made = model.generate(Tokens::padded(&prompts, Side::Left, 0).unwrap(), &how).unwrap();
        assert_eq!(made.ids, case.rows, "{}, {:?}", case.model, case.stop);
        for (prompt, row) in prompts.iter().zip(&case.rows) {
            assert_eq!(&model.generate(prompt, &how).unwrap().ids[0], row, "{}, alone", case.model);
        }
        let on = model.generate(Tokens::padded(&prompts, Side::Left, 0).unwrap(), &how.ignore_eos()).unwrap();
        assert_eq!(on.ids, case.free, "{}, past the end", case.model);
    }
}

/// `stop_at` adds to what the model stops at.
#[test]
fn tokens_of_the_call_stop_as_well() {
    let Recorded { prompts, steps, cases } = recorded();
    let case = cases.iter().find(|case| case.stop.len() == 1 && case.rows[0].len() > prompts[0].len() + 1).unwrap();
    let model = load(case);
    let next = case.free[0][prompts[0].len()];
    let how = Generation::greedy(steps).stop_at([next]);
    assert_eq!(model.generate(&prompts[0], &how).unwrap().ids[0], case.free[0][..=prompts[0].len()]);
    assert_eq!(model.generate(&prompts[2], &how).unwrap().ids[0], case.rows[2]);
}

#[test]
fn where_a_model_stops_is_saved_with_it() {
    let model = load(&recorded().cases[1]);
    let (own, hf) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    model.save_own(own.path()).unwrap();
    model.save_pretrained(hf.path()).unwrap();
    for folder in [own.path(), hf.path()] {
        assert_eq!(loaded(folder).stop_tokens(), model.stop_tokens());
    }
}

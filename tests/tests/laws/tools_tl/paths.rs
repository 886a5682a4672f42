//! Path patching against `TransformerLens`'s hooks (`tests/fixtures/path_patching`).

use arrakis::prelude::*;
use serde_json::Value;

use super::case::{fixtures, load};

fn receivers(name: &str, n_layers: usize) -> Vec<Receiver> {
    let head = Receiver::head;
    match name {
        "logits" => vec![Receiver::logits()],
        "query" => vec![head(n_layers - 1, 3, HeadInput::Query)],
        "key" => vec![head(n_layers - 1, 1, HeadInput::Key)],
        "value" => vec![head(1, 0, HeadInput::Value)],
        "queries of two heads" => vec![head(n_layers - 1, 0, HeadInput::Query), head(1, 2, HeadInput::Query)],
        other => panic!("no receivers are called `{other}`"),
    }
}

#[test]
fn paths_agree() {
    let text = std::fs::read_to_string(fixtures("path_patching").join("paths.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let ids = |name: &str| -> Vec<u32> { serde_json::from_value(expected[name].clone()).unwrap() };
    let token = |name: &str| expected[name].as_u64().unwrap() as u32;
    let metric = Metric::logit_diff(token("answer"), token("wrong"));
    let mut compared = 0;
    for (name, model) in expected["models"].as_object().unwrap() {
        let paths = PathPatching::new(&load(&fixtures("tl").join(name))).unwrap();
        let pair = paths.from(ids("source")).into(ids("target")).unwrap();
        for (label, table) in model["tables"].as_object().unwrap() {
            let (through, label) = label.split_once(": ").unwrap();
            let through = if through == "mlps" { Through::Mlps } else { Through::Stream };
            let n_layers = model["n_layers"].as_u64().unwrap() as usize;
            let found = pair.heads(receivers(label, n_layers), through, &metric).unwrap();
            assert!((found.baseline - model["baseline"].as_f64().unwrap()).abs() < 2e-5, "{name} {label}");
            let table: Vec<Vec<f64>> = serde_json::from_value(table.clone()).unwrap();
            for (found, expected) in found.values.values.concat().iter().zip(table.concat()) {
                assert!((found - expected).abs() < 2e-5, "{name} {label}: {found}, TransformerLens has {expected}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 2 * 2 * 5 * 12);
}

//! The laws of hooks, on code that nobody wrote.

use arrakis::models::device;
use arrakis::prelude::*;
use burn::tensor::{Device, TensorData};
use serde_json::Value;

use crate::{MLP_OUT, PATTERN, block};

/// The code as `burn-onnx` wrote it, without the attribute.
#[allow(dead_code, reason = "as in `block`")]
mod plain {
    include!(concat!(env!("OUT_DIR"), "/model/plain.rs"));
}

fn model() -> block::Model {
    block::Model::from_embedded(&Device::flex())
}

/// What ONNX's own evaluator was given and found.
fn recorded(name: &str) -> Vec<f32> {
    fn flat(value: &Value) -> Vec<f32> {
        match value {
            Value::Array(items) => items.iter().flat_map(flat).collect(),
            number => vec![number.as_f64().unwrap() as f32],
        }
    }
    let all: Value = serde_json::from_str(include_str!("../model/block.json")).unwrap();
    flat(&all[name])
}

fn x() -> Tensor<3> {
    Tensor::from_data(TensorData::new(recorded("x"), [1, 4, 8]), &Device::flex())
}

fn bits<const D: usize>(tensor: Tensor<D>) -> Vec<u32> {
    device::read(tensor).unwrap().into_iter().map(f32::to_bits).collect()
}

#[track_caller]
fn close(found: Tensor<3>, name: &str) {
    let (found, expected) = (device::read(found).unwrap(), recorded(name));
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-6), "{name}: {found:?}\n{expected:?}");
}

#[test]
fn the_numbers_are_those_of_onnx_itself() {
    let model = model();
    let run = Plan::new().capture(PATTERN).run(|| model.forward(x())).unwrap();
    close(run.output, "resid_post");
    close(run.cache.get::<3>(PATTERN).unwrap(), "pattern");
}

#[test]
fn looking_changes_no_bit_and_neither_does_the_attribute() {
    let model = model();
    let expected = bits(plain::Model::from_embedded(&Device::flex()).forward(x()));
    assert_eq!(bits(model.forward(x())), expected);
    let looked = Plan::new().capture("*").run(|| model.forward(x())).unwrap();
    assert_eq!(bits(looked.output), expected);
    let same = Plan::new().edit(PATTERN, Edit::new(|pattern: Tensor<3>| pattern)).run(|| model.forward(x())).unwrap();
    assert_eq!(bits(same.output), expected);
}

#[test]
fn an_edit_at_every_site_changes_the_output() {
    let model = model();
    let before = bits(model.forward(x()));
    let sites = Plan::new().capture("*").run(|| model.forward(x())).unwrap().cache;
    assert_eq!(sites.len(), 14, "{:?}", sites.sites().collect::<Vec<_>>());
    for site in sites.sites() {
        let edit = Intervention::scale(1.5);
        let after = Plan::new().edit(site, edit).run(|| model.forward(x())).unwrap().output;
        assert_ne!(bits(after), before, "{site}");
    }
}

#[test]
fn a_gradient_is_that_of_what_follows() {
    // The output is the stream plus what the MLP adds, so each number of that moves the sum by itself.
    let model = model();
    let run = Plan::new().grad(MLP_OUT).run(|| model.forward(x())).unwrap();
    let gradient = run.gradients(run.output.clone().sum()).unwrap().get::<3>(MLP_OUT).unwrap();
    assert_eq!(device::read(gradient).unwrap(), vec![1.0; 32]);
}

#[test]
fn an_unknown_site_is_an_error() {
    let model = model();
    let error = Plan::new().capture("softmax_out1").run(|| model.forward(x())).unwrap_err();
    assert_eq!(error.to_string(), "the capture at `softmax_out1` never fired; did you mean `softmax1_out1`?");
}

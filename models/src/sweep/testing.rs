//! A small model, sweep and metric for the tests.

use burn::tensor::Tensor;

use super::{ShardResult, Sweep, SweepCase};
use crate::error::Result;
use crate::hooks::Intervention;
use crate::model::{HookedAutoModel, HookedTransformer};
use crate::site;
use crate::tokens::{Side, Tokens};
use crate::transformer::TransformerConfig;

pub(super) fn model() -> HookedTransformer {
    HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap()
}

/// Heads, positions, the embedding, two sites at once, an edit that changes nothing, and a metric that is not a number.
pub(super) fn sweep(model: &HookedTransformer) -> Sweep<'_> {
    let rows = [vec![1, 2, 3, 4, 5], vec![6, 7, 8]];
    let mut cases = Vec::new();
    for layer in 0..3 {
        for head in 0..3 {
            cases.push(SweepCase::new(format!("L{layer}H{head}"), site::z(layer), Intervention::zero().head(head)));
        }
        let edit = Intervention::add(vec![0.5; 12], 2.0).positions([-1]);
        cases.push(SweepCase::new(format!("{layer}"), site::resid_pre(layer), edit));
    }
    cases.push(SweepCase::new("embed", "embed", Intervention::scale(2.0)));
    cases.push(SweepCase::new("two", site::z(1), Intervention::zero()).and(site::mlp_out(2), Intervention::set(0.1)));
    cases.push(SweepCase::new("nothing", site::z(1), Intervention::scale(1.0)));
    cases.push(SweepCase::new("infinite", "logits", Intervention::set(f32::NEG_INFINITY)));
    // The cases as another process reads them.
    let cases: Vec<SweepCase> = serde_json::from_str(&serde_json::to_string(&cases).unwrap()).unwrap();
    let tokens = Tokens::padded(&rows, Side::Left, 0).unwrap();
    model.sweep(tokens).unwrap().cases(cases).tokens_per_forward(20).quiet()
}

#[allow(clippy::unnecessary_wraps, reason = "a sweep's metric may fail")]
pub(super) fn metric(logits: Tensor<3>) -> Result<Tensor<1>> {
    let [batch, pos, _] = logits.dims();
    let last = logits.narrow(1, pos - 1, 1);
    Ok((last.clone().narrow(2, 3, 1) - last.narrow(2, 7, 1)).reshape([batch]))
}

pub(super) fn shards(model: &HookedTransformer, of: usize) -> Vec<ShardResult> {
    (0..of).map(|index| sweep(model).shard(index, of).unwrap().run(metric).unwrap()).collect()
}

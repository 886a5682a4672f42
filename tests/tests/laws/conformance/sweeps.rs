//! A sweep equals each of its edits alone.

use arrakis::models::device::read;
use arrakis::models::hooks::Edit;
use arrakis::models::{Error, HookedTransformer, Intervention, Side, SweepCase, Tokens};
use arrakis::prelude::{Tensor, site};

use super::{close, each};

#[test]
fn a_sweep_equals_each_edit_alone() {
    each(|model| {
        for side in [Side::Left, Side::Right] {
            let tokens = Tokens::padded(&[vec![3, 14, 15, 9, 26], vec![7, 8, 9]], side, 0).unwrap();
            swept_is_alone(model, &tokens, side == Side::Left).map_err(|problem| format!("{side:?}: {problem}"))?;
        }
        Ok(())
    });
}

/// Selections, edits of several sites, and a closure that depends on which tokens it sees.
fn cases_of_a_sweep(model: &HookedTransformer) -> Vec<SweepCase> {
    let mut cases = Vec::new();
    for layer in 0..model.config().n_layers {
        cases.push(SweepCase::new(format!("z{layer}"), site::z(layer), Intervention::zero().head(0)));
        for position in [1, -1] {
            let edit = Intervention::scale(1.5).positions([position]);
            cases.push(SweepCase::new(format!("{layer}@{position}"), site::resid_pre(layer), edit.clone()));
            cases.push(SweepCase::new(format!("v{layer}@{position}"), site::v(layer), edit.clone()));
            cases.push(SweepCase::new(format!("k{layer}@{position}"), site::k(layer), edit));
        }
        let cut = Intervention::knock_out([0]).positions([-1]);
        cases.push(SweepCase::new(format!("edge{layer}"), site::scores(layer), cut));
    }
    cases.push(SweepCase::new("row", site::resid_pre(1), Intervention::scale(2.0).rows([1])));
    cases.push(SweepCase::new("token", site::mlp_out(0), Intervention::zero().tokens([8])));
    let first = Intervention::scale(1.5).positions([0]).rows([1]);
    cases.push(SweepCase::new("two sites", site::resid_pre(0), first).and(site::mlp_out(1), by_length()));
    cases.push(SweepCase::new("rows", site::resid_post(0), by_length()));
    cases.push(SweepCase::new("all", "*.mlp_out", by_length()));
    cases.push(SweepCase::new("embedding", "embed", by_length()));
    cases.push(SweepCase::new("logits", "logits", by_length()));
    cases
}

/// Multiplies each row by its number of tokens.
fn by_length() -> Edit {
    Edit::at(|x: Tensor<3>, at| {
        let rows = at.rows.unwrap();
        assert_eq!((rows.len(), rows.batch()), (2, (0, 2)));
        let lengths: Vec<f32> =
            rows.real().iter().map(|row| row.iter().filter(|real| **real).count() as f32 / 3.0).collect();
        let lengths: Tensor<1> = Tensor::from_floats(lengths.as_slice(), &x.device());
        x * lengths.reshape([2, 1, 1])
    })
}

/// A metric over every position, excluding padding.
fn swept_is_alone(model: &HookedTransformer, tokens: &Tokens, ends_alike: bool) -> Result<(), String> {
    let real: Vec<f32> = tokens.real().iter().flatten().map(|real| f32::from(u8::from(*real))).collect();
    let metric = |logits: Tensor<3>| {
        let [batch, pos, _] = logits.dims();
        let differences = (logits.clone().narrow(2, 3, 1) - logits.narrow(2, 7, 1)).reshape([batch, pos]);
        let real: Tensor<1> = Tensor::from_floats(real.as_slice(), &differences.device());
        let real = real.reshape([batch, tokens.pos()]).narrow(1, tokens.pos() - pos, pos);
        Ok::<_, Error>((differences * real).sum_dim(1).reshape([batch]))
    };
    let cases = cases_of_a_sweep(model);
    // With all positions, and with the last only.
    let alone = |case: &SweepCase| {
        let logits = model.run_with_hooks(tokens, case.edits.clone()).unwrap();
        let last = logits.clone().narrow(1, tokens.pos() - 1, 1);
        [logits, last].map(|logits| read(metric(logits).unwrap()).unwrap())
    };
    let expected: Vec<[Vec<f32>; 2]> = cases.iter().map(alone).collect();
    for (last, limit) in [(false, None), (false, Some(25)), (true, None)] {
        if last && !ends_alike {
            continue;
        }
        let sweep = model.sweep(tokens).unwrap().cases(cases.clone()).quiet();
        let sweep = limit.into_iter().fold(sweep, arrakis_models::Sweep::tokens_per_forward);
        let found = if last { sweep.last_only() } else { sweep }
            .run(metric)
            .map_err(|error: arrakis::models::Error| error.to_string())?;
        for ((case, values), alone) in cases.iter().zip(&found.values).zip(&expected) {
            let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            close(&case.label, &values, &alone[usize::from(last)], 2e-3)?;
        }
    }
    Ok(())
}

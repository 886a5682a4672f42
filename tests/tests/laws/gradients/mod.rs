//! Gradients in every family: what flows back through sites whose gradient is stopped or scaled.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

mod hooks;

use arrakis::models::device::read;
use arrakis::models::{Activation, GradientEdit, HookedTransformer, Intervention, Outcome, Plan, Tokens};
use arrakis::prelude::{Tensor, site};

const CASES: &[&str] = &["gpt2", "gpt_neox", "llama", "gemma2", "olmo2", "bloom", "falcon", "mixtral"];

fn load(case: &str) -> HookedTransformer {
    arrakis_tests::load(case, "cpu")
}

fn tokens() -> Tokens {
    Tokens::new(vec![vec![3, 14, 15, 9]]).unwrap()
}

fn metric(logits: Tensor<3>) -> Tensor<1> {
    logits.narrow(1, 3, 1).narrow(2, 5, 1).reshape([1])
}

/// A run that asks for the gradient with respect to the stream entering block 0.
fn run(model: &HookedTransformer, plan: Plan) -> Outcome<Tensor<3>> {
    model.run(tokens(), plan.grad(site::resid_pre(0))).unwrap()
}

/// That gradient.
fn taken(outcome: &Outcome<Tensor<3>>) -> Vec<f32> {
    let gradients = outcome.gradients(metric(outcome.output.clone())).unwrap();
    gradients.activation(site::resid_pre(0)).unwrap().to_vec().unwrap()
}

/// That gradient, under a plan.
fn gradient(model: &HookedTransformer, plan: Plan) -> Vec<f32> {
    taken(&run(model, plan))
}

/// The largest difference; NaN if any difference is NaN.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let larger = |most: f32, next: f32| if next > most || next.is_nan() { next } else { most };
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, larger)
}

/// A stopped gradient is the gradient of the model in which that tensor is a constant.
#[test]
fn a_stopped_pattern_counts_as_frozen() {
    for case in CASES {
        let model = load(case);
        let clean = model.run(tokens(), Plan::new().capture("*.pattern").capture(site::resid_pre(0))).unwrap();
        let stopped = gradient(&model, Plan::new().edit_gradient("*.pattern", GradientEdit::Stop));
        let start = clean.cache.activation(site::resid_pre(0)).unwrap();
        let frozen = |resid: &Activation| {
            let patterns = clean.cache.iter().filter(|(site, _)| site.ends_with("pattern"));
            let plan = patterns.fold(Plan::new(), |plan, (site, value)| plan.edit(site, Intervention::patch(value)));
            let run = model.run(tokens(), plan.edit(site::resid_pre(0), Intervention::patch(resid))).unwrap();
            read(metric(run.output)).unwrap()[0]
        };
        for index in [0, stopped.len() / 2, stopped.len() - 1] {
            let moved = |step: f32| {
                let mut values = start.to_vec().unwrap();
                values[index] += step;
                frozen(&Activation::from_vec(values, start.dims(), start.device()).unwrap())
            };
            let numeric = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            let apart = (numeric - stopped[index]).abs();
            assert!(apart < 2e-2 * (1.0 + numeric.abs()), "{case}[{index}]: {} and {numeric}", stopped[index]);
        }
    }
}

#[test]
fn a_factor_of_zero_stops_and_of_one_changes_nothing() {
    for case in CASES {
        let model = load(case);
        let at = |factor: f32| gradient(&model, Plan::new().edit_gradient("*.mlp_out", GradientEdit::Scale(factor)));
        let (zero, one) = (at(0.0), at(1.0));
        let stopped = gradient(&model, Plan::new().edit_gradient("*.mlp_out", GradientEdit::Stop));
        let plain = gradient(&model, Plan::new());
        let size = plain.iter().map(|x| x.abs()).fold(0.0, f32::max);
        assert!(apart(&zero, &stopped) < 1e-5 * size, "{case}: a factor of zero stops");
        assert!(apart(&one, &plain) < 1e-5 * size, "{case}: a factor of one changes nothing");
        assert!(apart(&zero, &plain) > 1e-3 * size, "{case}: something flows through the MLPs");
    }
}

#[test]
fn the_forward_is_unchanged_and_a_site_that_is_not_met_is_an_error() {
    for case in CASES {
        let model = load(case);
        let leaf = || Plan::new().grad(site::resid_pre(0));
        let clean = read(model.run(tokens(), leaf()).unwrap().output).unwrap();
        for edit in [GradientEdit::Stop, GradientEdit::Scale(0.5)] {
            let sites = "blocks.*.{attn.q,attn.pattern,attn.z,mlp_out,resid_post}";
            let what = format!("{case} {edit:?}");
            assert_eq!(
                read(model.run(tokens(), leaf().edit_gradient(sites, edit)).unwrap().output).unwrap(),
                clean,
                "{what}"
            );
        }
        let error = model.run(tokens(), Plan::new().edit_gradient("blocks.0.atn.z", GradientEdit::Stop)).unwrap_err();
        assert!(error.to_string().starts_with("no site fits `blocks.0.atn.z`; did you mean"), "{error}");
    }
}

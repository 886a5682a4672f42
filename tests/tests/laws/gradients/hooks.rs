//! Edits of gradients by closures and interventions: the same numbers as `PyTorch`, their order, errors and reports.

use std::collections::BTreeMap;

use arrakis::models::device::read;
use arrakis::models::{Edit, Error, GradientEdit, Intervention, Plan, Side, Tokens};
use arrakis::prelude::{Tensor, site};
use arrakis_tests::fixture;

use super::{apart, gradient, load, metric, run, taken, tokens};

fn clamped() -> Edit {
    Edit::new(|gradient: Tensor<3>| gradient.clamp(-0.02, 0.02))
}

fn bent() -> Edit {
    Edit::new(|gradient: Tensor<3>| gradient.abs() * 3.0 + 0.001)
}

#[test]
fn two_closures_at_one_site_apply_in_the_order_of_pytorch() {
    let recorded = std::fs::read_to_string(fixture("gradient_hooks/torch.json")).unwrap();
    let recorded: BTreeMap<String, Vec<f32>> = serde_json::from_str(&recorded).unwrap();
    for (case, expected) in &recorded {
        let model = load(case);
        let hooked = |first, second| {
            gradient(
                &model,
                Plan::new().edit_gradient(site::resid_post(0), first).edit_gradient(site::resid_post(0), second),
            )
        };
        let ours = apart(&hooked(clamped(), bent()), expected);
        assert!(ours < 1e-5, "{case}: {ours}");
        assert!(apart(&hooked(bent(), clamped()), expected) > 1e-2, "{case}: the order makes no difference");
        assert!(apart(&gradient(&model, Plan::new()), expected) > 1e-2, "{case}: the hooks make no difference");
    }
}

/// No gradient flows into a head whose output is constant.
#[test]
fn an_intervention_selects_heads_as_it_does_forward() {
    for case in ["gpt2", "llama", "gpt_neox"] {
        let model = load(case);
        let z =
            model.run(tokens(), Plan::new().capture(site::z(0))).unwrap().cache.activation(site::z(0)).unwrap().clone();
        let frozen = gradient(&model, Plan::new().edit(site::z(0), Intervention::patch(&z).head(1)));
        let stopped = gradient(&model, Plan::new().edit_gradient(site::z(0), Intervention::zero().head(1)));
        assert!(apart(&frozen, &stopped) < 1e-5, "{case}");
        assert!(apart(&gradient(&model, Plan::new()), &stopped) > 1e-3, "{case}: head 1 makes no difference");
    }
}

#[test]
fn a_gradient_asked_for_at_the_site_is_the_one_before_its_edits() {
    let model = load("gpt2");
    let at = |plan: Plan| {
        let outcome = model.run(tokens(), plan.grad(site::resid_post(0)).grad(site::resid_pre(0))).unwrap();
        let gradients = outcome.gradients(metric(outcome.output.clone())).unwrap();
        gradients.activation(site::resid_post(0)).unwrap().to_vec().unwrap()
    };
    assert_eq!(at(Plan::new()), at(Plan::new().edit_gradient(site::resid_post(0), clamped())));
}

#[test]
fn the_forward_is_the_same_to_the_bit_and_the_backward_reports_its_changes() {
    let model = load("llama");
    let plain = run(&model, Plan::new());
    let at = "blocks.*.{attn.q,attn.pattern,attn.z,mlp_out,resid_post}";
    let same = Edit::any("as it was", |gradient, _| Ok(gradient));
    let plan = Plan::new().edit_gradient(at, same).edit_gradient(site::resid_post(1), GradientEdit::Scale(-2.0));
    let hooked = run(&model, plan.edit_gradient(site::pattern(0), GradientEdit::Stop));
    assert_eq!(read(plain.output.clone()).unwrap(), read(hooked.output.clone()).unwrap());
    assert!(hooked.gradient_effects().is_empty(), "before a backward pass");
    taken(&hooked);
    let [same, scaled, stopped] = hooked.gradient_effects()[..] else { panic!("one effect per edit") };
    assert!(same.changed == 0.0 && same.of > 1000.0 && same.changed_nothing(), "{same:?}");
    assert!((scaled.relative() - 3.0).abs() < 1e-5, "from g to -2 g: {scaled:?}");
    assert_eq!(stopped.of, 0.0, "no gradient passes a stopped site");
}

#[test]
fn positions_count_the_tokens_of_a_padded_row() {
    let model = load("llama");
    let rows = [vec![3, 14, 15, 9, 7], vec![3, 14, 15, 9]];
    let last = Intervention::scale(0.0).positions([-1]);
    for (side, slot) in [(Side::Left, 4), (Side::Right, 3)] {
        let tokens = Tokens::padded(&rows, side, 0).unwrap();
        let plan = Plan::new().edit_gradient(site::resid_post(0), last.clone()).grad(site::resid_pre(0));
        let outcome = model.run(&tokens, plan).unwrap();
        let metric = outcome.output.clone().slice([1..2, slot..slot + 1, 5..6]).reshape([1]);
        let batched = outcome.gradients(metric).unwrap().activation(site::resid_pre(0)).unwrap().to_vec().unwrap();
        let alone = gradient(&model, Plan::new().edit_gradient(site::resid_post(0), last.clone()));
        let (row, width) = (batched.len() / 2, alone.len() / 4);
        let start = row + (slot - 3) * width;
        assert!(apart(&batched[start..start + alone.len()], &alone) < 1e-5, "{side:?}");
        assert!(apart(&alone, &gradient(&model, Plan::new())) > 1e-3, "the last position makes no difference");
    }
}

#[test]
fn parameters_get_the_edited_gradient() {
    let model = load("gpt2");
    let of = |plan: Plan| {
        let found = model.parameter_gradients(tokens(), plan, |logits, _| Ok(metric(logits.clone()))).unwrap();
        found["blocks.0.mlp.w_in.weight"].to_vec().unwrap()
    };
    let edited = of(Plan::new().edit_gradient(site::mlp_out(0), Edit::new(|gradient: Tensor<3>| gradient * -0.5)));
    let expected: Vec<f32> = of(Plan::new()).iter().map(|x| x * -0.5).collect();
    assert!(apart(&edited, &expected) < 1e-6);
    assert!(expected.iter().any(|x| x.abs() > 1e-3));
}

#[test]
fn gradients_fail_with_the_error_of_a_closure_that_fails_or_changes_the_shape() {
    let model = load("gpt2");
    let failed = |edit: Edit| {
        let outcome = run(&model, Plan::new().edit_gradient("blocks.*.mlp_out", edit));
        outcome.gradients(metric(outcome.output.clone())).unwrap_err()
    };
    let refused =
        Edit::fallible(|_: Tensor<3>, at| Err(Error::Unsupported { what: at.site.to_owned(), why: "asked to".into() }));
    // The backward pass meets the last block first.
    assert_eq!(failed(refused).to_string(), "blocks.2.mlp_out is not supported: asked to");
    let cut = Edit::new(|gradient: Tensor<3>| gradient.narrow(1, 0, 1));
    let said = failed(cut).to_string();
    assert_eq!(said, "the edit at `blocks.2.mlp_out` returned a tensor of shape [1, 1, 32], the site has [1, 4, 32]");
    let rank = Edit::new(|gradient: Tensor<4>| gradient);
    assert!(matches!(failed(rank), Error::Rank { asked: 4, .. }));
}

#[test]
fn selections_are_checked_before_anything_runs() {
    let plan = Plan::new().edit_gradient(site::z(0), Intervention::zero().head(9)).grad(site::resid_pre(0));
    let said = load("gpt2").run(tokens(), plan).unwrap_err().to_string();
    assert!(said.contains("head 9"), "{said}");
}

#[test]
fn an_edit_that_no_gradient_reaches_is_an_error() {
    let model = load("gpt2");
    let edit = || Plan::new().edit_gradient(site::resid_post(0), clamped());
    let said = |error: Error| {
        assert!(matches!(error, Error::Unreached { .. }), "{error}");
        error.to_string()
    };
    let text = said(model.run(tokens(), edit()).unwrap_err());
    assert!(text.starts_with("no gradient reaches the gradient edit at `blocks.0.resid_post`"), "{text}");
    said(model.run(tokens(), edit().grad(site::resid_post(1))).unwrap_err());
    let stop = Plan::new().edit_gradient("embed", GradientEdit::Stop).grad(site::resid_pre(0));
    said(model.run(tokens(), stop).unwrap_err());
    // The forward pass meets it, but the backward pass stops after it.
    let stopped = run(
        &model,
        Plan::new()
            .edit_gradient(site::z(1), Intervention::scale(2.0))
            .edit_gradient(site::attn_out(1), GradientEdit::Stop),
    );
    said(stopped.gradients(metric(stopped.output.clone())).unwrap_err());
}

#[test]
fn a_second_backward_pass_is_an_error_but_a_refused_one_does_not_count() {
    let outcome = run(&load("gpt2"), Plan::new());
    let none = load("gpt2").run(tokens(), Plan::new()).unwrap();
    let said = none.gradients(metric(none.output.clone())).unwrap_err().to_string();
    assert_eq!(said, "the plan of this run asks for no gradient: name the sites with `Plan::grad` before the run");
    let constant = Tensor::<1>::zeros([1], &outcome.output.device());
    assert!(matches!(outcome.gradients(constant.detach()).unwrap_err(), Error::NoGradient { .. }));
    taken(&outcome);
    let again = outcome.gradients(metric(outcome.output.clone())).unwrap_err().to_string();
    assert!(
        again.starts_with("the gradients of this run were already taken") && again.ends_with("or run again"),
        "{again}"
    );
}

#[test]
fn a_panic_in_a_closure_leaves_no_trace_and_threads_do_not_interfere() {
    let model = load("gpt2");
    let plain = gradient(&model, Plan::new());
    let boom = Edit::new(|_: Tensor<3>| -> Tensor<3> { panic!("in a gradient") });
    let outcome = run(&model, Plan::new().edit_gradient(site::mlp_out(1), boom));
    let metric = metric(outcome.output.clone());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| outcome.gradients(metric))).is_err());
    assert_eq!(gradient(&model, Plan::new()), plain);
    std::thread::scope(|scope| {
        for factor in [0.5_f32, 1.0, -2.0] {
            let (model, plain) = (&model, &plain);
            scope.spawn(move || {
                for _ in 0..5 {
                    let scaled = Edit::new(move |gradient: Tensor<3>| gradient * factor);
                    let found = gradient(model, Plan::new().edit_gradient(site::mlp_out(1), scaled));
                    assert_eq!(found == *plain, factor == 1.0, "{factor}");
                }
            });
        }
    });
}

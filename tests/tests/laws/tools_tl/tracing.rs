//! Identities of causal tracing, trained lenses, probes and knowledge neurons that hold in every family.

use arrakis::models::transformer::NormPlacement;
use arrakis::models::{Tokens, device};
use arrakis::prelude::Tensor;
use arrakis::tools::attribute::knowledge_neurons::KnowledgeNeurons;
use arrakis::tools::intervene::causal_tracing::{CausalTracing, Restored};
use arrakis::tools::lenses::logit_lens::LogitLens;
use arrakis::tools::lenses::tuned_lens::{Training, TunedLens};
use arrakis::tools::observe::k_prober::KProber;
use arrakis::tools::observe::polysemanticity::Polysemanticity;
use arrakis::tools::{Metric, Tool};

use super::families::{PROMPT, each_family};

#[test]
fn restoring_everything_is_the_clean_run_in_every_family() {
    each_family(|name, model| {
        let metric = Metric::prob(63);
        let runs = CausalTracing::new(model).unwrap().corrupt(PROMPT, 1..3).unwrap().seeds(2);
        let (layers, positions) = (0..model.config().n_layers, 0..PROMPT.len());
        for restored in [Restored::Resid, Restored::Attn, Restored::Mlp] {
            let trace = runs.trace(restored, &metric).unwrap();
            let nothing = runs.restoring(restored, layers.clone(), [0_usize; 0], &metric).unwrap()[0];
            assert!((nothing - trace.corrupted()).abs() <= 1e-6, "{name}: {nothing} for {}", trace.corrupted());
            if restored == Restored::Resid {
                let everything = runs.restoring(restored, layers.clone(), positions.clone(), &metric).unwrap()[0];
                assert!((everything - trace.clean()).abs() <= 1e-6, "{name}: {everything} for {}", trace.clean());
            }
        }
    });
}

#[test]
fn a_new_tuned_lens_is_the_logit_lens_and_learns_in_every_family() {
    let bits = |logits: Tensor<3>| device::read(logits).unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>();
    each_family(|name, model| {
        let logit = LogitLens::new(model).unwrap().logits(PROMPT).unwrap();
        let lens = TunedLens::new(model).unwrap();
        for (step, tuned) in lens.logits(PROMPT).unwrap() {
            let same = logit.iter().find(|(other, _)| *other == step).unwrap().1.clone();
            assert!(bits(tuned) == bits(same), "{name} {step}");
        }
        let tokens = Tokens::new(vec![PROMPT.to_vec()]).unwrap();
        let losses = lens.train(&[tokens], &Training::sgd().steps(3).lr(0.1)).unwrap().losses;
        assert!(losses[2].iter().sum::<f64>() < losses[0].iter().sum::<f64>(), "{name}: {losses:?}");
    });
}

#[test]
fn attributions_of_neurons_are_complete_in_every_family() {
    each_family(|name, model| {
        // A norm on the MLP's output is steep where the neurons begin.
        let steps = if model.config().norm_placement == NormPlacement::PostOutput { 400 } else { 50 };
        let found = KnowledgeNeurons::new(model).unwrap().steps(steps).attribute(PROMPT, &Metric::prob(63));
        if model.config().experts.is_some() {
            assert!(found.is_err(), "{name}: an expert's neurons have no one place");
            return;
        }
        let found = found.unwrap();
        for (layer, gap) in found.gap().into_iter().enumerate() {
            assert!(gap <= 1e-3, "{name}: layer {layer} is off by {gap} of {:?}", found.total());
        }
    });
}

#[test]
fn probes_and_polysemanticity_run_in_every_family() {
    each_family(|name, model| {
        let rows: Vec<Vec<u32>> = (0..8).map(|row| PROMPT.iter().map(|id| (id + 7 * row) % 90).collect()).collect();
        let labels: Vec<bool> = (0..8).map(|row| row % 2 == 0).collect();
        let prober = KProber::new(model).unwrap().c(100.0).folds(4).controls(0);
        let examples = prober.examples("blocks.0.resid_post", rows.clone(), -1, &labels).unwrap();
        let found = prober.linear(&examples).unwrap();
        assert!(found.train_accuracy > 0.8, "{name}: few examples of many features can be told apart");
        let classes: Vec<usize> = (0..8).map(|row| row / 2).collect();
        let found = Polysemanticity::new(model).unwrap().classes(0, rows, -1, &classes);
        assert_eq!(found.is_ok(), model.config().experts.is_none(), "{name}");
        let values = found.map_or(Vec::new(), |found| found.values.concat());
        assert!(values.iter().all(|value| *value == 0.0 || (1.0..=4.0 + 1e-9).contains(value)), "{name}: {values:?}");
    });
}

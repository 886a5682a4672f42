//! Searches for inputs and trained constants run on every family, and never end below where they start.

use arrakis::corpus::Unit;
use arrakis::models::{HookedTransformer, Tokens};
use arrakis::prelude::*;

use super::each;

const LENGTH: usize = 3;

#[test]
fn inputs_made_for_a_unit_are_at_least_as_strong_as_their_start() {
    each(|model| found(model).map_err(|error| error.to_string())?);
}

fn found(model: &HookedTransformer) -> Result<Result<(), String>> {
    let viz = FeatureViz::new(model)?;
    let vector: Vec<f32> = (0..model.config().d_model).map(|at| (at % 5) as f32 - 2.0).collect();
    for unit in [Unit::head(0, 1), Unit::direction("blocks.1.resid_post", vector)] {
        let search = EmbeddingSearch { length: LENGTH, steps: 4, starts: 2, ..EmbeddingSearch::default() };
        let input = viz.optimise(&unit, &search)?;
        if input.activation < input.start - 1e-5 * input.start.abs().max(1.0) {
            return Ok(Err(format!("{}: {} from {}", unit.label(), input.activation, input.start)));
        }
        let fluency = if model.config().bidirectional { vec![0.0] } else { vec![0.0, 0.5] };
        let dream = DreamSearch { length: LENGTH, rounds: 3, children: 6, fluency, ..DreamSearch::default() };
        let [none, some] = [0, 3].map(|rounds| viz.dream(&unit, &DreamSearch { rounds, ..dream.clone() }));
        for (before, after) in none?.dreams.iter().zip(&some?.dreams) {
            let score = |own: &arrakis::tools::features::feature_viz::Dreamed| {
                own.activation + own.fluency * own.log_prob.unwrap_or_default()
            };
            if score(after) < score(before) - 1e-5 {
                return Ok(Err(format!("{}: {after:?} from {before:?}", unit.label())));
            }
        }
    }
    Ok(Ok(()))
}

#[test]
fn a_trained_constant_does_no_more_harm_than_the_mean() {
    each(|model| trained(model).map_err(|error| error.to_string())?);
}

fn trained(model: &HookedTransformer) -> Result<Result<(), String>> {
    let tokens = Tokens::new(vec![vec![3, 14, 15, 9], vec![26, 5, 35, 8], vec![2, 7, 18, 28]])?;
    let metric = divergence(model, &tokens)?;
    let ablation = Ablation::new(model)?;
    let optimal = AblationKind::Optimal(OptimalConstant { steps: 8, ..OptimalConstant::default() });
    let mean = AblationKind::DatasetMean(tokens.clone());
    let (trained, mean) = (ablation.layers(&tokens, &metric, optimal)?, ablation.layers(&tokens, &metric, mean)?);
    for (own, mean) in trained.values.cells().zip(mean.values.cells()) {
        if own.value > mean.value + 1e-5 {
            return Ok(Err(format!("{}: {} trained, {} at the mean", own.label, own.value, mean.value)));
        }
    }
    Ok(Ok(()))
}

/// The divergence from the unedited next token, in nats.
fn divergence(model: &HookedTransformer, tokens: &Tokens) -> Result<Metric> {
    let log_probs = |logits: &Tensor<3>| {
        let [_, pos, _] = logits.dims();
        let last = logits.clone().narrow(1, pos - 1, 1);
        let shifted = last.clone() - last.max_dim(2);
        shifted.clone() - shifted.exp().sum_dim(2).log()
    };
    let clean = log_probs(&model.forward(tokens)?);
    Ok(Metric::new("divergence", move |logits, _| {
        let [rows, _, _] = logits.dims();
        Ok((clean.clone().exp() * (clean.clone() - log_probs(logits))).sum_dim(2).reshape([rows]))
    }))
}

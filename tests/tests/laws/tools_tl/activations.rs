//! Every activation, log-probability, loss and gradient.

use arrakis::models::{IntoTokens, Plan, device};
use arrakis::tools::Metric;

use super::case::{Case, compare, singles};

#[test]
fn every_activation_agrees() {
    Case::each(|case| {
        let (_, cache) = case.model.run_with_cache(case.batch(), ["*"]).unwrap();
        for name in case.hooks().iter().filter(|name| !["logits", "unembed.hook_in"].contains(&name.as_str())) {
            let Some((expected, shape)) = case.activation(name) else { continue };
            let found = cache.activation(name).unwrap();
            assert_eq!(found.dims(), shape, "{} {name}: shape", case.name);
            compare(&format!("{} {name}", case.name), &found.to_vec().unwrap(), &expected);
        }
        // The unembedding reads the output of the final norm, which has no name in the vocabulary of sites.
        let norm = case.model.net().ln_final.as_ref().unwrap();
        let read = norm.affine(cache.get::<3>("ln_final.hook_normalized").unwrap());
        if let Some((expected, _)) = case.activation("unembed.hook_in") {
            compare(&format!("{} unembed.hook_in", case.name), &device::read(read).unwrap(), &expected);
        }
    });
}

/// Processing the weights moves logits, but no probability.
#[test]
fn logits_and_log_probabilities_agree() {
    Case::each(|case| {
        let logits = case.model.forward(case.batch()).unwrap();
        let (expected, shape) = case.logits(case.mode);
        assert_eq!(logits.dims().to_vec(), shape, "{}", case.name);
        let logits = device::read(logits).unwrap();
        compare(&format!("{} logits", case.name), &logits, &expected);
        let d_vocab = case.model.config().d_vocab;
        for mode in ["raw", "processed"] {
            let expected = log_softmax(&case.logits(mode).0, d_vocab);
            compare(&format!("{} log-probabilities, {mode}", case.name), &log_softmax(&logits, d_vocab), &expected);
        }
    });
}

/// `logits - log Σ exp(logits)`, row by row.
fn log_softmax(logits: &[f32], d_vocab: usize) -> Vec<f32> {
    let row = |row: &[f32]| {
        let log_sum = row.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
        row.iter().map(|logit| (f64::from(*logit) - log_sum) as f32).collect::<Vec<f32>>()
    };
    logits.chunks(d_vocab).flat_map(row).collect()
}

#[test]
fn losses_agree() {
    Case::each(|case| {
        let tokens = case.batch();
        let logits = case.model.forward(&tokens).unwrap();
        case.equal("loss", &singles(&[Metric::loss().value(&case.model, &logits, &tokens).unwrap()]));
        case.equal_tensor("loss_per_token", case.model.loss_per_token(logits, &tokens).unwrap());
    });
}

#[test]
fn gradients_at_every_site_agree() {
    Case::each(|case| {
        let tokens = case.ids("clean_tokens").into_tokens(&case.model).unwrap();
        let hooks: Vec<String> =
            case.analyses().iter().filter_map(|name| Some(name.strip_prefix("grad.")?.to_owned())).collect();
        assert!(hooks.len() > 6 * case.model.config().n_layers, "{hooks:?}");
        let plan = hooks.iter().fold(Plan::new(), |plan, hook| plan.grad(hook.as_str()));
        let outcome = case.model.run(&tokens, plan).unwrap();
        let metric = case.metric().tensor(&case.model, &outcome.output, &tokens).unwrap();
        let gradients = outcome.gradients(metric).unwrap();
        for hook in &hooks {
            let found = gradients.activation(hook).unwrap();
            let shape = case.expected(&format!("grad.{hook}")).map(|(_, shape)| shape);
            assert!(shape.is_none_or(|shape| shape == found.dims()), "{} {hook}: shape", case.name);
            case.equal(&format!("grad.{hook}"), &found.to_vec().unwrap());
        }
    });
}

//! The tests of metrics.

use super::*;
use crate::tools::testing::{close, fixture};
use arrakis_models::HookedAutoModel;

#[test]
fn by_hand() {
    let model = fixture("gpt2");
    let tokens = Tokens::new(vec![vec![1, 2], vec![3, 4]]).unwrap();
    let logits = Tensor::<3>::from_floats([[[0.0, 1.0], [2.0, 5.0]], [[0.0, 0.0], [1.0, 0.0]]], model.device());
    let value = |metric: Metric| metric.value(&model, &logits, &tokens).unwrap();
    close(value(Metric::logit_diff(1, 0)), f64::midpoint(3.0, -1.0), 1e-6);
    close(value(Metric::logit_diff(1, 0).at(0)), f64::midpoint(1.0, 0.0), 1e-6);
    close(value(Metric::logit_diffs(vec![1, 0], vec![0, 1])), f64::midpoint(3.0, 1.0), 1e-6);
    close(value(Metric::logit(0)), 1.5, 1e-6);
    let log_prob = -(1.0f64 + (-3.0f64).exp()).ln() - (1.0 + 1.0f64.exp()).ln();
    close(value(Metric::log_prob(1)), log_prob / 2.0, 1e-6);
    let probs = [1.0 / (1.0 + (-3.0f64).exp()), 1.0 / (1.0 + 1.0f64.exp())];
    close(value(Metric::prob(1)), probs.iter().sum::<f64>() / 2.0, 1e-6);
    assert_eq!((Metric::prob(1).units(&model), Metric::probs([1, 0]).name()), ("p(1)".into(), "probability".into()));
}

#[test]
fn units_name_tokens_by_their_texts() {
    let (embedded, without_texts) = (HookedAutoModel::embedded().unwrap(), fixture("gpt2"));
    let ids = [" Mary", " John"].map(|text| embedded.to_single_token(text).unwrap());
    let by_id = Metric::logit_diff(ids[0], ids[1]);
    assert_eq!(by_id.units(&embedded), "logit(\" Mary\") - logit(\" John\") (nats)");
    assert_eq!(Metric::logit_diff(" Mary", " John").units(&embedded), by_id.units(&embedded));
    assert_eq!(by_id.name(), format!("logit({}) - logit({})", ids[0], ids[1]));
    assert_eq!(Metric::log_prob(3).units(&without_texts), "log p(3) (nats)");
    assert_eq!(Metric::logit_diffs([1, 2], [3, 4]).units(&without_texts), "logit difference (nats)");
    let kinds =
        [Metric::prob(3), by_id, Metric::log_prob(" Mary"), Metric::logit(1), Metric::loss()].map(|own| own.kind());
    assert_eq!(
        kinds,
        ["probability", "logit difference (nats)", "log-probability (nats)", "logit (nats)", "loss (nats)"]
    );
    assert_eq!(Metric::new("mean", |logits, _| Ok(logits.clone().mean())).units(&embedded), "mean");
}

#[test]
fn a_padded_prompt_reads_as_it_does_alone() {
    let model = fixture("gpt2");
    let rows = [vec![5, 6, 7, 8], vec![9, 10]];
    for metric in [Metric::logit_diff(3, 4), Metric::logit_diff(3, 4).at(1), Metric::loss()] {
        let alone: Vec<f64> = rows.iter().flat_map(|row| metric.values(&model, row.as_slice()).unwrap()).collect();
        for side in [arrakis_models::Side::Left, arrakis_models::Side::Right] {
            let together = metric.values(&model, Tokens::padded(&rows, side, 0).unwrap()).unwrap();
            for (together, alone) in together.iter().zip(&alone) {
                close(*together, *alone, 1e-5);
            }
        }
    }
    let short = Tokens::padded(&rows, arrakis_models::Side::Left, 0).unwrap();
    let error = Metric::logit(1).at(2).values(&model, short).unwrap_err().to_string();
    assert_eq!(error, "position 2 is out of range: there are 2, numbered from 0");
}

#[test]
fn the_loss_is_the_models() {
    let model = fixture("gpt2");
    let tokens = Tokens::padded(&[vec![5, 6, 7, 8], vec![9, 10]], arrakis_models::Side::Left, 0).unwrap();
    let logits = model.forward(&tokens).unwrap();
    let by_row = arrakis_models::device::read(Metric::loss().per_row(&model, &logits, &tokens).unwrap()).unwrap();
    close(Metric::loss().value(&model, &logits, &tokens).unwrap(), f64::from(3.0 * by_row[0] + by_row[1]) / 4.0, 1e-5);
}

#[test]
fn mistakes_are_named() {
    let model = fixture("gpt2");
    let tokens = Tokens::new(vec![vec![1, 2]]).unwrap();
    let logits = model.forward(&tokens).unwrap();
    let message = |metric: Metric| metric.value(&model, &logits, &tokens).unwrap_err().to_string();
    assert_eq!(message(Metric::logit(120)), "token 120 is out of range: there are 120, numbered from 0");
    assert_eq!(message(Metric::logit(1).at(2)), "position 2 is out of range: there are 2, numbered from 0");
    assert_eq!(
        message(Metric::log_probs(vec![1, 2, 3])),
        "`Metric`: got 3 tokens for 1 rows; give one for all rows or one for each"
    );
}

#[test]
fn a_text_is_the_token_of_the_model_it_is_used_on() {
    let model = HookedAutoModel::embedded().unwrap();
    let prompt = "When Mary and John went to the store, John gave a drink to";
    let (mary, john) = (model.to_single_token(" Mary").unwrap(), model.to_single_token(" John").unwrap());
    let values = |metric: Metric| metric.values(&model, prompt).unwrap();
    assert_eq!(values(Metric::logit_diff(" Mary", " John")), values(Metric::logit_diff(mary, john)));
    assert_eq!(values(Metric::logit(" Mary").at(-1)), values(Metric::logit(mary)));
    let error = Metric::logit(" Mary and").values(&model, prompt).unwrap_err().to_string();
    assert!(error.starts_with("` Mary and` is 2 tokens ("), "{error}");
}

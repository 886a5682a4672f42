//! The next token of one row, from its logits.

use std::collections::BTreeMap;

use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand_chacha::ChaCha8Rng;

use super::Generation;
use crate::error::{Error, Result};

impl Generation {
    /// Checks that every setting is valid for a vocabulary.
    pub(super) fn check(&self, d_vocab: usize) -> Result<()> {
        let refused =
            |setting: &'static str, value: String, fix: &str| Err(Error::Setting { setting, value, fix: fix.into() });
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            let fix = "give 0 for the likeliest token, or a number above 0 to draw one";
            return refused("temperature", self.temperature.to_string(), fix);
        }
        if self.top_k == Some(0) {
            return refused("top_k", "0".into(), "give at least 1, or `None` for all tokens");
        }
        if let Some(top_p) = self.top_p.filter(|top_p| !(*top_p > 0.0 && *top_p <= 1.0)) {
            return refused(
                "top_p",
                top_p.to_string(),
                "give a probability above 0 and at most 1, or `None` for all tokens",
            );
        }
        if !self.frequency_penalty.is_finite() {
            return refused("frequency_penalty", self.frequency_penalty.to_string(), "give a number, 0 for none");
        }
        if !(self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0) {
            let fix = "give a number above 0: 1 turns the penalty off, more than 1 makes repetition less likely";
            return refused("repetition_penalty", self.repetition_penalty.to_string(), fix);
        }
        let unknown = self.stop_tokens.iter().find(|id| **id as usize >= d_vocab);
        unknown.map_or(Ok(()), |id| Err(Error::out_of_range("stop token", *id, d_vocab)))
    }
}

/// The likeliest token at temperature 0 (for a tie the lowest id), a drawn token above 0.
pub(super) fn choose(logits: &[f32], earlier: &[u32], how: &Generation, draws: &mut ChaCha8Rng) -> Result<u32> {
    let logits = penalised(logits, earlier, how);
    if how.temperature == 0.0 {
        return Ok(best(&logits)? as u32);
    }
    let (order, weights) = weighted(&logits, how)?;
    let drawn = WeightedIndex::new(&weights).map_err(|error| Error::NoLogits { problem: error.to_string() })?;
    Ok(order[drawn.sample(draws)] as u32)
}

/// The tokens to draw from, likeliest first, with their probabilities up to a common factor.
fn weighted(logits: &[f32], how: &Generation) -> Result<(Vec<usize>, Vec<f64>)> {
    let best = best(logits)?;
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    order.truncate(how.top_k.unwrap_or(order.len()).min(order.len()));
    let mut weights: Vec<f64> = order.iter().map(|id| f64::from(logits[*id] - logits[best]).exp()).collect();
    if let Some(top_p) = how.top_p {
        weights.truncate(nucleus(&weights, f64::from(top_p)));
    }
    Ok((order, weights))
}

/// The index of the greatest logit, the first of several.
fn best(logits: &[f32]) -> Result<usize> {
    if let Some(id) = logits.iter().position(|logit| logit.is_nan() || *logit == f32::INFINITY) {
        return Err(Error::NoLogits { problem: format!("that of token {id} is {}", logits[id]) });
    }
    let greater = |best: Option<usize>, (id, logit): (usize, &f32)| match best {
        Some(best) if logits[best] >= *logit => Some(best),
        _ => Some(id),
    };
    let best = logits.iter().enumerate().fold(None, greater).filter(|best| logits[*best].is_finite());
    best.ok_or_else(|| Error::NoLogits { problem: "that of every token is -inf".into() })
}

/// The number of sorted weights needed to reach `top_p` of their sum, including the one that crosses it.
fn nucleus(weights: &[f64], top_p: f64) -> usize {
    let total: f64 = weights.iter().sum();
    let mut sum = 0.0;
    let crossing = weights.iter().position(|weight| {
        sum += weight / total;
        sum >= top_p
    });
    crossing.map_or(weights.len(), |index| index + 1)
}

/// Logits divided by the temperature, with the penalties for tokens that have occurred.
fn penalised(logits: &[f32], earlier: &[u32], how: &Generation) -> Vec<f32> {
    let mut counts = BTreeMap::new();
    for id in earlier {
        *counts.entry(*id as usize).or_insert(0u32) += 1;
    }
    let mut logits = logits.to_vec();
    for id in counts.keys() {
        let logit = &mut logits[*id];
        *logit = if *logit > 0.0 { *logit / how.repetition_penalty } else { *logit * how.repetition_penalty };
    }
    if how.temperature > 0.0 {
        for logit in &mut logits {
            *logit /= how.temperature;
        }
    }
    for (id, count) in counts {
        logits[id] -= count as f32 * how.frequency_penalty;
    }
    logits
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const LOGITS: [f32; 6] = [2.0, -1.0, 0.5, 3.0, -0.25, 1.5];
    const EARLIER: [u32; 4] = [3, 1, 3, 0];

    fn probabilities(how: &Generation) -> Vec<f64> {
        let (order, weights) = weighted(&penalised(&LOGITS, &EARLIER, how), how).unwrap();
        let mut found = vec![0.0; LOGITS.len()];
        let sum: f64 = weights.iter().sum();
        order.iter().zip(weights).for_each(|(id, weight)| found[*id] = weight / sum);
        found
    }

    /// transformers 4.57.6 (`RepetitionPenaltyLogitsProcessor`, `Temperature`, `TopK`, `TopPLogitsWarper`) and
    /// TransformerLens 3.2.1 (`sample_logits`) on these logits and earlier tokens, to six places.
    #[test]
    fn probabilities_match_hugging_face_and_transformer_lens() {
        let how = |temperature, top_k, top_p, frequency_penalty, repetition_penalty| Generation {
            temperature,
            top_k,
            top_p,
            frequency_penalty,
            repetition_penalty,
            ..Generation::default()
        };
        let cases = [
            ("Hugging Face", how(0.7, Some(4), Some(0.8), 0.0, 1.5), [0.205_732, 0.0, 0.0, 0.53323, 0.0, 0.261_038]),
            (
                "TransformerLens",
                how(0.7, None, None, 0.4, 1.5),
                [0.190_233, 0.003_322, 0.086_295, 0.330_507, 0.029_558, 0.360_086],
            ),
            (
                "TransformerLens, top k",
                how(0.7, Some(3), None, 0.4, 1.0),
                [0.220_878, 0.0, 0.0, 0.617_812, 0.0, 0.16131],
            ),
            (
                "TransformerLens, top p",
                how(1.3, None, Some(0.6), 0.4, 1.0),
                [0.28884, 0.0, 0.0, 0.417_842, 0.0, 0.293_318],
            ),
        ];
        for (whose, how, expected) in cases {
            for (ours, theirs) in probabilities(&how).iter().zip(expected) {
                assert!((ours - theirs).abs() < 2e-6, "{whose}: {ours}, not {theirs}");
            }
        }
        let greedy = penalised(&LOGITS, &EARLIER, &how(0.0, None, None, 0.0, 1.5));
        for (ours, theirs) in greedy.iter().zip([1.333_333, -1.5, 0.5, 2.0, -0.25, 1.5]) {
            assert!((ours - theirs).abs() < 2e-6, "Hugging Face, greedy: {ours}, not {theirs}");
        }
    }

    #[test]
    fn the_token_that_crosses_top_p_is_kept() {
        assert_eq!(nucleus(&[0.5, 0.3, 0.2], 0.6), 2);
        assert_eq!(nucleus(&[0.5, 0.3, 0.2], 0.5), 1);
        assert_eq!(nucleus(&[0.5, 0.3, 0.2], 1.0), 3);
    }

    #[test]
    fn logits_that_are_not_numbers_are_refused() {
        let mut draws = ChaCha8Rng::seed_from_u64(0);
        for temperature in [0.0, 1.0] {
            let how = Generation::default().temperature(temperature);
            let mut said = |logits: [f32; 3]| choose(&logits, &[], &how, &mut draws).unwrap_err().to_string();
            assert!(said([1.0, f32::NAN, 2.0]).contains("that of token 1 is NaN"));
            assert!(said([1.0, f32::INFINITY, 2.0]).contains("that of token 1 is inf"));
            assert!(said([f32::NEG_INFINITY; 3]).contains("that of every token is -inf"));
        }
        let masked = [f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY];
        assert_eq!(choose(&masked, &[], &Generation::default(), &mut draws).unwrap(), 1);
        let ties = [0.0, 3.0, 3.0];
        assert_eq!(choose(&ties, &[], &Generation::default(), &mut draws).unwrap(), 1, "the first of several");
    }

    #[test]
    fn settings_that_are_not_valid_say_how_to_fix_them() {
        let plain = Generation::default;
        let cases = [
            (plain().temperature(-1.0), "`temperature` is -1: give 0"),
            (plain().temperature(f32::NAN), "`temperature` is NaN: give 0"),
            (plain().top_k(0), "`top_k` is 0: give at least 1"),
            (plain().top_p(0.0), "`top_p` is 0: give a probability"),
            (plain().top_p(1.5), "`top_p` is 1.5: give a probability"),
            (plain().repetition_penalty(0.0), "`repetition_penalty` is 0: give a number above 0"),
            (plain().frequency_penalty(f32::NAN), "`frequency_penalty` is NaN: give a number"),
            (plain().stop_at([1, 6]), "stop token 6 is out of range: there are 6"),
        ];
        for (how, expected) in cases {
            let said = how.check(6).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}");
        }
        assert!(plain().top_p(1.0).top_k(99).check(6).is_ok());
    }
}

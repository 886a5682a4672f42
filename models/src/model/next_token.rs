//! What a model predicts next: logits at the last position, and the likeliest tokens.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::prompt::IntoTokens;
use super::{HookedTransformer, RunOptions};
use crate::ground::error::{Error, Result};
use crate::ground::read::TensorRead;
use crate::hooks::Plan;

/// One candidate for the next token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopToken {
    /// Its text, or its id if the model has no tokenizer.
    pub text: String,
    /// Its id.
    pub id: u32,
    /// Its logit, in nats.
    pub logit: f32,
    /// Its probability, from 0 to 1: the softmax over the whole vocabulary.
    pub prob: f32,
}

/// The likeliest next tokens, likeliest first. For equal logits the lower id comes first. Prints as a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopTokens(Vec<TopToken>);

impl Deref for TopTokens {
    type Target = [TopToken];

    fn deref(&self) -> &[TopToken] {
        &self.0
    }
}

impl fmt::Display for TopTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rank, TopToken { text, logit, prob, .. }) in self.iter().enumerate() {
            writeln!(f, "{rank:>3}  {:>6.2} %  {logit:>8.3}  {text:?}", prob * 100.0)?;
        }
        Ok(())
    }
}

impl HookedTransformer {
    /// Logits of the token after a prompt, `[d_vocab]`, in nats, taken at the prompt's last token.
    ///
    /// # Errors
    ///
    /// [`Error::OnePrompt`] for a batch, and those of [`HookedTransformer::forward`].
    pub fn last_logits(&self, prompt: impl IntoTokens) -> Result<Vec<f32>> {
        let tokens = prompt.into_tokens(self)?;
        if tokens.batch() != 1 {
            return Err(Error::OnePrompt { batch: tokens.batch() });
        }
        // Padding on the right comes after the last token and needs no logits.
        let slot = tokens.last_positions()[0];
        let options = if slot + 1 == tokens.pos() { RunOptions::new().last_only() } else { RunOptions::new() };
        let logits = self.run_from(tokens, Plan::new(), None, &options)?.output;
        let [_, pos, _] = logits.dims();
        logits.narrow(1, slot.min(pos - 1), 1).read()
    }

    /// The logit of one token after a prompt, in nats: `model.logit(prompt, " Mary")?`.
    ///
    /// # Errors
    ///
    /// [`Error::NotOneToken`] for a text that is not one token, and those of [`HookedTransformer::last_logits`].
    pub fn logit(&self, prompt: impl IntoTokens, token: &str) -> Result<f32> {
        let id = self.to_single_token(token)?;
        Ok(self.last_logits(prompt)?[id as usize])
    }

    /// The `k` likeliest tokens after a prompt, with their logits and probabilities; TransformerLens's `test_prompt`.
    ///
    /// ```
    /// # use arrakis_models::{HookedAutoModel, Result};
    /// # fn main() -> Result<()> {
    /// let model = HookedAutoModel::embedded()?;
    /// let top = model.top_tokens("When Mary and John went to the store, John gave a drink to", 3)?;
    /// assert_eq!(top[0].text, " Mary");
    /// println!("{top}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`HookedTransformer::top_of`] and [`HookedTransformer::last_logits`].
    pub fn top_tokens(&self, prompt: impl IntoTokens, k: usize) -> Result<TopTokens> {
        self.top_of(&self.last_logits(prompt)?, k)
    }

    /// The `k` likeliest tokens of logits `[d_vocab]`, such as those of a run under edits.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] if there are not `d_vocab` logits, [`Error::Setting`] for a `k` of 0 or above `d_vocab`,
    /// [`Error::NoLogits`] for logits that are NaN or infinite. Some tokens, but not all, may have -inf.
    pub fn top_of(&self, logits: &[f32], k: usize) -> Result<TopTokens> {
        let d_vocab = self.config().d_vocab;
        if logits.len() != d_vocab {
            return Err(Error::Count { what: "logits".into(), expected: d_vocab, actual: logits.len() });
        }
        if k == 0 || k > d_vocab {
            let fix = format!("give a number from 1 to {d_vocab}, the size of the vocabulary");
            return Err(Error::Setting { setting: "k", value: k.to_string(), fix });
        }
        let ranked = ranked(logits)?;
        let top = f64::from(logits[ranked[0]]);
        let total: f64 = logits.iter().map(|logit| (f64::from(*logit) - top).exp()).sum();
        let token = |id: &usize| TopToken {
            text: self.to_single_str_token(*id as u32).unwrap_or_else(|_| id.to_string()),
            id: *id as u32,
            logit: logits[*id],
            prob: ((f64::from(logits[*id]) - top).exp() / total) as f32,
        };
        Ok(TopTokens(ranked.iter().take(k).map(token).collect()))
    }
}

/// All ids, the greatest logit first.
fn ranked(logits: &[f32]) -> Result<Vec<usize>> {
    if let Some(id) = logits.iter().position(|logit| logit.is_nan() || *logit == f32::INFINITY) {
        return Err(Error::NoLogits { problem: format!("that of token {id} is {}", logits[id]) });
    }
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    if logits[order[0]] == f32::NEG_INFINITY {
        return Err(Error::NoLogits { problem: "that of every token is -inf".into() });
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HookedAutoModel;
    use crate::tokens::{Side, Tokens};
    use crate::transformer::TransformerConfig;

    fn model() -> HookedTransformer {
        HookedAutoModel::lively(&TransformerConfig::plain("test", 2, 12, 3, 5, 8), 1).unwrap()
    }

    #[test]
    fn probabilities_are_a_softmax_that_large_logits_do_not_overflow() {
        let logits = [1000.0, 1000.0 + 2f32.ln(), f32::NEG_INFINITY, 1000.0, 900.0];
        let top = model().top_of(&logits, 4).unwrap();
        assert_eq!(top.iter().map(|token| token.id).collect::<Vec<_>>(), [1, 0, 3, 4], "ties go to the lower id");
        for (token, prob) in top.iter().zip([0.5, 0.25, 0.25, 0.0]) {
            assert!((token.prob - prob).abs() < 1e-4, "{token:?}");
        }
        assert!(top.to_string().starts_with("  0   50.00 %  1000.693  \"1\"\n"), "{top}");
    }

    #[test]
    fn the_logit_of_a_text_is_that_of_its_token() {
        let model = HookedAutoModel::embedded().unwrap();
        let prompt = "When Mary and John went to the store, John gave a drink to";
        let mary = model.to_single_token(" Mary").unwrap();
        assert_eq!(model.logit(prompt, " Mary").unwrap(), model.last_logits(prompt).unwrap()[mary as usize]);
        assert!(model.logit(prompt, " Mary").unwrap() > model.logit(prompt, " John").unwrap());
        let error = model.logit(prompt, " Mary John").unwrap_err().to_string();
        assert!(error.starts_with("` Mary John` is 2 tokens"), "{error}");
    }

    #[test]
    fn invalid_logits_and_counts_are_refused() {
        let model = model();
        let said = |logits: &[f32], k| model.top_of(logits, k).unwrap_err().to_string();
        assert_eq!(said(&[0.0; 5], 0), "`k` is 0: give a number from 1 to 5, the size of the vocabulary");
        assert_eq!(said(&[0.0; 5], 6), "`k` is 6: give a number from 1 to 5, the size of the vocabulary");
        assert_eq!(said(&[0.0; 4], 1), "expected 5 logits, got 4");
        assert!(said(&[0.0, 1.0, f32::NAN, 0.0, 0.0], 1).contains("that of token 2 is NaN"));
        assert!(said(&[f32::NEG_INFINITY; 5], 1).contains("that of every token is -inf"));
    }

    #[test]
    fn last_logits_are_those_of_the_last_token_wherever_padding_is() {
        let model = model();
        let whole = model.forward([1, 2, 3]).unwrap().read().unwrap();
        let close = |found: Vec<f32>| {
            assert_eq!(found.len(), 5);
            found.iter().zip(&whole[10..]).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} is not {b}"));
        };
        close(model.last_logits([1, 2, 3]).unwrap());
        for side in [Side::Left, Side::Right] {
            let both = Tokens::padded(&[vec![1, 2, 3], vec![1, 2, 3, 4, 4]], side, 0).unwrap();
            close(model.last_logits(both.rows(0..1)).unwrap());
        }
        let error = model.last_logits(vec![vec![1, 2], vec![3, 4]]).unwrap_err().to_string();
        assert_eq!(error, "this takes one prompt, got 2: call it for each, or read the last position of `forward`");
    }
}

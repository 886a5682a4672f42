//! Prompts as tokens, and what a model answers.

use arrakis::models::tokenizer::Bos;
use arrakis::models::{HookedTransformer, RunOptions, Side, Tokens};
use arrakis::prelude::*;

/// Rows of a forward.
const ROWS: usize = 16;

/// Texts after `<|endoftext|>`, as TransformerLens runs them.
pub(crate) fn with_bos<S: AsRef<str>>(model: &HookedTransformer, texts: &[S]) -> Result<Tokens> {
    rows(model, texts, Bos::Prepend)
}

/// Texts alone, as the papers run them.
pub(crate) fn without_bos<S: AsRef<str>>(model: &HookedTransformer, texts: &[S]) -> Result<Tokens> {
    rows(model, texts, Bos::Omit)
}

fn rows<S: AsRef<str>>(model: &HookedTransformer, texts: &[S], bos: Bos) -> Result<Tokens> {
    let row = |text: &S| Ok(model.to_tokens_with(text.as_ref(), bos)?);
    Ok(Tokens::padded(&texts.iter().map(row).collect::<Result<Vec<_>>>()?, Side::Left, 0)?)
}

/// What a model says of the next token.
pub(crate) struct Answer<'a>(&'a [f32]);

impl Answer<'_> {
    /// The logit of a token, in nats.
    pub(crate) fn logit(&self, id: u32) -> f64 {
        f64::from(self.0[id as usize])
    }

    /// The probabilities of some tokens.
    pub(crate) fn probabilities(&self, ids: &[u32]) -> Vec<f64> {
        let most = self.0.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f64 = self.0.iter().map(|logit| f64::from(logit - most).exp()).sum();
        ids.iter().map(|id| f64::from(self.0[*id as usize] - most).exp() / total).collect()
    }
}

/// Reads the answer to each prompt, a few prompts at a time.
pub(crate) fn answers<T>(
    model: &HookedTransformer,
    prompts: &Tokens,
    read: impl Fn(usize, &Answer<'_>) -> T,
) -> Result<Vec<T>> {
    let (options, mut found) = (RunOptions::new().last_only(), Vec::new());
    for start in (0..prompts.batch()).step_by(ROWS) {
        let rows = start..(start + ROWS).min(prompts.batch());
        let part = rows.map(|row| Ok(prompts.row(row)?.ids()[0].clone())).collect::<Result<Vec<_>>>()?;
        let part = Tokens::padded(&part, Side::Left, 0)?;
        let logits = model.run_from(&part, Plan::new(), None, &options)?.output.read()?;
        for row in logits.chunks(model.config().d_vocab) {
            found.push(read(found.len(), &Answer(row)));
        }
    }
    Ok(found)
}

//! One piece of training text: its tokens and the weight of each prediction.

use super::{N_CTX, vocab};

/// Weight of a token that the text before it determines.
pub const PREDICTABLE: f32 = 1.0;
/// Weight of ordinary words, which are learned as in any language model.
pub const TEXT: f32 = 0.2;
/// Weight of random tokens: enough to keep their probabilities calibrated.
pub const NOISE: f32 = 0.02;

/// A text of at most `N_CTX + 1` tokens, so that every position of a row has a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Token ids, `<|endoftext|>` first.
    pub tokens: Vec<u32>,
    /// `weights[i]` is the weight of predicting `tokens[i]` from those before it.
    pub weights: Vec<f32>,
}

impl Document {
    /// Starts a document with `<|endoftext|>`, which is not a target.
    pub fn open() -> Self {
        Self { tokens: vec![vocab::END_OF_TEXT_ID], weights: vec![0.0] }
    }

    /// Adds one token.
    pub fn push(&mut self, token: u32, weight: f32) {
        self.tokens.push(token);
        self.weights.push(weight);
    }

    /// Adds tokens that have the same weight.
    pub fn extend(&mut self, tokens: impl IntoIterator<Item = u32>, weight: f32) {
        tokens.into_iter().for_each(|token| self.push(token, weight));
    }

    /// Ends the text with one `<|endoftext|>` that is a target, then pads or cuts it to `N_CTX + 1` tokens.
    #[must_use]
    pub fn close(mut self) -> Self {
        self.push(vocab::END_OF_TEXT_ID, TEXT);
        self.tokens.resize(N_CTX + 1, vocab::END_OF_TEXT_ID);
        self.weights.resize(N_CTX + 1, 0.0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_pads_with_weightless_end_of_text() {
        let mut document = Document::open();
        document.extend([7, 8], PREDICTABLE);
        let document = document.close();
        assert_eq!(document.tokens.len(), 65);
        assert_eq!(document.tokens[..5], [0, 7, 8, 0, 0]);
        assert_eq!(document.weights[..5], [0.0, 1.0, 1.0, 0.2, 0.0]);
    }

    #[test]
    fn closing_cuts_a_text_that_is_too_long() {
        let mut document = Document::open();
        document.extend(2..200, NOISE);
        assert_eq!(document.close().tokens.last(), Some(&65));
    }
}

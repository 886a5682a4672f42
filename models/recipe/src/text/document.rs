//! One piece of training text: its tokens and how much each prediction counts.

use super::{N_CTX, vocab};

/// Weight of a token that the text before it decides.
pub const PREDICTABLE: f32 = 1.0;
/// Weight of ordinary words, which are learnt as a language model learns them.
pub const TEXT: f32 = 0.2;
/// Weight of tokens drawn at random: enough to keep their probabilities honest.
pub const NOISE: f32 = 0.02;

/// A text of `N_CTX + 1` tokens at most, so that every position of a row has a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Token ids, `<|endoftext|>` first.
    pub tokens: Vec<u32>,
    /// `weights[i]` is the weight of predicting `tokens[i]` from those before it.
    pub weights: Vec<f32>,
}

impl Document {
    /// Opens a document: `<|endoftext|>`, which nothing predicts.
    pub fn open() -> Self {
        Self { tokens: vec![vocab::END_OF_TEXT_ID], weights: vec![0.0] }
    }

    /// Adds one token.
    pub fn push(&mut self, token: u32, weight: f32) {
        self.tokens.push(token);
        self.weights.push(weight);
    }

    /// Adds tokens of one weight.
    pub fn extend(&mut self, tokens: impl IntoIterator<Item = u32>, weight: f32) {
        tokens.into_iter().for_each(|token| self.push(token, weight));
    }

    /// Ends the text with one `<|endoftext|>` to be predicted, then fills or cuts it to `N_CTX + 1` tokens.
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
    fn closing_fills_with_weightless_end_of_text() {
        let mut document = Document::open();
        document.extend([7, 8], PREDICTABLE);
        let document = document.close();
        assert_eq!(document.tokens.len(), 65);
        assert_eq!(document.tokens[..5], [0, 7, 8, 0, 0]);
        assert_eq!(document.weights[..5], [0.0, 1.0, 1.0, 0.2, 0.0]);
    }

    #[test]
    fn closing_cuts_what_is_too_long() {
        let mut document = Document::open();
        document.extend(2..200, NOISE);
        assert_eq!(document.close().tokens.last(), Some(&65));
    }
}

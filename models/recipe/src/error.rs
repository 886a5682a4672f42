//! The error of training and examining the embedded model.

/// The result of everything that can fail in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a model could not be trained or examined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model, its run or its files.
    #[error(transparent)]
    Models(#[from] arrakis::models::Error),
    /// A tool that examines the model.
    #[error(transparent)]
    Tool(#[from] arrakis::Error),
    /// The loss is NaN or infinite.
    #[error(
        "the loss of step {step} is not a number at a peak rate of {peak_lr}: train with a lower rate or a longer warm-up"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The peak learning rate in the settings.
        peak_lr: f64,
    },
    /// Targets or weights whose shape is not that of their tokens.
    #[error("{what}: expected {expected}, got {actual}")]
    Batch {
        /// The list, and its row if it is one row.
        what: String,
        /// How many entries were needed.
        expected: usize,
        /// How many entries were given.
        actual: usize,
    },
    /// A token or target that the model does not know.
    #[error("token {token} is not in the vocabulary of {d_vocab}: train on tokens below that")]
    Token {
        /// The token.
        token: u32,
        /// The number of tokens that the model knows, numbered from 0.
        d_vocab: usize,
    },
    /// A model with a different vocabulary was examined.
    #[error(
        "the exam needs batch * pos * d_vocab = {expected} logits, got {actual}: examine a model of the embedded model's vocabulary"
    )]
    Vocabulary {
        /// The product of `[batch, pos, d_vocab]`.
        expected: usize,
        /// The number of logits from the model.
        actual: usize,
    },
}

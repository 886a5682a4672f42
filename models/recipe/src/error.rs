//! Everything that can go wrong when the embedded model is trained or examined.

/// The result of anything that can fail here.
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
    /// The loss is not a number.
    #[error(
        "the loss of step {step} is not a number at a peak rate of {peak_lr}: train with a lower rate or a longer warm-up"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The rate in the settings.
        peak_lr: f64,
    },
    /// Targets or weights that do not have the shape of their tokens.
    #[error("{what}: expected {expected}, got {actual}")]
    Batch {
        /// Which list, in which row.
        what: String,
        /// How many were needed.
        expected: usize,
        /// How many were given.
        actual: usize,
    },
    /// A token or target that the model does not know.
    #[error("token {token} is not in the vocabulary of {d_vocab}: train on tokens below that")]
    Token {
        /// The token.
        token: u32,
        /// Tokens the model knows, numbered from 0.
        d_vocab: usize,
    },
    /// A model of another vocabulary was examined.
    #[error(
        "the exam needs batch * pos * d_vocab = {expected} logits, got {actual}: examine a model of the embedded model's vocabulary"
    )]
    Vocabulary {
        /// Numbers in `[batch, pos, d_vocab]`.
        expected: usize,
        /// Numbers the model gave.
        actual: usize,
    },
}

//! The training text of the embedded model: a recipe of three tasks that make known circuits form.
//!
//! - Induction: Olsson et al., "In-context Learning and Induction Heads" (2022).
//! - Name movers: Wang et al., "Interpretability in the Wild" (2022).
//! - Greater-than: Hanna et al., "How does GPT-2 compute greater-than?" (2023).
//!
//! All text is drawn from a seed. Names, templates and years are held out, so that accuracy can be measured on text
//! that the model has not seen.

pub mod document;
pub mod greater_than;
pub mod induction;
pub mod mixture;
pub mod name_mover;
pub mod plain;
pub mod repeated_names;
pub mod repeats;
pub mod shuffled_names;
pub mod templates;
pub mod unseen_names;
pub mod vocab;
pub mod words;

/// Positions in one row of training text, and in the model's context.
pub const N_CTX: usize = 64;

/// The side of the train / held-out split that names, templates or years come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Used in training.
    Train,
    /// Not used in training for that task.
    HeldOut,
}

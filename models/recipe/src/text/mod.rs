//! The text the embedded model is trained on: a recipe whose three tasks make known circuits form.
//!
//! Induction (Olsson et al., "In-context Learning and Induction Heads", 2022), name movers (Wang et al., "Interpretability in
//! the Wild", 2022) and greater-than (Hanna et al., "How does GPT-2 compute greater-than?", 2023). All text is drawn from a
//! seed; names, templates and years are held out, so that accuracy can be measured on text the model never saw.

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

/// Which side of the train / held-out line names, templates or years come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Seen in training.
    Train,
    /// Never seen in training for that task.
    HeldOut,
}

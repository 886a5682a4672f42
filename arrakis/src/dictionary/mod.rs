//! Dictionaries of a model's activations: what they are trained on.
//!
//! - [`Activations`]: shuffled activations of any site over a corpus, in bounded memory.

mod activations;

pub use activations::{ActivationStream, Activations, FeedPlace, StreamPlace};

//! Dictionaries of a model's activations: what they are trained on, how they are trained, and how they are judged.
//!
//! - [`Activations`]: shuffled activations of any site over a corpus, in bounded memory. [`SideBySide`]: those of several sites or
//!   models, for crosscoders.
//! - [`metrics`]: how much a dictionary keeps, how sparse it is, which latents are dead, what it costs the model.
//! - [`train`]: several dictionaries on one stream, with checkpoints and several seeds.
//! - [`judge()`]: all metrics of several dictionaries in one pass, and [`baselines`] that they must beat.
//! - [`Planted`]: activations of known features, which a dictionary should find.

mod activations;
pub mod baselines;
mod judge;
pub mod metrics;
mod planted;
pub mod train;

pub use activations::{ActivationStream, Activations, FeedPlace, SideBySide, StreamPlace};
pub use judge::{Coder, Judge, Judgement, judge};
pub use planted::Planted;

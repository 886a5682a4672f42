//! Training of dictionaries: several on one stream of activations, stopped and resumed to the same bits.

mod checkpoint;
mod learner;
mod optimizer;
mod progress;
mod resample;
mod seeds;
mod settings;
mod source;
mod trainer;

pub use learner::{Learner, Trained};
pub use progress::Progress;
pub use seeds::{Seeds, Spread};
pub use settings::{DecoderRule, Resampling, Training};
pub use source::{PlantedStream, Source};
pub use trainer::Trainer;

#[cfg(test)]
mod tests;

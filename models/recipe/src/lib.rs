//! How the embedded model of `arrakis-models` is made: its text, its training, its exam.
//!
//! Stands above `arrakis`, so that the exam asks the same tools a researcher asks. `models/weights/` holds what
//! the binary `train-embedded` writes: weights, tokenizer and measured facts.

pub mod error;
pub mod exam;
pub mod facts;
pub mod recipe;
pub mod text;
pub mod train;

pub use error::{Error, Result};

//! How the embedded model of `arrakis-models` is made: its text, its training, its exam.
//!
//! This crate depends on `arrakis`, so the exam uses the same tools as a researcher. `models/weights/` has the output
//! of the binary `train-embedded`: weights, tokenizer and measured facts.

pub mod error;
pub mod exam;
pub mod facts;
pub mod recipe;
pub mod text;
pub mod train;

pub use error::{Error, Result};

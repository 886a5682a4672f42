//! Training of small models: a seeded, resumable loop, and the recipe of the model that ships with the crate.
//!
//! ```no_run
//! use arrakis_models::train::{Batch, Settings, Trainer};
//! use arrakis_models::{TransformerConfig, device};
//!
//! fn count(step: u64) -> Batch {
//!     let tokens = vec![(0..8).map(|pos| (step as u32 + pos) % 16).collect::<Vec<u32>>()];
//!     let targets = vec![(1..9).map(|pos| (step as u32 + pos) % 16).collect()];
//!     Batch { tokens, targets, loss_mask: vec![vec![1.0; 8]] }
//! }
//!
//! # fn main() -> arrakis_models::Result<()> {
//! let config = TransformerConfig::plain("gpt2", 1, 32, 2, 16, 8);
//! let mut trainer = Trainer::new(&config, Settings { steps: 200, ..Settings::default() }, &device::cpu())?;
//! trainer.run(200, count, |_, log| Ok(println!("{} {:.3}", log.step, log.loss)))?;
//! let model = trainer.model();
//! # Ok(())
//! # }
//! ```

pub mod exam;
pub mod facts;
pub mod head_scores;
pub mod recipe;

mod checkpoint;
mod echoes;
mod init;
mod loss;
mod optimizer;
mod scattered;
mod schedule;
mod strangers;
mod trainer;

pub use crate::toy::mixture::Batch;
pub use facts::Facts;
pub use head_scores::HeadScore;
pub use loss::weighted_cross_entropy;
pub use optimizer::Optimizer;
pub use schedule::Schedule;
pub use trainer::{Settings, StepLog, Trainer};

//! Training of small models: a seeded, resumable loop.

mod checkpoint;
mod disk;
mod init;
mod loss;
mod optimizer;
mod schedule;
mod settings;
mod trainer;

pub use loss::weighted_cross_entropy;
pub use optimizer::Optimizer;
pub use schedule::Schedule;
pub use settings::Settings;
pub use trainer::{StepLog, Trainer};

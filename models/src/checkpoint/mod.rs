//! Checkpoints in Hugging Face's layout: a folder with config.json and weights, or a Hub id.

mod files;
mod header;
mod hub;
mod load;
mod save;

pub use files::{Checkpoint, widen};
pub use hub::fetch;
pub use load::{load_net, read_json};
pub use save::save_own;

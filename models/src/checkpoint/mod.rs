//! Checkpoints in Hugging Face's layout: a folder with config.json and weights, or a Hub id.

mod files;
mod fit;
mod header;
mod hf_files;
mod hub;
mod load;
mod safetensors_file;
mod save;
mod save_hf;

pub use files::{Checkpoint, widen};
pub use fit::Fit;
pub(crate) use hf_files::HfFiles;
pub use hub::fetch;
pub use load::{load_net, read_json};
pub use save::save_own;

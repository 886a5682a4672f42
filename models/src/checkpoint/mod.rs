//! Checkpoints in Hugging Face's layout: a folder with config.json and weights, or a Hub id.

mod files;
mod fit;
mod header;
mod hf_files;
mod hub;
mod load;
mod place;
mod pytorch_file;
mod safetensors_file;
mod save;
mod save_hf;

pub use files::{Checkpoint, Held};
pub use fit::Fit;
pub use header::check_bytes;
pub(crate) use hf_files::HfFiles;
pub use hub::fetch;
pub use load::load_net;
pub use save::save_own;

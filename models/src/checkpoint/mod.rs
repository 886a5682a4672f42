//! Checkpoints in Hugging Face's layout: a folder with config.json and weights, or a Hub id.

mod files;
mod fit;
mod header;
mod hf_files;
mod hub;
mod json;
mod load;
mod open;
mod place;
mod pytorch_file;
mod safetensors_file;
mod save;
mod save_hf;

pub use files::{Checkpoint, Held, widen};
pub use fit::Fit;
pub use header::check_bytes;
pub(crate) use hf_files::HfFiles;
pub use hub::fetch;
pub(crate) use json::read_config;
pub use json::read_json;
pub use load::load_net;
pub(crate) use open::{is_there, text};
pub use save::save_own;

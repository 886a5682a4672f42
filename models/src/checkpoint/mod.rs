//! Checkpoints in Hugging Face's layout: a folder with config.json and weights, or a Hub id.

mod entry;
mod files;
mod fit;
mod header;
mod hf_files;
mod hf_save;
mod hub;
mod load;
mod own;
mod place;
mod pytorch_file;
mod safetensors_file;

pub use entry::Entry;
pub use files::Checkpoint;
pub use fit::Fit;
pub use header::check_bytes;
pub(crate) use hf_files::HfFiles;
pub(crate) use hf_save::save_hf;
pub use hub::fetch;
pub use load::load_net;
pub(crate) use own::bytes_of_parameters;
pub use own::net_from_bytes;

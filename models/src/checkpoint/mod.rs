//! Checkpoints: a folder in Hugging Face's layout with config.json and weights, a Hub id, or a GGUF file; and adapters.

mod adapter;
mod entry;
mod files;
mod fit;
mod gguf;
mod header;
mod hf_files;
mod hf_save;
mod hooked;
mod hub;
mod language;
#[cfg(all(feature = "watch", target_os = "linux"))]
mod lent;
mod lies;
mod load;
mod located;
mod merge;
mod npz_file;
mod origin;
mod own;
mod place;
mod pytorch_file;
mod quantised;
mod safetensors_file;

pub use adapter::Adapter;
pub use entry::Entry;
pub use files::Checkpoint;
pub use fit::Fit;
pub(crate) use gguf::{is_gguf, read_model as read_gguf};
pub use header::check_bytes;
pub(crate) use hf_files::HfFiles;
pub(crate) use hf_save::save_hf;
pub use hub::fetch;
pub(crate) use hub::{commit_of, fetch_adapter, fetch_layers, fetch_parts};
#[cfg(all(feature = "watch", target_os = "linux"))]
pub(crate) use lent::lent_net;
pub(crate) use lies::{adapter_beside, check_folder, only_gguf};
pub(crate) use load::{Reading, load_net};
pub(crate) use merge::with_adapter;
pub(crate) use origin::Origin;
pub(crate) use own::bytes_of_parameters;
pub use own::net_from_bytes;
pub(crate) use pytorch_file::plain_values;

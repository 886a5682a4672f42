//! Files: opened with care, read up to a limit, written whole or not at all.

mod digest;
mod identity;
mod json;
mod noted;
mod open;
mod write;

pub use digest::digest;
pub(crate) use identity::Identity;
pub(crate) use json::read_config;
pub use json::read_json;
pub(crate) use noted::collected;
pub use noted::{note, observe};
pub use open::open;
pub(crate) use open::{bytes, is_there, pointer_length, text};
pub use write::{write_new, write_whole, write_whole_with};

/// The folder of a checkpoint's chat templates besides the default one.
pub(crate) const MORE_TEMPLATES: &str = "additional_chat_templates";

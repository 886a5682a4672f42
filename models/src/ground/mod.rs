//! What everything else here uses: errors, devices, element types, files, and messages to the user.

pub mod bytes;
pub mod cache;
pub mod dev_profile;
pub mod device;
pub mod dtype;
pub mod error;
pub mod files;
pub mod memory;
pub mod nearest;
pub mod progress;
pub mod read;
pub mod shard;
pub mod warnings;
pub mod watcher;

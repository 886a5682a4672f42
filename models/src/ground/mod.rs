//! What everything here stands on: errors, devices, element types, files, and what is said to the user.

pub mod bytes;
pub mod dev_profile;
pub mod device;
pub mod dtype;
pub mod error;
pub mod files;
pub mod nearest;
pub mod progress;
pub mod read;
pub mod warnings;

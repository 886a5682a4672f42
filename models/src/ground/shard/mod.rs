//! Work that several processes share out: which part is this process's, and where the parts are kept.
//!
//! `arrakis run` starts a program as one shard of a job. In it, each step that can be cut (a sweep, a corpus pass, a suite
//! of claims, a list of items) does only its own part, keeps it in a file, and ends with [`Error::Part`](crate::Error::Part):
//! the program has no value to go on with. `arrakis merge` checks that all parts are there and runs the program once
//! more; each step then has the value of the whole from its parts.
//!
//! In the folder of a job, each shard has a folder with its parts, which are written whole or not at all, and a log of each
//! run of it.

mod log;
mod number;
mod parts;
mod step;

pub use log::{Line, add_line, read_log};
pub use number::Shard;
pub use parts::{LOG_VARIABLE, MERGED, Parts, Paused, Role, SHARD_VARIABLE};
pub use step::{Next, Step, begin, digest, part_path};

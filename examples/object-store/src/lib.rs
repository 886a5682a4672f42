//! The records of a folder in an object store: S3 and what speaks its language, or another folder.
//!
//! Records, arrays, the texts of helpers and the parts of shards are files that are written once. [`Bucket::push`] writes each
//! with a put that fails if the object exists, and [`Bucket::pull`] a file that does not exist yet, so neither ever replaces
//! one: what differs is reported and left as it is. Logs and metrics (`.jsonl`) only grow, and the longer one wins if it
//! begins with the other. Tags and notes are joined line by line.
//!
//! With the feature `bench` a [`Bucket`] is also a place behind the folder of a bench: each record is there before its call returns.
//! `examples/record.rs` shows it, and `arrakis::experiment::Remote` says what is sent when.
//!
//! Machines without a shared folder run shards this way: each pushes its folder, and one pulls them all and merges.
//!
//! ```
//! use arrakis_object_store::Bucket;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (own, other, far) = (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
//! # std::fs::create_dir(own.path().join("score"))?;
//! std::fs::write(own.path().join("score/one.json"), "{}")?;
//! let bucket = Bucket::open(&format!("file://{}", far.path().display()))?;
//! assert_eq!(bucket.push(own.path())?.to_string(), "1 copied, 0 there already");
//! assert_eq!(bucket.pull(other.path())?.to_string(), "1 copied, 0 there already");
//! assert_eq!(bucket.push(own.path())?.to_string(), "0 copied, 1 there already");
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "bench")]
mod bench;
mod bucket;
mod copied;
mod files;
mod plain;
mod signing;

pub use bucket::{Bucket, Error, Result};
pub use copied::Copied;

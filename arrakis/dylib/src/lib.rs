//! `arrakis-models` and all it stands on as one library that is loaded when a program starts.
//!
//! A program that links it has a few megabytes of its own, instead of 160, and is linked in a fraction of the time. See
//! `docs/LOOP.md`.

pub use arrakis_models;

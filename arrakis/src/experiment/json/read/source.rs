//! What is read: values, and the keys of maps.

use serde_json::Value;

use crate::experiment::json::blobs::Blobs;

/// The deserializer: a value, and its large arrays.
#[derive(Clone, Copy)]
pub(in super::super) struct Lossless<'a> {
    pub(in super::super) value: &'a Value,
    pub(in super::super) blobs: &'a Blobs,
}

/// A key of a map, which may represent a number.
pub(super) struct Key<'a>(pub(super) &'a str);

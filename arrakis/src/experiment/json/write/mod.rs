//! A serde serializer into JSON values that keeps NaN and the infinities, and large arrays beside the JSON.

mod compound;
mod hashed;
mod lossless;
mod node;
mod serializer;
mod writing;

use serde::Serialize;
use serde_json::{Error, Value};

use super::blobs::Blobs;
use lossless::Lossless;
pub(super) use writing::Writing;

/// Writes a whole value, and returns the large arrays in it if they are kept beside.
pub(super) fn written<T: Serialize + ?Sized>(value: &T, writing: Writing) -> Result<(Value, Blobs), Error> {
    let node = Lossless(&writing).part(value)?;
    let json = writing.json(node);
    Ok((json, writing.blobs()))
}

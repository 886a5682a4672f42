//! The serializer and what it does with every part.

use serde::Serialize;
use serde_json::{Error, Value};

use super::node::{Node, Written};
use super::writing::Writing;

/// The serializer.
#[derive(Clone, Copy)]
pub(super) struct Lossless<'a>(pub(super) &'a Writing);

impl Lossless<'_> {
    /// Writes a part of the value.
    pub(super) fn part<T: Serialize + ?Sized>(self, value: &T) -> Written {
        let _level = self.0.enter(std::any::type_name::<T>())?;
        value.serialize(self)
    }

    /// Writes a part as JSON.
    pub(super) fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        Ok(self.0.json(self.part(value)?))
    }

    pub(super) fn text(self, text: impl Into<String>) -> Written {
        let text = text.into();
        self.0.spend(text.len())?;
        Ok(Node::Json(text.into()))
    }
}

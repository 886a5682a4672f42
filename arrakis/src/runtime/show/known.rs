//! Values that are written in a way of their own: paths, which need not be text.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::experiment::json;

/// A value with a way of its own to be written.
pub trait Known {
    /// The value as JSON.
    fn known(&self) -> Value;
}

/// Text, as serde writes it. A path that is not text is written as the `OsStr` that it is, to be read as an `OsString`.
impl Known for Path {
    fn known(&self) -> Value {
        let bytes = || json::to_value(self.as_os_str()).unwrap_or_else(|_| self.to_string_lossy().into());
        self.to_str().map_or_else(bytes, Value::from)
    }
}

impl Known for PathBuf {
    fn known(&self) -> Value {
        self.as_path().known()
    }
}

impl<T: Known + ?Sized> Known for &T {
    fn known(&self) -> Value {
        T::known(self)
    }
}

impl<T: Known> Known for Option<T> {
    fn known(&self) -> Value {
        self.as_ref().map_or(Value::Null, Known::known)
    }
}

impl<T: Known> Known for [T] {
    fn known(&self) -> Value {
        self.iter().map(Known::known).collect()
    }
}

impl<T: Known> Known for Vec<T> {
    fn known(&self) -> Value {
        self.as_slice().known()
    }
}

impl<T: Known, const N: usize> Known for [T; N] {
    fn known(&self) -> Value {
        self.as_slice().known()
    }
}

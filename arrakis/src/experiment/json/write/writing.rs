//! The bounds of what is written, and where its large arrays go.

use std::cell::{Cell, RefCell};

use serde::ser::Error as _;
use serde_json::{Error, Value};

use super::node::Node;
use crate::experiment::json::blobs::Blobs;

/// The most numbers of an array that are written as JSON; larger arrays are kept beside it.
const MOST_INLINE: usize = 4096;

/// The most bytes of a value: of its numbers and texts, and [`VALUE_BYTES`] for each JSON value.
const MOST_BYTES: usize = 256 << 20;

/// About the memory of one JSON value.
const VALUE_BYTES: usize = 64;

/// The deepest nesting of a value; `serde_json` reads up to 128 levels.
const MOST_LEVELS: usize = 100;

/// One value that is being written.
pub(in super::super) struct Writing {
    /// `None` if all arrays are written as JSON.
    blobs: Option<RefCell<Blobs>>,
    /// Bytes that may still be written.
    left: Cell<usize>,
    most_levels: usize,
    levels: Cell<usize>,
}

impl Writing {
    /// Everything is written as JSON, without bounds.
    pub(in super::super) fn whole() -> Self {
        Self { blobs: None, left: Cell::new(usize::MAX), most_levels: usize::MAX, levels: Cell::new(0) }
    }

    /// Within bounds, with large arrays beside the JSON.
    pub(in super::super) fn bounded() -> Self {
        Self { blobs: Some(RefCell::default()), left: Cell::new(MOST_BYTES), most_levels: MOST_LEVELS, ..Self::whole() }
    }

    /// The arrays beside the JSON.
    pub(super) fn blobs(self) -> Blobs {
        self.blobs.map(RefCell::into_inner).unwrap_or_default()
    }

    /// Takes bytes from what is left.
    ///
    /// # Errors
    ///
    /// The value is too large.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), Error> {
        let left = self.left.get().checked_sub(bytes);
        let too_large = || Error::custom(format_args!("it is larger than {} MiB", MOST_BYTES >> 20));
        self.left.set(left.ok_or_else(too_large)?);
        Ok(())
    }

    /// Takes the bytes of one JSON value.
    pub(super) fn spend_value(&self) -> Result<(), Error> {
        self.spend(VALUE_BYTES)
    }

    /// Enters a part of this type.
    ///
    /// # Errors
    ///
    /// It is nested too deeply, or writing it would wait for a lock.
    pub(super) fn enter(&self, kind: &str) -> Result<Level<'_>, Error> {
        if is_lock(kind) && self.blobs.is_some() {
            return Err(Error::custom(format_args!("it holds a lock, `{kind}`, which writing it would wait for")));
        }
        if self.levels.get() >= self.most_levels {
            return Err(Error::custom(format_args!("it is nested deeper than {MOST_LEVELS} levels")));
        }
        self.levels.set(self.levels.get() + 1);
        Ok(Level(&self.levels))
    }

    /// A part as JSON. A large array is kept beside it.
    pub(super) fn json(&self, node: Node) -> Value {
        match (node, &self.blobs) {
            (Node::Json(value), _) => value,
            (Node::Number(number), _) => number.to_json(),
            (Node::Numbers(numbers), Some(blobs)) if numbers.count() > MOST_INLINE => blobs.borrow_mut().keep(&numbers),
            (Node::Numbers(numbers), _) => numbers.to_json(),
        }
    }
}

/// Whether serde waits for a lock to write a type with this name.
fn is_lock(mut name: &str) -> bool {
    let wrappers = ["&", "mut ", "alloc::boxed::Box<", "alloc::rc::Rc<", "alloc::sync::Arc<"];
    while let Some(inner) = wrappers.iter().find_map(|wrapper| name.strip_prefix(wrapper)) {
        name = inner;
    }
    let of_locks = name.starts_with("std::sync::") || name.starts_with("lock_api::");
    of_locks
        && ["Mutex<", "RwLock<"]
            .iter()
            .any(|lock| name.split_inclusive('<').next().is_some_and(|own| own.ends_with(lock)))
}

/// Leaves the part when dropped.
pub(super) struct Level<'a>(&'a Cell<usize>);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

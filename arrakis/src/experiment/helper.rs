//! Tracked helpers: functions and constants that a run used.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::{Function, Here, code};

/// An item under `#[tracked]`, as it is in its file.
#[derive(Debug)]
pub struct Helper {
    /// The crate and file it is in.
    pub here: Here,
    /// Its name.
    pub name: &'static str,
    /// The line of its name; 0 if a macro wrote it.
    pub line: u32,
    /// Its text.
    pub source: &'static str,
}

/// A tracked function or constant that a run used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UsedHelper {
    /// Its full path. That of a method has its type.
    pub path: String,
    /// SHA-256 of its tokens, without layout, comments and visibility, in hex.
    pub hash: String,
    /// The file it is in.
    pub file: String,
    /// The line of its name, counted from 1; 0 if a macro wrote it.
    pub line: u32,
}

impl Helper {
    /// What an attribute knows about an item.
    pub const fn new(here: Here, name: &'static str, line: u32, source: &'static str) -> Self {
        Self { here, name, line, source }
    }

    /// As it is recorded. `body` is the type name of a closure in the body of a function, and empty for a constant.
    pub(crate) fn used(&'static self, body: &'static str) -> UsedHelper {
        // Hashing its text takes longer than many a helper.
        static KNOWN: Mutex<BTreeMap<(usize, usize), UsedHelper>> = Mutex::new(BTreeMap::new());
        let key = (std::ptr::from_ref(self).addr(), body.as_ptr().addr());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(key).or_insert_with(|| self.hashed(body)).clone()
    }

    fn hashed(&self, body: &str) -> UsedHelper {
        UsedHelper {
            path: Place::of(self.here.module, self.name, body).function,
            hash: code::hash(self.source, self.name),
            file: self.here.file.to_owned(),
            line: self.line,
        }
    }
}

impl UsedHelper {
    /// An experiment that another one calls. `body` is the type name of a closure in its body.
    pub(crate) fn of(function: &Function, body: &str) -> Self {
        Self {
            path: Place::of(function.here.module, function.name, body).function,
            hash: code::hash(function.source, function.name),
            file: function.here.file.to_owned(),
            line: function.line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static HELPER: Helper = Helper::new(
        Here::of("probe::heads", "src/heads.rs", ["probe", "0.1.0", env!("CARGO_MANIFEST_DIR")]),
        "half",
        3,
        "#[tracked]\nfn half(x: f64) -> f64 {\n    x / 2.0\n}",
    );

    #[test]
    fn a_helper_is_known_by_its_path_and_its_tokens() {
        let method = HELPER.used("probe::heads::Sweep::half::{{closure}}");
        assert_eq!((method.path.as_str(), method.line), ("probe::heads::Sweep::half", 3));
        assert_eq!(method.hash, super::super::json::digest("fn half ( x : f64 ) -> f64 { x / 2.0 }"));
        assert_eq!(HELPER.used("").path, "probe::heads::half");
    }
}

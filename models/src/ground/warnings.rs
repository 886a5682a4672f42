//! Warnings on stderr: the program continues, but the result may not be what was meant.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

/// Prints a warning to stderr, every time.
pub fn warn(text: impl Display) {
    eprintln!("warning: {text}");
}

/// Prints a warning to stderr, once a process for each text, so that a loop does not repeat it.
pub fn warn_once(text: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(text.to_owned()) {
        warn(text);
    }
}

//! What is said on the standard error: the program goes on, and the result may not be what was meant.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

/// Says something on the standard error, every time.
pub fn warn(text: impl Display) {
    eprintln!("warning: {text}");
}

/// Says something on the standard error, once a process for each text: a loop would bury it.
pub fn warn_once(text: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(text.to_owned()) {
        warn(text);
    }
}

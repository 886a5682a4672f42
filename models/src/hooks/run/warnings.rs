//! What a run says on the standard error: it went on, and may not be what was meant.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::hooks::edit::effect::Effect;

/// Says of each edit that changed nothing, on numbers that were not all zero, that it did not.
pub(crate) fn warn_unchanged(edited: &[String], effects: &[Effect]) {
    for (edit, _) in edited.iter().zip(effects).filter(|(_, effect)| effect.changed_nothing()) {
        warn(&format!("the edit {edit} fired and changed nothing"));
    }
}

/// Says something on the standard error, once a process for each text: a loop would bury it.
pub(crate) fn warn(text: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(text.to_owned()) {
        eprintln!("warning: {text}");
    }
}

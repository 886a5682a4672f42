//! What a run says on the standard error: it went on, and may not be what was meant.

use crate::ground::warnings::warn_once;
use crate::hooks::edit::effect::Effect;

/// Says of each edit that changed nothing, on numbers that were not all zero, that it did not.
pub(crate) fn warn_unchanged(edited: &[String], effects: &[Effect]) {
    for (edit, _) in edited.iter().zip(effects).filter(|(_, effect)| effect.changed_nothing()) {
        warn_once(&format!("the edit {edit} fired and changed nothing"));
    }
}

//! Warnings of a run on standard error: the run went on, but may not be what was meant.

use crate::ground::warnings::warn_once;
use crate::hooks::edit::effect::Effect;

/// Warns of each edit that changed nothing although some of its numbers were not zero.
pub(crate) fn warn_unchanged(edited: &[String], effects: &[Effect]) {
    for (edit, _) in edited.iter().zip(effects).filter(|(_, effect)| effect.changed_nothing()) {
        warn_once(&format!("the edit {edit} fired and changed nothing"));
    }
}

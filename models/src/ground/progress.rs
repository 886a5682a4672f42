//! Bars for what takes longer than a moment: on the standard error, with the time left, and only where it is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `length` steps: `sweep ████ 12/270 edits, 31s left`.
pub fn bar(what: &str, unit: &str, length: usize) -> ProgressBar {
    let template = format!("{{msg}} {{bar:30}} {{pos}}/{{len}} {unit}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("BUG: a constant template");
    ProgressBar::new(length as u64).with_style(style).with_message(what.to_owned())
}

/// A bar nobody sees.
pub fn hidden() -> ProgressBar {
    ProgressBar::hidden()
}

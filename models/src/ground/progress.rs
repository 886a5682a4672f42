//! Progress bars with the time left, on stderr, and only if it is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `length` steps: `sweep ████ 12/270 edits, 31s left`.
pub fn bar(what: &str, unit: &str, length: usize) -> ProgressBar {
    let template = format!("{{msg}} {{bar:30}} {{pos}}/{{len}} {unit}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("BUG: a constant template");
    ProgressBar::new(length as u64).with_style(style).with_message(what.to_owned())
}

/// A hidden bar.
pub fn hidden() -> ProgressBar {
    ProgressBar::hidden()
}

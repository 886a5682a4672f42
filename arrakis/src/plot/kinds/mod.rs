//! The plot kinds, one a file: data, checks, drawing and table of each.

pub(super) mod attention;
pub(super) mod bar;
pub(super) mod heatmap;
pub(super) mod histogram;
pub(super) mod line;
pub(super) mod scatter;
pub(super) mod tokens;
pub(super) mod violin;

/// Numbers of any width, as the figures keep them.
pub(super) fn numbers(values: impl IntoIterator<Item = impl Into<f64>>) -> Vec<f64> {
    values.into_iter().map(Into::into).collect()
}

/// Labels from anything that prints: `&str`, `String`, layer numbers.
pub(super) fn strings(labels: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
    labels.into_iter().map(|label| label.to_string()).collect()
}

/// `prefix0`, `prefix1` ... for `count` layers, heads or positions.
pub(super) fn counted(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}{index}")).collect()
}

//! The checks that every plot kind makes on its data before it draws anything.

use crate::{Error, Result};

/// The maximum number of cells in a panel, such as one head over 1,024 tokens: a screen cannot show more.
pub(super) const MAX_CELLS: usize = 1 << 20;

/// Checks that a part of the panel has exactly `expected` entries.
pub(super) fn length(kind: &'static str, part: impl Into<String>, expected: usize, actual: usize) -> Result<()> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::FigureShape { kind, part: part.into(), expected, actual })
}

/// Beyond this the arithmetic of axes overflows.
const GREATEST: f64 = 1e300;

/// Checks that finite values are small enough for an axis. Non-finite values pass: they are drawn as missing.
pub(super) fn drawable<'a>(kind: &'static str, values: impl IntoIterator<Item = &'a f64>) -> Result<()> {
    match values.into_iter().find(|value| value.is_finite() && value.abs() > GREATEST) {
        None => Ok(()),
        Some(value) => {
            let problem = format!("{value:e} is beyond {GREATEST:e}: divide the values, or plot their logarithm");
            Err(Error::FigureValue { kind, problem })
        }
    }
}

/// Checks that at least one value is finite, and that none is too large for an axis.
pub(super) fn some_finite<'a>(kind: &'static str, values: impl IntoIterator<Item = &'a f64>) -> Result<()> {
    let values: Vec<&f64> = values.into_iter().collect();
    if values.is_empty() {
        return Err(Error::EmptyFigure { kind, problem: "it has no values".into() });
    }
    if !values.iter().any(|value| value.is_finite()) {
        return Err(Error::EmptyFigure { kind, problem: "all its values are NaN or infinite".into() });
    }
    drawable(kind, values)
}

/// Checks a `[row][column]` grid: rectangular, not too big, with a finite value. Returns the number of columns.
pub(super) fn grid(kind: &'static str, values: &[Vec<f64>]) -> Result<usize> {
    let columns = values.first().map_or(0, Vec::len);
    for (index, row) in values.iter().enumerate() {
        length(kind, format!("row {index} of `values`"), columns, row.len())?;
    }
    let cells = values.len() * columns;
    if cells > MAX_CELLS {
        let problem = format!("{cells} cells are more than {MAX_CELLS}: select or average before plotting");
        return Err(Error::FigureValue { kind, problem });
    }
    some_finite(kind, values.iter().flatten())?;
    Ok(columns)
}

/// Checks limits set by the user: both finite, the low one first.
pub(super) fn limits(kind: &'static str, limits: Option<[f64; 2]>) -> Result<()> {
    match limits {
        Some([low, high]) if !(low.abs() <= GREATEST && high.abs() <= GREATEST && low < high) => {
            let problem = format!("limits from {low} to {high}: give two finite numbers, the smaller first");
            Err(Error::FigureValue { kind, problem })
        }
        _ => Ok(()),
    }
}

/// Checks that all values are finite, such as positions on an axis.
pub(super) fn all_finite<'a>(kind: &'static str, part: &str, values: impl IntoIterator<Item = &'a f64>) -> Result<()> {
    let values: Vec<&f64> = values.into_iter().collect();
    match values.iter().position(|value| !value.is_finite()) {
        None => drawable(kind, values),
        Some(index) => {
            let value = values[index];
            let problem = format!("entry {index} of {part} is {value}: leave it out, or give a finite number");
            Err(Error::FigureValue { kind, problem })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_an_axis_are_an_error() {
        assert!(grid("heatmap", &[vec![1e299, f64::NAN]]).is_ok());
        assert_eq!(
            grid("heatmap", &[vec![1.0, -2e301]]).unwrap_err().to_string(),
            "heatmap: -2e301 is beyond 1e300: divide the values, or plot their logarithm"
        );
    }

    #[test]
    fn too_many_cells_are_an_error() {
        assert_eq!(
            grid("heatmap", &vec![vec![0.0; 2048]; 513]).unwrap_err().to_string(),
            "heatmap: 1050624 cells are more than 1048576: select or average before plotting"
        );
    }
}

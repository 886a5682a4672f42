//! Scores by row and column, with their names: what most tools return.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::hypothesis::stats;
use crate::plot::Heatmap;

/// A named matrix of numbers: layers by heads, layers by positions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreTable {
    /// What the numbers are, with their units.
    pub units: String,
    /// What the rows are: `layer`.
    pub row_axis: String,
    /// What the columns are: `head`.
    pub column_axis: String,
    /// `[row]`
    pub row_labels: Vec<String>,
    /// `[column]`
    pub col_labels: Vec<String>,
    /// `[row][column]`
    pub values: Vec<Vec<f32>>,
}

/// One cell of a [`ScoreTable`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// `L9H6` for heads, `row column` otherwise.
    pub label: String,
    /// Index of the row.
    pub row: usize,
    /// Index of the column.
    pub column: usize,
    /// The number, in the table's units.
    pub value: f32,
}

impl ScoreTable {
    /// `[layer][head]`, rows `L0`…, columns `H0`….
    pub fn heads(values: Vec<Vec<f32>>, units: &str) -> Self {
        let columns = values.first().map_or(0, Vec::len);
        let col_labels = (0..columns).map(|head| format!("H{head}")).collect();
        Self { col_labels, column_axis: "head".into(), ..Self::by_layer(values, units) }
    }

    /// `[layer][pos]`, rows `L0`…, columns the tokens.
    pub fn positions(values: Vec<Vec<f32>>, tokens: &[String], units: &str) -> Self {
        Self { col_labels: tokens.to_vec(), column_axis: "position".into(), ..Self::by_layer(values, units) }
    }

    /// `[query][key]`, rows and columns the tokens.
    pub fn queries(values: Vec<Vec<f32>>, tokens: &[String], units: &str) -> Self {
        let axis = |name: &str| (name.to_owned(), tokens.to_vec());
        let ((row_axis, row_labels), (column_axis, col_labels)) = (axis("query"), axis("key"));
        Self { units: units.into(), row_axis, column_axis, row_labels, col_labels, values }
    }

    fn by_layer(values: Vec<Vec<f32>>, units: &str) -> Self {
        let row_labels = (0..values.len()).map(|layer| format!("L{layer}")).collect();
        Self { units: units.into(), row_axis: "layer".into(), row_labels, values, ..Self::default() }
    }

    /// The number at a row and column, where there is one.
    pub fn get(&self, row: usize, column: usize) -> Option<f32> {
        self.values.get(row)?.get(column).copied()
    }

    /// The `k` cells furthest from zero, furthest first; ties in reading order, what is not finite left out.
    pub fn top(&self, k: usize) -> Vec<Score> {
        self.ranked(k, f32::abs)
    }

    /// The `k` highest cells, highest first; ties in reading order, what is not finite left out.
    pub fn highest(&self, k: usize) -> Vec<Score> {
        self.ranked(k, |value| value)
    }

    /// The `k` lowest cells, lowest first; ties in reading order, what is not finite left out.
    pub fn lowest(&self, k: usize) -> Vec<Score> {
        self.ranked(k, |value| -value)
    }

    /// The `k` cells furthest from a value, furthest first: from the clean metric, in a table of ablated ones.
    pub fn furthest_from(&self, value: f32, k: usize) -> Vec<Score> {
        self.ranked(k, |own| (own - value).abs())
    }

    /// The mean of tables of one shape, each counted `weights` times; names are the first table's.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for no table, another number of weights, or tables of different shapes.
    pub fn mean(tables: &[Self], weights: &[f32]) -> Result<Self> {
        let problem = |problem: &str| Error::Value { of: "ScoreTable", problem: problem.to_owned() };
        let first = tables.first().ok_or_else(|| problem("there is no table to take the mean of"))?;
        if tables.len() != weights.len() || tables.iter().any(|table| shape(table) != shape(first)) {
            return Err(problem("a mean takes tables of one shape and a weight for each"));
        }
        let mut mean = first.map(&first.units, |_| 0.0);
        let total: f32 = weights.iter().sum();
        for (table, weight) in tables.iter().zip(weights) {
            let cells = mean.values.iter_mut().flatten().zip(table.values.iter().flatten());
            cells.for_each(|(mean, value)| *mean += value * weight / total);
        }
        Ok(mean)
    }

    /// Pearson's correlation with another table of the same shape, cell by cell, between -1 and 1.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for tables of different shapes, and where a table has no spread.
    pub fn pearson(&self, other: &Self) -> Result<f64> {
        if shape(self) != shape(other) {
            let problem = "only tables of one shape can be compared; the shapes differ".to_owned();
            return Err(Error::Value { of: "ScoreTable", problem });
        }
        let flat = |table: &Self| table.values.concat().into_iter().map(f64::from).collect::<Vec<_>>();
        stats::pearson(&flat(self), &flat(other))
    }

    fn ranked(&self, k: usize, key: impl Fn(f32) -> f32) -> Vec<Score> {
        let mut cells: Vec<Score> = self.cells().filter(|cell| cell.value.is_finite()).collect();
        cells.sort_by(|a, b| key(b.value).total_cmp(&key(a.value)));
        cells.truncate(k);
        cells
    }

    fn cells(&self) -> impl Iterator<Item = Score> {
        let rows = self.values.iter().enumerate();
        rows.flat_map(move |(row, values)| {
            values.iter().enumerate().map(move |(column, value)| Score {
                label: self.label(row, column),
                row,
                column,
                value: *value,
            })
        })
    }

    fn label(&self, row: usize, column: usize) -> String {
        let gap = if self.column_axis == "head" && self.row_axis == "layer" { "" } else { " " };
        format!("{}{gap}{}", self.row_labels[row], self.col_labels[column])
    }

    /// Every number through a function; new units where they change.
    #[must_use]
    pub fn map(&self, units: &str, change: impl Fn(f32) -> f32) -> Self {
        let values = self.values.iter().map(|row| row.iter().map(|value| change(*value)).collect()).collect();
        Self { values, units: units.into(), ..self.clone() }
    }

    /// As a heatmap, ready for a figure.
    pub fn heatmap(&self) -> Heatmap {
        let map = Heatmap::new(self.values.iter().map(|row| row.iter().copied()));
        map.rows(&self.row_axis, &self.row_labels)
            .columns(&self.column_axis, &self.col_labels)
            .units(self.units.clone())
    }
}

/// The length of each row.
fn shape(table: &ScoreTable) -> Vec<usize> {
    table.values.iter().map(Vec::len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_come_first_and_ties_in_reading_order() {
        let table = ScoreTable::heads(vec![vec![1.0, -3.0, f32::NAN], vec![3.0, 0.5, -1.0]], "nats");
        let labels = |scores: Vec<Score>| scores.into_iter().map(|score| score.label).collect::<Vec<_>>();
        assert_eq!(labels(table.top(3)), ["L0H1", "L1H0", "L0H0"]);
        assert_eq!(labels(table.highest(1)), ["L1H0"]);
        assert_eq!(labels(table.lowest(9)), ["L0H1", "L1H2", "L1H1", "L0H0", "L1H0"]);
        assert_eq!(labels(table.furthest_from(3.0, 2)), ["L0H1", "L1H2"]);
    }

    #[test]
    fn a_mean_counts_each_table_by_its_weight() {
        let table = |value: f32| ScoreTable::heads(vec![vec![value, 1.0]], "nats");
        let mean = ScoreTable::mean(&[table(1.0), table(4.0)], &[2.0, 1.0]).unwrap();
        assert_eq!((mean.values, mean.units.as_str()), (vec![vec![2.0, 1.0]], "nats"));
        assert!(ScoreTable::mean(&[], &[]).is_err());
        let other = ScoreTable::heads(vec![vec![1.0]], "nats");
        let error = ScoreTable::mean(&[table(1.0), other], &[1.0, 1.0]).unwrap_err().to_string();
        assert_eq!(error, "`ScoreTable`: a mean takes tables of one shape and a weight for each");
    }

    #[test]
    fn correlation_by_hand() {
        let table = |values: [f32; 3]| ScoreTable::heads(vec![values.to_vec()], "nats");
        let r = table([1.0, 2.0, 3.0]).pearson(&table([2.0, 1.0, 3.0])).unwrap();
        assert!((r - 0.5).abs() < 1e-12, "{r}");
        assert!(table([1.0, 2.0, 3.0]).pearson(&ScoreTable::heads(vec![vec![1.0]], "nats")).is_err());
    }

    #[test]
    fn a_heatmap_keeps_names_and_numbers() {
        let table = ScoreTable::positions(vec![vec![1.0, 2.0]], &["a".into(), "b".into()], "nats");
        let map = table.heatmap();
        assert_eq!(
            (map.rows, map.columns, map.values),
            (vec!["L0".to_owned()], vec!["a".to_owned(), "b".to_owned()], vec![vec![1.0, 2.0]])
        );
    }
}

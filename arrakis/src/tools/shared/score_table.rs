//! Scores by place: what every scan returns.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::finite;
use super::place::{Head, Place};
use crate::error::{Error, Result};
use crate::hypothesis::stats;
use crate::plot::Heatmap;

/// Scores by row and column, by default layers and heads.
///
/// A score knows its place: `table.highest(1)[0].layer`, `.head`, `.position`, `.neuron`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ScoreTable<P: Place = Head> {
    /// What the numbers are, with their units.
    pub units: String,
    /// What each row stands for, `[row]`.
    pub rows: Vec<P::Row>,
    /// What each column stands for, `[column]`.
    pub columns: Vec<P::Column>,
    /// `[row][column]`, averaged over prompts.
    pub values: Vec<Vec<f64>>,
    /// The scores of each prompt, `[row * columns + column][prompt]`; empty if the scores are not means over prompts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_prompt: Vec<Vec<f64>>,
}

/// One cell of a [`ScoreTable`]. The coordinates of its place can be read from the score: `score.layer`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Score<P: Place = Head> {
    /// The name of the place, such as `L9H6`.
    pub label: String,
    /// The score, in the table's units.
    pub value: f64,
    /// The place.
    pub place: P,
}

impl<P: Place> Deref for Score<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.place
    }
}

impl ScoreTable {
    /// A table of all heads from values `[layer][head]`. `tool` is named in errors.
    ///
    /// # Errors
    ///
    /// Those of [`ScoreTable::new`].
    pub fn heads(tool: &'static str, units: impl Into<String>, values: Vec<Vec<f64>>) -> Result<Self> {
        let heads = values.first().map_or(0, Vec::len);
        Self::new(tool, units, (0..values.len()).collect(), (0..heads).collect(), values)
    }
}

impl<P: Place> ScoreTable<P> {
    /// A table from values `[row][column]`. `tool` is named in errors.
    ///
    /// # Errors
    ///
    /// [`Error::Tool`] for values of another shape; [`Error::NotFinite`] with the place of the first number that is not
    /// finite.
    pub fn new(
        tool: &'static str,
        units: impl Into<String>,
        rows: Vec<P::Row>,
        columns: Vec<P::Column>,
        values: Vec<Vec<f64>>,
    ) -> Result<Self> {
        let table = Self { units: units.into(), rows, columns, values, per_prompt: Vec::new() };
        table.check(tool)?;
        Ok(table)
    }

    /// A table of means over prompts, from values `[row * columns + column][prompt]`.
    ///
    /// # Errors
    ///
    /// Those of [`ScoreTable::new`].
    pub fn of_prompts(
        tool: &'static str,
        units: impl Into<String>,
        rows: Vec<P::Row>,
        columns: Vec<P::Column>,
        per_prompt: Vec<Vec<f64>>,
    ) -> Result<Self> {
        let means: Vec<f64> = per_prompt.iter().map(|cell| mean(cell)).collect();
        let values = means.chunks(columns.len().max(1)).map(<[f64]>::to_vec).collect();
        let table = Self { per_prompt, ..Self::new(tool, units, rows, columns, values)? };
        Ok(table)
    }

    fn check(&self, tool: &'static str) -> Result<()> {
        let fits =
            self.values.len() == self.rows.len() && self.values.iter().all(|values| values.len() == self.columns.len());
        if !fits {
            let problem = format!(
                "a table of {} rows and {} columns needs a number for each cell",
                self.rows.len(),
                self.columns.len()
            );
            return Err(Error::Tool { tool, problem });
        }
        match self.cells().find(|cell| !cell.value.is_finite()) {
            Some(cell) => Err(finite::error(tool, &self.units, &cell.label, cell.value)),
            None => Ok(()),
        }
    }

    /// The score of a place.
    pub fn get(&self, place: &P) -> Option<f64> {
        self.index(place).map(|(row, column)| self.values[row][column])
    }

    /// The score of a place for each prompt, as a sample for a test: `[prompt]`.
    pub fn prompts(&self, place: &P) -> Option<&[f64]> {
        let (row, column) = self.index(place)?;
        self.per_prompt.get(row * self.columns.len() + column).map(Vec::as_slice)
    }

    /// Every score, row by row.
    pub fn cells(&self) -> impl Iterator<Item = Score<P>> {
        self.rows.iter().zip(&self.values).flat_map(|(row, values)| {
            self.columns.iter().zip(values).map(move |(column, value)| {
                let place = P::at(row, column);
                Score { label: place.label(), value: *value, place }
            })
        })
    }

    /// The number of scores.
    pub fn len(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// Whether there are no scores.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `k` scores furthest from zero, furthest first; ties in reading order.
    pub fn top(&self, k: usize) -> Vec<Score<P>> {
        self.ranked(k, f64::abs)
    }

    /// The `k` highest scores, highest first; ties in reading order.
    pub fn highest(&self, k: usize) -> Vec<Score<P>> {
        self.ranked(k, |value| value)
    }

    /// The `k` lowest scores, lowest first; ties in reading order.
    pub fn lowest(&self, k: usize) -> Vec<Score<P>> {
        self.ranked(k, |value| -value)
    }

    /// The `k` scores furthest from a value, furthest first.
    pub fn furthest_from(&self, value: f64, k: usize) -> Vec<Score<P>> {
        self.ranked(k, |own| (own - value).abs())
    }

    /// Each row divided by its sum; a row whose sum is zero stays as it is.
    #[must_use]
    pub fn shares(&self, units: &str) -> Self {
        let share = |row: &Vec<f64>| {
            let sum: f64 = row.iter().sum();
            row.iter().map(|value| if sum == 0.0 { *value } else { value / sum }).collect()
        };
        Self { values: self.values.iter().map(share).collect(), ..self.without_prompts(units) }
    }

    /// Pearson's correlation with another table of the same shape over all cells, between -1 and 1.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for tables of different shapes, and for a table whose numbers are all equal.
    pub fn pearson(&self, other: &Self) -> Result<f64> {
        if [self.rows.len(), self.columns.len()] != [other.rows.len(), other.columns.len()] {
            let problem = format!(
                "a table of {} × {} cannot be compared with one of {} × {}; give tables of one shape",
                self.rows.len(),
                self.columns.len(),
                other.rows.len(),
                other.columns.len()
            );
            return Err(Error::Value { of: "ScoreTable", problem });
        }
        stats::pearson(&self.values.concat(), &other.values.concat())
    }

    /// The table as a heatmap for a figure.
    pub fn heatmap(&self) -> Heatmap {
        let [rows, columns] = P::AXES;
        Heatmap::new(self.values.iter().map(|row| row.iter().copied()))
            .rows(rows, self.rows.iter().map(P::row_label))
            .columns(columns, self.columns.iter().map(P::column_label))
            .units(self.units.clone())
    }

    /// `(value - offset) / scale`, with an offset for each prompt.
    pub(crate) fn moved(&self, units: &str, offset: f64, offsets: &[f64], scale: f64) -> Self {
        let values = self.values.iter().map(|row| row.iter().map(|value| (value - offset) / scale).collect());
        let of_prompts =
            |cell: &Vec<f64>| cell.iter().zip(offsets).map(|(value, offset)| (value - offset) / scale).collect();
        Self {
            values: values.collect(),
            per_prompt: self.per_prompt.iter().map(of_prompts).collect(),
            ..self.without_prompts(units)
        }
    }

    fn without_prompts(&self, units: &str) -> Self {
        Self {
            units: units.to_owned(),
            rows: self.rows.clone(),
            columns: self.columns.clone(),
            values: Vec::new(),
            per_prompt: Vec::new(),
        }
    }

    fn index(&self, place: &P) -> Option<(usize, usize)> {
        let cells = (0..self.rows.len()).flat_map(|row| (0..self.columns.len()).map(move |column| (row, column)));
        let mut found = cells.filter(|(row, column)| P::at(&self.rows[*row], &self.columns[*column]) == *place);
        found.next()
    }

    fn ranked(&self, k: usize, key: impl Fn(f64) -> f64) -> Vec<Score<P>> {
        let mut cells: Vec<Score<P>> = self.cells().collect();
        cells.sort_by(|a, b| key(b.value).total_cmp(&key(a.value)));
        cells.truncate(k);
        cells
    }
}

/// The mean of some numbers; 0 for none.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(values: Vec<Vec<f64>>) -> ScoreTable {
        ScoreTable::heads("test", "nats", values).unwrap()
    }

    #[test]
    fn the_strongest_come_first_and_ties_in_reading_order() {
        let table = table(vec![vec![1.0, -3.0, 0.25], vec![3.0, 0.5, -1.0]]);
        let labels = |scores: Vec<Score>| scores.into_iter().map(|score| score.label).collect::<Vec<_>>();
        assert_eq!(labels(table.top(3)), ["L0H1", "L1H0", "L0H0"]);
        assert_eq!(labels(table.highest(1)), ["L1H0"]);
        assert_eq!(labels(table.lowest(9)), ["L0H1", "L1H2", "L0H2", "L1H1", "L0H0", "L1H0"]);
        assert_eq!(labels(table.furthest_from(3.0, 2)), ["L0H1", "L1H2"]);
    }

    #[test]
    fn a_score_knows_its_place() {
        let table = table(vec![vec![1.0, -3.0], vec![3.0, 0.5]]);
        let best = table.highest(1).remove(0);
        assert_eq!((best.layer, best.head, table.get(&best)), (1, 0, Some(3.0)));
        assert_eq!(table.get(&Head { layer: 2, head: 0 }), None);
    }

    #[test]
    fn a_mean_over_prompts_keeps_each_prompt() {
        let table: ScoreTable =
            ScoreTable::of_prompts("test", "nats", vec![0], vec![0, 1], vec![vec![1.0, 3.0], vec![5.0, 5.0]]).unwrap();
        assert_eq!(table.values, [[2.0, 5.0]]);
        assert_eq!(table.prompts(&Head { layer: 0, head: 0 }).unwrap(), [1.0, 3.0]);
        let moved = table.moved("nats", 2.0, &[0.0, 4.0], 2.0);
        assert_eq!((moved.values, moved.per_prompt), (vec![vec![0.0, 1.5]], vec![vec![0.5, -0.5], vec![2.5, 0.5]]));
    }

    #[test]
    fn a_row_of_zeros_has_no_shares_and_stays() {
        let shares = table(vec![vec![1.0, 3.0], vec![0.0, 0.0]]).shares("share");
        assert_eq!(shares.values, [[0.25, 0.75], [0.0, 0.0]]);
    }

    #[test]
    fn correlation_by_hand() {
        let r = table(vec![vec![1.0, 2.0, 3.0]]).pearson(&table(vec![vec![2.0, 1.0, 3.0]])).unwrap();
        assert!((r - 0.5).abs() < 1e-12, "{r}");
        let error = table(vec![vec![1.0, 2.0]]).pearson(&table(vec![vec![1.0]])).unwrap_err().to_string();
        assert_eq!(
            error,
            "`ScoreTable`: a table of 1 × 2 cannot be compared with one of 1 × 1; give tables of one shape"
        );
    }

    #[test]
    fn a_number_that_is_not_finite_is_refused_with_its_place() {
        let error = ScoreTable::heads("test", "nats", vec![vec![1.0, f64::NAN]]).unwrap_err().to_string();
        assert!(error.starts_with("test: nats is NaN at L0H1: "), "{error}");
        let error = ScoreTable::<Head>::new("test", "nats", vec![0], vec![0, 1], vec![vec![1.0]]).unwrap_err();
        assert_eq!(error.to_string(), "test: a table of 1 rows and 2 columns needs a number for each cell");
    }

    #[test]
    fn a_heatmap_keeps_names_and_numbers() {
        let map = table(vec![vec![1.0, 2.0]]).heatmap();
        assert_eq!((map.rows, map.columns), (vec!["L0".to_owned()], vec!["H0".to_owned(), "H1".to_owned()]));
        assert_eq!((map.values, map.row_axis.as_str()), (vec![vec![1.0, 2.0]], "layer"));
    }

    #[test]
    fn a_record_keeps_a_table() {
        let table = table(vec![vec![1.0, 2.0]]);
        let kept = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<ScoreTable>(&kept).unwrap(), table);
    }
}

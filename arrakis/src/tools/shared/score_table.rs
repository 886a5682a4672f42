//! Scores by place: what every scan returns.

use std::ops::Deref;
use std::sync::Arc;

use arrakis_models::Tokens;
use serde::{Deserialize, Serialize};

use super::place::{Chosen, Head, Place};
use super::{common, finite};
use crate::context;
use crate::error::{Error, Result};
use crate::hypothesis::{IntoSample, Origin, Sample, Search, stats};
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
    /// The ids of the prompts that the scores were measured on, `[prompt]`; empty if they are not known. A search of the
    /// table remembers them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
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
    /// The search that chose the place; `None` for a cell that was not chosen by its score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
}

impl<P: Place> Chosen<P> for Score<P> {
    fn place(&self) -> &P {
        &self.place
    }

    fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }
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
        let table = Self { units: units.into(), rows, columns, values, per_prompt: Vec::new(), seen: Vec::new() };
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

    /// The table with the ids of the prompts that its scores were measured on. Scans of this crate do this; a tool of your
    /// own does it so that a claim about the best place of its table counts the search.
    #[must_use]
    pub fn measured_on(self, prompts: &Tokens) -> Self {
        Self { seen: common::prompt_ids(prompts), ..self }
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

    /// The score of a place for each prompt, or its only score, as the sample of a claim.
    ///
    /// For a [`Score`] that a ranking chose, from this table or another, the sample carries the search: a claim then counts
    /// its places as comparisons, unless this table was measured on other prompts. A bare place is taken as named before
    /// the measurement.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for a place that the table does not have.
    pub fn sample(&self, at: &impl Chosen<P>) -> Result<Sample> {
        let place = at.place();
        let Some(value) = self.get(place) else {
            let problem = format!(
                "there is no {} in a table of {} × {}; take a place of `cells()`",
                place.label(),
                self.rows.len(),
                self.columns.len()
            );
            return Err(Error::Value { of: "ScoreTable", problem });
        };
        let values = self.prompts(place).map_or_else(|| vec![value], <[f64]>::to_vec);
        let origin = Origin { place: place.label(), search: at.search().cloned(), prompts: self.seen.clone() };
        Ok(Sample::new(values)?.with_origin(origin))
    }

    /// Every score, row by row.
    pub fn cells(&self) -> impl Iterator<Item = Score<P>> {
        self.rows.iter().zip(&self.values).flat_map(|(row, values)| {
            self.columns.iter().zip(values).map(move |(column, value)| {
                let place = P::at(row, column);
                Score { label: place.label(), value: *value, place, search: None }
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
        self.ranked(k, "furthest from 0", f64::abs)
    }

    /// The `k` highest scores, highest first; ties in reading order.
    pub fn highest(&self, k: usize) -> Vec<Score<P>> {
        self.ranked(k, "highest", |value| value)
    }

    /// The `k` lowest scores, lowest first; ties in reading order.
    pub fn lowest(&self, k: usize) -> Vec<Score<P>> {
        self.ranked(k, "lowest", |value| -value)
    }

    /// The `k` scores furthest from a value, furthest first.
    pub fn furthest_from(&self, value: f64, k: usize) -> Vec<Score<P>> {
        self.ranked(k, &format!("furthest from {value}"), |own| (own - value).abs())
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
            seen: self.seen.clone(),
        }
    }

    fn index(&self, place: &P) -> Option<(usize, usize)> {
        let cells = (0..self.rows.len()).flat_map(|row| (0..self.columns.len()).map(move |column| (row, column)));
        let mut found = cells.filter(|(row, column)| P::at(&self.rows[*row], &self.columns[*column]) == *place);
        found.next()
    }

    fn ranked(&self, k: usize, by: &str, key: impl Fn(f64) -> f64) -> Vec<Score<P>> {
        let mut cells: Vec<Score<P>> = self.cells().collect();
        cells.sort_by(|a, b| key(b.value).total_cmp(&key(a.value)));
        cells.truncate(k);
        let search = Arc::new(Search { places: self.len(), by: by.to_owned(), prompts: self.seen.clone() });
        for cell in &mut cells {
            let per_prompt = self.prompts(&cell.place).unwrap_or_default();
            context::note_search(cell.value, per_prompt, &cell.label, &search);
            cell.search = Some(Search::clone(&search));
        }
        cells
    }
}

/// The score alone, with the search that chose it. [`ScoreTable::sample`] has the score of each prompt.
impl<P: Place> IntoSample for Score<P> {
    fn into_sample(self) -> Result<Sample> {
        let prompts = self.search.as_ref().map(|search| search.prompts.clone()).unwrap_or_default();
        let origin = Origin { place: self.label, search: self.search, prompts };
        Ok(Sample::new(vec![self.value])?.with_origin(origin))
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
    fn a_sample_of_a_chosen_place_carries_the_search_to_other_prompts() {
        let tokens = |id: u32| Tokens::new(vec![vec![id, 2], vec![id, 3]]).unwrap();
        let on = |id: u32, cells: Vec<Vec<f64>>| {
            ScoreTable::<Head>::of_prompts("test", "nats", vec![0], vec![0, 1], cells).unwrap().measured_on(&tokens(id))
        };
        let (select, test) = (on(7, vec![vec![1.0, 2.0], vec![5.0, 6.0]]), on(8, vec![vec![1.0, 1.0], vec![3.0, 4.0]]));
        let best = select.highest(1).remove(0);
        let same = select.sample(&best).unwrap();
        assert_eq!((same.values(), same.origin().unwrap().shared()), (&[5.0, 6.0][..], Some(2)));
        assert_eq!(same.origin().unwrap().selected().map(|search| search.places), Some(2));
        let fresh = test.sample(&best).unwrap();
        assert_eq!((fresh.values(), fresh.origin().unwrap().selected()), (&[3.0, 4.0][..], None));
        assert_eq!(fresh.origin().unwrap().search.as_ref().unwrap().by, "highest");
        assert_eq!(test.sample(&best.place).unwrap().origin().unwrap().search, None);
        let moved = select.moved("nats", 0.0, &[0.0, 0.0], 1.0);
        assert_eq!(moved.lowest(1)[0].search.as_ref().unwrap().prompts, select.seen);
        assert_eq!(best.into_sample().unwrap().origin().unwrap().shared(), Some(2));
        assert_eq!(
            test.sample(&Head { layer: 3, head: 0 }).unwrap_err().to_string(),
            "`ScoreTable`: there is no L3H0 in a table of 1 × 2; take a place of `cells()`"
        );
    }

    #[test]
    fn a_record_keeps_a_table() {
        let table = table(vec![vec![1.0, 2.0]]);
        let kept = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<ScoreTable>(&kept).unwrap(), table);
    }
}

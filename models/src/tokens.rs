//! Rows of token ids: a rectangle that marks its padding and computes positions.

use crate::error::{Error, Result};

/// A batch of prompts of equal length, shorter ones padded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    ids: Vec<Vec<u32>>,
    real: Vec<Vec<bool>>,
    positions: Vec<Vec<i64>>,
    types: Vec<Vec<u32>>,
}

/// The side on which padding goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before the tokens, so the last position of every row is its last token.
    Left,
    /// After the tokens.
    Right,
}

impl Tokens {
    /// Rows of one length.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyPrompt`], or [`Error::Ragged`] naming the first row that differs.
    pub fn new(rows: Vec<Vec<u32>>) -> Result<Self> {
        let length = rows.first().map_or(0, Vec::len);
        if length == 0 {
            return Err(Error::EmptyPrompt);
        }
        if let Some((row, ids)) = rows.iter().enumerate().find(|(_, ids)| ids.len() != length) {
            return Err(Error::Ragged { row, expected: length, actual: ids.len() });
        }
        let real = vec![vec![true; length]; rows.len()];
        Ok(Self::of(rows, real))
    }

    /// Rows of different lengths, padded with `pad`. Padding is masked, and each row's positions start at its first
    /// token.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyPrompt`] if a row is empty.
    pub fn padded(rows: &[Vec<u32>], side: Side, pad: u32) -> Result<Self> {
        let length = rows.iter().map(Vec::len).max().unwrap_or(0);
        if rows.is_empty() || rows.iter().any(Vec::is_empty) {
            return Err(Error::EmptyPrompt);
        }
        let fill = |count: usize| vec![pad; count];
        let (mut ids, mut real) = (Vec::new(), Vec::new());
        for row in rows {
            let (pads, hidden, seen) =
                (fill(length - row.len()), vec![false; length - row.len()], vec![true; row.len()]);
            match side {
                Side::Left => (ids.push([pads, row.clone()].concat()), real.push([hidden, seen].concat())),
                Side::Right => (ids.push([row.clone(), pads].concat()), real.push([seen, hidden].concat())),
            };
        }
        Ok(Self::of(ids, real))
    }

    /// Positions follow from the mask; all tokens are of type 0.
    fn of(ids: Vec<Vec<u32>>, real: Vec<Vec<bool>>) -> Self {
        let types = ids.iter().map(|row| vec![0; row.len()]).collect();
        Self { positions: positions(&real), ids, real, types }
    }

    /// Sets the attention mask, `true` where a token is real. Positions follow from it.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] if the shape differs, [`Error::EmptyPrompt`] if a row is all padding.
    pub fn with_mask(mut self, real: Vec<Vec<bool>>) -> Result<Self> {
        same_shape("entries of the attention mask", &self.ids, &real)?;
        if real.iter().any(|row| !row.contains(&true)) {
            return Err(Error::EmptyPrompt);
        }
        self.positions = positions(&real);
        self.real = real;
        Ok(self)
    }

    /// Sets the positions, which otherwise follow from the mask.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] if the shape differs, [`Error::NegativePosition`] for a position below 0.
    pub fn with_positions(mut self, positions: Vec<Vec<i64>>) -> Result<Self> {
        same_shape("positions", &self.ids, &positions)?;
        let mut of_row =
            positions.iter().enumerate().flat_map(|(row, own)| own.iter().map(move |position| (row, *position)));
        if let Some((row, position)) = of_row.find(|(_, position)| *position < 0) {
            return Err(Error::NegativePosition { row, position });
        }
        self.positions = positions;
        Ok(self)
    }

    /// Sets the type of each token, in models with token types: 1 for tokens of a pair's second text (BERT).
    ///
    /// # Errors
    ///
    /// [`Error::Count`] if the shape differs.
    pub fn with_types(mut self, types: Vec<Vec<u32>>) -> Result<Self> {
        same_shape("token types", &self.ids, &types)?;
        self.types = types;
        Ok(self)
    }

    /// `[batch][pos]` ids, including padding.
    pub fn ids(&self) -> &[Vec<u32>] {
        &self.ids
    }

    /// `[batch][pos]`: whether a token is real.
    pub fn real(&self) -> &[Vec<bool>] {
        &self.real
    }

    /// `[batch][pos]` positions.
    pub fn positions(&self) -> &[Vec<i64>] {
        &self.positions
    }

    /// `[batch][pos]` types, 0 unless given.
    pub fn types(&self) -> &[Vec<u32>] {
        &self.types
    }

    /// Number of rows.
    pub fn batch(&self) -> usize {
        self.ids.len()
    }

    /// Number of tokens in a row, including padding.
    pub fn pos(&self) -> usize {
        self.ids[0].len()
    }

    /// One row alone, without its padding.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if the row does not exist.
    pub fn row(&self, row: usize) -> Result<Self> {
        let ids = self.ids.get(row).ok_or_else(|| Error::out_of_range("row", row, self.batch()))?;
        let real =
            |row: &[u32], real: &[bool]| row.iter().zip(real).filter(|(_, real)| **real).map(|(id, _)| *id).collect();
        let (kept, types) = (real(ids, &self.real[row]), real(&self.types[row], &self.real[row]));
        Self::new(vec![kept])?.with_types(vec![types])
    }

    /// Some rows, with their padding.
    pub(crate) fn rows(&self, rows: std::ops::Range<usize>) -> Self {
        Self {
            ids: self.ids[rows.clone()].to_vec(),
            real: self.real[rows.clone()].to_vec(),
            positions: self.positions[rows.clone()].to_vec(),
            types: self.types[rows].to_vec(),
        }
    }

    /// Index of the last real token of each row.
    pub fn last_positions(&self) -> Vec<usize> {
        self.real.iter().map(|row| row.iter().rposition(|real| *real).expect("BUG: no row is all padding")).collect()
    }

    /// Adds one real token to each row, and returns the added column as tokens with their positions.
    pub(crate) fn extend(&mut self, column: &[u32]) -> Self {
        let mut added = Self { ids: Vec::new(), real: Vec::new(), positions: Vec::new(), types: Vec::new() };
        for (row, id) in column.iter().enumerate() {
            let last = self.real[row].iter().rposition(|real| *real).map_or(0, |slot| self.positions[row][slot] + 1);
            self.ids[row].push(*id);
            self.real[row].push(true);
            self.positions[row].push(last);
            self.types[row].push(0);
            added.ids.push(vec![*id]);
            added.real.push(vec![true]);
            added.positions.push(vec![last]);
            added.types.push(vec![0]);
        }
        added
    }

    /// A batch with every row `times` times: row 0, row 1, …, row 0, row 1, ….
    #[must_use]
    pub fn repeated(&self, times: usize) -> Self {
        fn times_over<T: Clone>(rows: &[Vec<T>], times: usize) -> Vec<Vec<T>> {
            std::iter::repeat_n(rows, times).flatten().cloned().collect()
        }
        Self {
            ids: times_over(&self.ids, times),
            real: times_over(&self.real, times),
            positions: times_over(&self.positions, times),
            types: times_over(&self.types, times),
        }
    }
}

/// Each row numbers its real tokens from 0; padding before the first token has position 0.
fn positions(real: &[Vec<bool>]) -> Vec<Vec<i64>> {
    let count = |row: &Vec<bool>| {
        let mut seen = 0i64;
        row.iter()
            .map(|real| {
                seen += i64::from(*real);
                (seen - 1).max(0)
            })
            .collect()
    };
    real.iter().map(count).collect()
}

fn same_shape<A, B>(what: &str, rows: &[Vec<A>], other: &[Vec<B>]) -> Result<()> {
    if rows.len() != other.len() {
        return Err(Error::Count { what: format!("rows of {what}"), expected: rows.len(), actual: other.len() });
    }
    let differing = rows.iter().zip(other).enumerate().find(|(_, (a, b))| a.len() != b.len());
    differing.map_or(Ok(()), |(row, (a, b))| {
        Err(Error::Count { what: format!("{what} in row {row}"), expected: a.len(), actual: b.len() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_padding_starts_positions_at_the_first_token() {
        let tokens = Tokens::padded(&[vec![5, 6, 7], vec![8]], Side::Left, 0).unwrap();
        assert_eq!(tokens.ids()[1], [0, 0, 8]);
        assert_eq!(tokens.positions(), [[0, 1, 2], [0, 0, 0]]);
        assert_eq!(tokens.row(1).unwrap().ids(), [[8]]);
        assert_eq!(tokens.last_positions(), [2, 2]);
    }

    #[test]
    fn a_row_of_another_length_is_named() {
        let error = Tokens::new(vec![vec![1, 2], vec![3]]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "row 1 of the batch has 1 tokens, the first has 2: pad them with `Tokens::padded`"
        );
    }

    #[test]
    fn a_negative_position_is_refused_with_its_row() {
        let tokens = Tokens::new(vec![vec![1, 2], vec![3, 4]]).unwrap();
        let error = tokens.clone().with_positions(vec![vec![0, 1], vec![0, -1]]).unwrap_err();
        assert_eq!(error.to_string(), "position -1 of row 1 is negative: positions given with the tokens start at 0");
        assert_eq!(tokens.with_positions(vec![vec![0, 1], vec![0, 7]]).unwrap().positions()[1], [0, 7]);
    }
}

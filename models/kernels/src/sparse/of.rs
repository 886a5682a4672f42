//! The numbers that are not zero, row by row.

use rayon::prelude::*;

use crate::memory::zeros;

/// One number in so many may be not zero: with more of them a product with all numbers is as fast.
const ONE_IN: usize = 8;

/// Rows that a thread takes at a time.
const ROWS: usize = 64;

/// Numbers that are looked at together.
const BLOCK: usize = 16;

/// A matrix by the numbers of each row that are not zero, in the order of the columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse {
    /// Where each row starts, and the end.
    pub(super) starts: Vec<usize>,
    pub(super) columns: Vec<u32>,
    pub(super) values: Vec<f32>,
    pub(super) width: usize,
}

impl Sparse {
    /// Of rows of `width` numbers; `None` if more than an eighth of them are not zero.
    ///
    /// # Panics
    ///
    /// If `width` is 0.
    pub fn of(numbers: &[f32], width: usize) -> Option<Self> {
        let not_zero = |rows: &[f32]| rows.iter().filter(|x| **x != 0.0).count();
        let count: usize = numbers.par_chunks(ROWS * width).map(not_zero).sum();
        if count > numbers.len() / ONE_IN {
            return None;
        }
        let parts: Vec<Part> = numbers.par_chunks(ROWS * width).map(|rows| Part::of(rows, width)).collect();
        let mut own = Self::with_room(count, width);
        for Part { lengths, columns, values } in parts {
            for length in lengths {
                own.starts.push(own.starts[own.starts.len() - 1] + length);
            }
            own.columns.extend(columns);
            own.values.extend(values);
        }
        Some(own)
    }

    fn with_room(count: usize, width: usize) -> Self {
        Self { starts: vec![0], columns: Vec::with_capacity(count), values: Vec::with_capacity(count), width }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The columns and numbers of a row.
    pub(super) fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let own = self.starts[row]..self.starts[row + 1];
        (&self.columns[own.clone()], &self.values[own])
    }

    /// Rows and columns exchanged.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut starts = vec![0; self.width + 1];
        self.columns.iter().for_each(|column| starts[*column as usize + 1] += 1);
        (0..self.width).for_each(|column| starts[column + 1] += starts[column]);
        let mut next = starts.clone();
        let (mut columns, mut values) = (vec![0; self.columns.len()], vec![0.0; self.values.len()]);
        for row in 0..self.rows() {
            let (own, numbers) = self.row(row);
            for (column, value) in own.iter().zip(numbers) {
                let place = &mut next[*column as usize];
                (columns[*place], values[*place]) = (row as u32, *value);
                *place += 1;
            }
        }
        Self { starts, columns, values, width: self.rows() }
    }

    /// All numbers of rows with other values in the same places, zeros elsewhere.
    ///
    /// # Panics
    ///
    /// If there are not as many values as places.
    pub fn scattered(&self, values: &[f32]) -> Vec<f32> {
        assert_eq!(values.len(), self.values.len(), "BUG: a value for each place");
        let mut out = zeros(self.rows() * self.width);
        out.par_chunks_mut(self.width).with_min_len(ROWS).enumerate().for_each(|(row, out)| {
            let own = self.starts[row]..self.starts[row + 1];
            for (column, value) in self.columns[own.clone()].iter().zip(&values[own]) {
                out[*column as usize] = *value;
            }
        });
        out
    }

    /// The sum of each row.
    pub fn sums(&self) -> Vec<f32> {
        (0..self.rows()).map(|row| self.row(row).1.iter().sum()).collect()
    }
}

/// What is not zero in some rows.
struct Part {
    lengths: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl Part {
    fn of(rows: &[f32], width: usize) -> Self {
        let mut own = Self { lengths: Vec::new(), columns: Vec::new(), values: Vec::new() };
        for row in rows.chunks_exact(width) {
            let before = own.values.len();
            for (at, block) in row.chunks(BLOCK).enumerate() {
                own.push(at * BLOCK, block);
            }
            own.lengths.push(own.values.len() - before);
        }
        own
    }

    /// Most blocks are zeros: of either sign, so the bit of the sign is shifted out.
    fn push(&mut self, from: usize, block: &[f32]) {
        if block.iter().fold(0, |any, x| any | (x.to_bits() << 1)) == 0 {
            return;
        }
        for (at, value) in block.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            self.columns.push((from + at) as u32);
            self.values.push(*value);
        }
    }
}

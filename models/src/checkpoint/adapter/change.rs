//! What an adapter does to one tensor of the base model.

use std::ops::Range;

/// A change of one tensor.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) enum Change {
    /// Other numbers, row-major.
    Replaced(Vec<f32>),
    /// A vector is added.
    Shifted(Vec<f32>),
    /// A product of two thin matrices is added, and each output may be scaled to a length of its own.
    LowRank(LowRank),
}

/// `(base + scale · left · right)`, then outputs times `lengths`.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct LowRank {
    /// `[rows, rank]`.
    pub(in crate::checkpoint) left: Vec<f32>,
    /// `[rank, columns]`.
    pub(in crate::checkpoint) right: Vec<f32>,
    pub(in crate::checkpoint) rank: usize,
    pub(in crate::checkpoint) rows: usize,
    pub(in crate::checkpoint) columns: usize,
    pub(in crate::checkpoint) scale: f32,
    /// Numbers that replace the base first.
    pub(in crate::checkpoint) base: Option<Vec<f32>>,
    /// Whether the outputs are rows.
    pub(in crate::checkpoint) out_in: bool,
    /// The length of each output's weights (DoRA).
    pub(in crate::checkpoint) magnitude: Option<Vec<f32>>,
    /// What each output is multiplied by, once its length before is known.
    pub(in crate::checkpoint) factors: Option<Vec<f32>>,
}

impl Change {
    /// Whether the numbers of the base are needed.
    pub(in crate::checkpoint) fn reads_base(&self) -> bool {
        match self {
            Self::Replaced(_) => false,
            Self::Shifted(_) => true,
            Self::LowRank(change) => change.base.is_none(),
        }
    }

    /// Turns elements of the base, row-major from element `first`, into those of the merged tensor.
    pub(in crate::checkpoint) fn apply(&self, first: usize, values: &mut [f32]) {
        match self {
            Self::Replaced(by) => values.copy_from_slice(&by[first..first + values.len()]),
            Self::Shifted(by) => values.iter_mut().zip(&by[first..]).for_each(|(value, add)| *value += add),
            Self::LowRank(change) => change.apply(first, values),
        }
    }
}

impl LowRank {
    fn apply(&self, first: usize, values: &mut [f32]) {
        if let Some(base) = &self.base {
            values.copy_from_slice(&base[first..first + values.len()]);
        }
        let mut done = 0;
        while done < values.len() {
            let (row, column) = ((first + done) / self.columns, (first + done) % self.columns);
            let count = (self.columns - column).min(values.len() - done);
            self.row(row, column..column + count, &mut values[done..done + count]);
            done += count;
        }
    }

    /// A part of one row. The product is summed first and scaled then, as in PEFT.
    fn row(&self, row: usize, columns: Range<usize>, values: &mut [f32]) {
        let mut product = vec![0.0; values.len()];
        for rank in 0..self.rank {
            let left = self.left[row * self.rank + rank];
            let right = &self.right[rank * self.columns..][columns.clone()];
            product.iter_mut().zip(right).for_each(|(sum, right)| *sum += left * right);
        }
        for ((value, add), column) in values.iter_mut().zip(product).zip(columns) {
            *value += self.scale * add;
            if let Some(factors) = &self.factors {
                *value *= factors[if self.out_in { row } else { column }];
            }
        }
    }

    /// Sets the factors of the outputs. `row` gives rows of the base.
    pub(in crate::checkpoint) fn measured<E>(
        mut self,
        mut row: impl FnMut(usize, &mut [f32]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let Some(magnitude) = self.magnitude.take() else { return Ok(self) };
        let mut squares = vec![0.0_f64; magnitude.len()];
        let mut values = vec![0.0; self.columns];
        for index in 0..self.rows {
            row(index, &mut values)?;
            self.apply(index * self.columns, &mut values);
            for (column, value) in values.iter().enumerate() {
                squares[if self.out_in { index } else { column }] += f64::from(*value).powi(2);
            }
        }
        let factors = magnitude.iter().zip(squares).map(|(length, square)| (f64::from(*length) / square.sqrt()) as f32);
        self.factors = Some(factors.collect());
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thin(out_in: bool, magnitude: Option<Vec<f32>>) -> LowRank {
        LowRank {
            left: vec![1.0, 2.0],
            right: vec![10.0, 20.0, 30.0],
            rank: 1,
            rows: 2,
            columns: 3,
            scale: 0.5,
            base: None,
            out_in,
            magnitude,
            factors: None,
        }
    }

    #[test]
    fn a_product_is_added_from_any_element_on() {
        let change = Change::LowRank(thin(true, None));
        let mut whole = [1.0; 6];
        change.apply(0, &mut whole);
        assert_eq!(whole, [6.0, 11.0, 16.0, 11.0, 21.0, 31.0]);
        let mut part = [1.0; 3];
        change.apply(2, &mut part);
        assert_eq!(part, whole[2..5]);
    }

    #[test]
    fn outputs_get_their_lengths() {
        let base = |_: usize, row: &mut [f32]| {
            row.fill(0.0);
            Ok::<(), ()>(())
        };
        let mut rows = [0.0; 6];
        Change::LowRank(thin(true, Some(vec![2.0, 3.0])).measured(base).unwrap()).apply(0, &mut rows);
        let length = |values: [f32; 3]| values.iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((length([rows[0], rows[1], rows[2]]) - 2.0).abs() < 1e-6);
        assert!((length([rows[3], rows[4], rows[5]]) - 3.0).abs() < 1e-6);
        let mut columns = [0.0; 6];
        Change::LowRank(thin(false, Some(vec![1.0, 2.0, 3.0])).measured(base).unwrap()).apply(0, &mut columns);
        assert!((length([columns[1], columns[4], 0.0]) - 2.0).abs() < 1e-6, "{columns:?}");
    }
}

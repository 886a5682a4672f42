//! The numbers of a site on one prompt.

/// Row-major numbers, without the batch axis and without padding.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    /// The length of each axis.
    pub(super) dims: Vec<usize>,
    /// All numbers.
    pub(super) values: Vec<f64>,
}

impl Array {
    /// The parts along the first axis.
    pub(super) fn parts(&self) -> Vec<Self> {
        let (count, dims) = (self.dims[0], self.dims[1..].to_vec());
        let size = self.values.len() / count.max(1);
        let part = |values: &[f64]| Self { dims: dims.clone(), values: values.to_vec() };
        self.values.chunks(size.max(1)).map(part).collect()
    }

    /// A matrix as rows: `[row][column]`. All axes but the last are joined.
    pub(super) fn rows(&self) -> Vec<Vec<f64>> {
        let columns = self.dims.last().copied().unwrap_or(1).max(1);
        self.values.chunks(columns).map(<[f64]>::to_vec).collect()
    }

    /// Keeps these indices of an axis.
    pub(super) fn select(&self, axis: usize, kept: &[usize]) -> Self {
        let after: usize = self.dims[axis + 1..].iter().product();
        let block = self.dims[axis] * after;
        let pick = |whole: &[f64]| kept.iter().flat_map(|at| whole[at * after..(at + 1) * after].to_vec()).collect();
        let values = self.values.chunks(block.max(1)).flat_map(|whole| -> Vec<f64> { pick(whole) }).collect();
        let mut dims = self.dims.clone();
        dims[axis] = kept.len();
        Self { dims, values }
    }
}

/// The mean; NaN of nothing.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value;
        count += 1.0;
    }
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_rows_and_selections_by_hand() {
        let array = Array { dims: vec![2, 2, 3], values: (0..12).map(f64::from).collect() };
        let parts = array.parts();
        assert_eq!((parts.len(), parts[1].rows()), (2, vec![vec![6.0, 7.0, 8.0], vec![9.0, 10.0, 11.0]]));
        assert_eq!(array.rows().len(), 4);
        let last = array.select(1, &[1]);
        assert_eq!((last.dims, last.values), (vec![2, 1, 3], vec![3.0, 4.0, 5.0, 9.0, 10.0, 11.0]));
        assert_eq!(array.select(2, &[2, 0]).rows()[0], [2.0, 0.0]);
        assert_eq!(mean([1.0, 2.0, 6.0]), 3.0);
        assert!(mean([]).is_nan());
    }
}

//! Matrices as columns, and the few operations decompositions need.

/// A matrix, column by column.
pub(super) type Columns = Vec<Vec<f64>>;

/// Uses four independent sums, so that no addition waits for the one before.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (fours, others) = (a.chunks_exact(4).zip(b.chunks_exact(4)), a.len() / 4 * 4);
    let mut sums = [0.0; 4];
    for (a, b) in fours {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a[others..].iter().zip(&b[others..]).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

pub(super) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// `a += factor * b`
pub(super) fn add(a: &mut [f64], factor: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
}

/// Basis vector `index` of `len` dimensions.
pub(super) fn unit(len: usize, index: usize) -> Vec<f64> {
    let mut unit = vec![0.0; len];
    unit[index] = 1.0;
    unit
}

/// Columns of `len` numbers times a matrix given by its columns.
pub(super) fn product(a: &Columns, b: &Columns, len: usize) -> Columns {
    let combined = |weights: &Vec<f64>| {
        let mut sum = vec![0.0; len];
        a.iter().zip(weights).for_each(|(column, weight)| add(&mut sum, *weight, column));
        sum
    };
    b.iter().map(combined).collect()
}

/// The transpose. `len` is the length of a column, and so the number of rows.
pub(super) fn transposed(a: &Columns, len: usize) -> Columns {
    (0..len).map(|row| a.iter().map(|column| column[row]).collect()).collect()
}

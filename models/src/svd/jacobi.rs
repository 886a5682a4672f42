//! Singular values by one-sided Jacobi: pairs of columns are rotated until all are orthogonal.
//!
//! Unlike QR iterations it needs no shifts, and it ends for every matrix, also with low rank, equal values or zeros.
//! Source: Demmel and Veselić, "Jacobi's method is more accurate than QR", 1992, algorithm 4.1.

use super::columns::{Columns, add, dot, norm, transposed, unit};

/// A pair whose product is below this, relative to the columns' lengths, counts as orthogonal. A column below this,
/// relative to the matrix, counts as zero.
const NEGLIGIBLE: f64 = 1e-14;

/// The most rounds over all pairs; about ten are needed.
const ROUNDS: usize = 60;

/// `a = u diag(s) vᵀ` with `min(rows, columns)` singular values, largest first; columns of `len` numbers.
pub(super) fn svd(a: Columns, len: usize) -> (Columns, Vec<f64>, Columns) {
    if a.len() > len {
        let width = a.len();
        let (v, s, u) = tall(transposed(&a, len), width);
        return (u, s, v);
    }
    tall(a, len)
}

/// The same for a matrix with at least as many rows as columns.
fn tall(mut a: Columns, len: usize) -> (Columns, Vec<f64>, Columns) {
    let width = a.len();
    let mut v: Columns = (0..width).map(|index| unit(width, index)).collect();
    let zero = NEGLIGIBLE * a.iter().map(|column| dot(column, column)).sum::<f64>().sqrt();
    for _ in 0..ROUNDS {
        let mut settled = true;
        for (left, right) in (0..width).flat_map(|left| (left + 1..width).map(move |right| (left, right))) {
            if let Some((cos, sin)) = rotation(&a[left], &a[right], zero) {
                rotate(&mut a, left, right, cos, sin);
                rotate(&mut v, left, right, cos, sin);
                settled = false;
            }
        }
        if settled {
            break;
        }
    }
    let mut found: Vec<(f64, Vec<f64>, Vec<f64>)> = a.into_iter().zip(v).map(|(a, v)| (norm(&a), a, v)).collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut u = Columns::new();
    for (value, column, _) in &found {
        u.push(if *value > zero { column.iter().map(|entry| entry / value).collect() } else { orthogonal(&u, len) });
    }
    let (s, v) = found.into_iter().map(|(value, _, v)| (value, v)).unzip();
    (u, s, v)
}

/// Cosine and sine of the angle that makes two columns orthogonal; `None` if they already are, or one is zero.
fn rotation(left: &[f64], right: &[f64], zero: f64) -> Option<(f64, f64)> {
    let (alpha, beta, gamma) = (dot(left, left), dot(right, right), dot(left, right));
    if alpha.min(beta) <= zero * zero || gamma.abs() <= NEGLIGIBLE * (alpha * beta).sqrt() {
        return None;
    }
    let zeta = (beta - alpha) / (2.0 * gamma);
    let tan = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
    let cos = 1.0 / tan.hypot(1.0);
    Some((cos, cos * tan))
}

fn rotate(columns: &mut Columns, left: usize, right: usize, cos: f64, sin: f64) {
    let (before, after) = columns.split_at_mut(right);
    for (a, b) in before[left].iter_mut().zip(&mut after[0]) {
        (*a, *b) = (cos * *a - sin * *b, sin * *a + cos * *b);
    }
}

/// A unit vector orthogonal to the given orthonormal ones: the remainder of the basis vector furthest from them. For
/// fewer than `len` vectors, some basis vector keeps at least `1 / len` of its squared length.
fn orthogonal(columns: &Columns, len: usize) -> Vec<f64> {
    let taken = |row: usize| columns.iter().map(|column| column[row] * column[row]).sum::<f64>();
    let furthest = (0..len).min_by(|a, b| taken(*a).total_cmp(&taken(*b))).unwrap_or(0);
    let mut left = unit(len, furthest);
    // The second pass removes rounding errors of the first.
    for _ in 0..2 {
        for column in columns {
            let along = dot(column, &left);
            add(&mut left, -along, column);
        }
    }
    let length = norm(&left);
    left.into_iter().map(|value| value / length).collect()
}

//! `a = q r` by Householder reflections. `q` is orthonormal whatever the rank of `a`.
//!
//! Source: Golub and Van Loan, "Matrix Computations", 4th edition, algorithm 5.2.1.

use super::columns::{Columns, add, dot, norm, unit};

/// Splits columns of `len` numbers into `min(len, columns)` orthonormal columns and the matrix that combines them.
pub(super) fn qr(mut a: Columns, len: usize) -> (Columns, Columns) {
    let thin = len.min(a.len());
    let mut mirrors = Vec::with_capacity(thin);
    for step in 0..thin {
        let mirror = mirror(&a[step][step..]);
        a[step..].iter_mut().for_each(|column| reflect(&mirror, &mut column[step..]));
        mirrors.push(mirror);
    }
    for column in &mut a {
        column.truncate(thin);
    }
    let mut q: Columns = (0..thin).map(|index| unit(len, index)).collect();
    for (step, mirror) in mirrors.iter().enumerate().rev() {
        // Earlier columns are still zero below the first row of this reflection.
        q[step..].iter_mut().for_each(|column| reflect(mirror, &mut column[step..]));
    }
    (q, a)
}

/// The normal of the reflection that maps `x` to the first axis. If `x` is zero it is zero, and reflects nothing.
fn mirror(x: &[f64]) -> Vec<f64> {
    let mut normal = x.to_vec();
    normal[0] += norm(x).copysign(x[0]);
    let length = norm(&normal);
    if length > 0.0 {
        for value in &mut normal {
            *value /= length;
        }
    }
    normal
}

fn reflect(normal: &[f64], x: &mut [f64]) {
    let along = dot(normal, x);
    add(x, -2.0 * along, normal);
}

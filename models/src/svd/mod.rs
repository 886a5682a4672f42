//! The singular value decomposition of products of thin matrices, without computing the products.
//!
//! This is our own, because Burn's `linalg::svd` (0.22.1) panics on some matrices below full rank.

mod columns;
mod jacobi;
mod qr;

use burn::tensor::{Tensor, TensorData};

use crate::device;
use crate::error::{Error, Result};
use columns::{Columns, product, transposed};

/// `a b = u diag(s) vᵀ` for each of `n` heads, with `k` singular values, largest first.
#[derive(Clone, Debug)]
pub struct Svd {
    /// `[n, l, k]`; columns are orthonormal.
    pub u: Tensor<3>,
    /// `[n, k]`
    pub s: Tensor<2>,
    /// `[n, r, k]`; columns are orthonormal. TransformerLens calls this `Vh`.
    pub v: Tensor<3>,
}

/// Decomposes `a b`, `[n, l, k] × [n, k, r]`. There are `min(l, k, r)` singular values.
///
/// Each factor is split into orthonormal columns and a rest, and only the product of the rests, at most `k × k`, is
/// decomposed. Computed in float64 on the CPU; the result is on the device of `a`. The sign of each pair of columns of
/// `u` and `v` is arbitrary.
///
/// The result is the same as that of `FactoredMatrix.svd` in TransformerLens 2.18.
///
/// # Errors
///
/// [`Error::Count`] for factors that cannot be multiplied, [`Error::NotFinite`] for numbers that are not finite,
/// [`Error::Device`] for a device that fails.
pub fn svd(a: &Tensor<3>, b: &Tensor<3>) -> Result<Svd> {
    let ([n, l, k], [m, j, r]) = (a.dims(), b.dims());
    for (what, expected, actual) in [("matrices of the second factor", n, m), ("rows of the second factor", k, j)] {
        if expected != actual {
            return Err(Error::Count { what: what.into(), expected, actual });
        }
    }
    // Row-major, so that the columns of both `a` and `bᵀ` are contiguous.
    let (left, right) = (numbers(&a.clone().swap_dims(1, 2))?, numbers(b)?);
    let of_head = |head| thin(columns(&left, head, [k, l]), columns(&right, head, [k, r]), [l, r]);
    let (mut u, mut s, mut v) = (Vec::new(), Vec::new(), Vec::new());
    for (u_head, s_head, v_head) in in_parallel(n, of_head) {
        u.extend(row_major(&u_head, l));
        s.extend(s_head.into_iter().map(|value| value as f32));
        v.extend(row_major(&v_head, r));
    }
    let (device, values) = (a.device(), l.min(k).min(r));
    Ok(Svd {
        u: Tensor::from_data(TensorData::new(u, [n, l, values]), &device),
        s: Tensor::from_data(TensorData::new(s, [n, values]), &device),
        v: Tensor::from_data(TensorData::new(v, [n, r, values]), &device),
    })
}

/// `a = u diag(s) vᵀ` of one matrix in float64, column by column.
#[derive(Clone, Debug)]
pub struct SvdOfColumns {
    /// The columns of `u`, orthonormal.
    pub u: Vec<Vec<f64>>,
    /// The singular values, largest first.
    pub s: Vec<f64>,
    /// The columns of `v`, orthonormal.
    pub v: Vec<Vec<f64>>,
}

/// Decomposes one matrix given by its columns, in float64. For a symmetric matrix without negative eigenvalues, such as a
/// covariance, `s` holds the eigenvalues and `u` their vectors. The time grows with the cube of the width.
///
/// # Errors
///
/// [`Error::Count`] for columns of different lengths, [`Error::NotFinite`] for numbers that are not finite.
pub fn svd_of_columns(columns: Vec<Vec<f64>>) -> Result<SvdOfColumns> {
    let len = columns.first().map_or(0, Vec::len);
    if let Some(other) = columns.iter().find(|column| column.len() != len) {
        return Err(Error::Count { what: "rows of a column".into(), expected: len, actual: other.len() });
    }
    if columns.iter().flatten().any(|value| !value.is_finite()) {
        return Err(Error::NotFinite { what: "a singular value decomposition" });
    }
    let (u, s, v) = jacobi::svd(columns, len);
    Ok(SvdOfColumns { u, s, v })
}

/// The results for `0..count`, in order, computed in one range a thread.
fn in_parallel<T: Send>(count: usize, find: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let each = count.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let find = &find;
        let run = |start: usize| scope.spawn(move || (start..count.min(start + each)).map(find).collect::<Vec<T>>());
        let running: Vec<_> = (0..count).step_by(each).map(run).collect();
        running.into_iter().flat_map(|run| run.join().expect("BUG: a decomposition panicked")).collect()
    })
}

/// Decomposes `a bᵀ`, given as columns of `l` and of `r` numbers.
fn thin(a: Columns, b: Columns, [l, r]: [usize; 2]) -> (Columns, Vec<f64>, Columns) {
    let ((q_a, r_a), (q_b, r_b)) = (qr::qr(a, l), qr::qr(b, r));
    let between = product(&r_a, &transposed(&r_b, q_b.len()), q_a.len());
    let (u, s, v) = jacobi::svd(between, q_a.len());
    (product(&q_a, &u, l), s, product(&q_b, &v, r))
}

/// The numbers in row-major order, which must be finite.
fn numbers(tensor: &Tensor<3>) -> Result<Vec<f32>> {
    let values = device::read(tensor.clone())?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(Error::NotFinite { what: "a singular value decomposition" });
    }
    Ok(values)
}

/// Matrix `head` of a stack of matrices `[count, len]`, with its rows as the columns.
fn columns(values: &[f32], head: usize, [count, len]: [usize; 2]) -> Columns {
    let own = &values[head * count * len..][..count * len];
    own.chunks(len.max(1)).map(|column| column.iter().copied().map(f64::from).collect()).collect()
}

fn row_major(columns: &Columns, len: usize) -> impl Iterator<Item = f32> {
    (0..len).flat_map(move |row| columns.iter().map(move |column| column[row] as f32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use rand::{Rng as _, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn tensor(values: Vec<f32>, dims: [usize; 3]) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values, dims), &Device::flex())
    }

    /// The largest difference.
    fn apart<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
        device::read((a - b).abs().max()).unwrap()[0]
    }

    /// Checks that `u diag(s) vᵀ` is `a b`, columns are orthonormal, and singular values are sorted and not negative.
    #[track_caller]
    fn holds(a: &Tensor<3>, b: &Tensor<3>) {
        let (dense, svd) = (a.clone().matmul(b.clone()), svd(a, b).unwrap());
        let size = device::read(dense.clone().abs().max()).unwrap()[0].max(1e-30);
        let again = (svd.u.clone() * svd.s.clone().unsqueeze_dim::<3>(1)).matmul(svd.v.clone().swap_dims(1, 2));
        assert!(apart(again, dense) <= 1e-5 * size.max(1.0), "{:?} × {:?}", a.dims(), b.dims());
        for columns in [svd.u, svd.v] {
            let [n, _, k] = columns.dims();
            let unit = Tensor::<2>::eye(k, &Device::flex()).unsqueeze::<3>().expand([n, k, k]);
            assert!(apart(columns.clone().swap_dims(1, 2).matmul(columns), unit) <= 1e-5);
        }
        let k = svd.s.dims()[1];
        for row in device::read(svd.s).unwrap().chunks(k) {
            assert!(row.windows(2).all(|pair| pair[0] >= pair[1]) && row[k - 1] >= 0.0, "{row:?}");
        }
    }

    #[test]
    fn by_hand() {
        // [3, 4]ᵀ [2, 0] has the one singular value 5 · 2, along [3, 4] / 5 and [1, 0].
        let svd = svd(&tensor(vec![3.0, 4.0], [1, 2, 1]), &tensor(vec![2.0, 0.0], [1, 1, 2])).unwrap();
        assert!(apart(svd.s, Tensor::from_floats([[10.0]], &Device::flex())) < 1e-5);
        assert!(apart(svd.u.abs(), tensor(vec![0.6, 0.8], [1, 2, 1])) < 1e-6);
        assert!(apart(svd.v.abs(), tensor(vec![1.0, 0.0], [1, 2, 1])) < 1e-6);
    }

    #[test]
    fn any_shape_is_decomposed() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut random =
            |dims: [usize; 3]| tensor((0..dims.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect(), dims);
        for [n, l, k, r] in [[1, 1, 1, 1], [3, 7, 2, 5], [2, 3, 6, 4], [1, 2, 5, 9], [2, 4, 4, 4], [1, 20, 8, 20]] {
            holds(&random([n, l, k]), &random([n, k, r]));
        }
    }

    #[test]
    fn difficult_matrices_are_decomposed() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for case in 0..600 {
            let [l, k, r] = [0; 3].map(|_| rng.random_range(1..9_usize));
            let mut entry = |_| match case % 6 {
                0 => 0.0,
                1 => f32::from(u8::from(rng.random_bool(0.2))),
                2 => 1.0,
                3 => 10f32.powi(rng.random_range(-30..4)),
                4 => (rng.random_range(0..3_i8)).into(),
                _ => rng.random_range(-1e-38..1e-38),
            };
            let a = tensor((0..l * k).map(&mut entry).collect(), [1, l, k]);
            let b = tensor((0..k * r).map(&mut entry).collect(), [1, k, r]);
            holds(&a, &b);
        }
    }

    #[test]
    fn a_symmetric_matrix_has_its_eigenvalues_and_their_vectors() {
        // [[2, 1], [1, 2]] has the eigenvalues 3 along (1, 1) and 1 along (1, -1).
        let SvdOfColumns { u, s, v } = svd_of_columns(vec![vec![2.0, 1.0], vec![1.0, 2.0]]).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        let pairs = [(s[0], 3.0), (s[1], 1.0), (u[0][0], u[0][1]), (u[1][0], -u[1][1])];
        for (a, b) in pairs {
            near(a, b);
        }
        u.iter().zip(&v).for_each(|(u, v)| near(u[0] * v[0] + u[1] * v[1], 1.0));
        let error = svd_of_columns(vec![vec![1.0], vec![1.0, 2.0]]).unwrap_err();
        assert_eq!(error.to_string(), "expected 1 rows of a column, got 2");
    }

    #[test]
    fn factors_that_cannot_be_decomposed_are_refused() {
        let error = svd(&tensor(vec![1.0, f32::NAN], [1, 2, 1]), &tensor(vec![1.0], [1, 1, 1])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a singular value decomposition needs finite numbers: a matrix holds NaN or infinity"
        );
        let error = svd(&tensor(vec![1.0], [1, 1, 1]), &tensor(vec![1.0, 2.0], [1, 2, 1])).unwrap_err();
        assert_eq!(error.to_string(), "expected 1 rows of the second factor, got 2");
    }
}

//! Products of thin matrices, kept in factors.

use arrakis_models::{Svd, svd};
use burn::tensor::Tensor;

use super::common;
use crate::error::{Error, Result};

/// `a b` for each of `n` heads, `[n, l, k] × [n, k, r]` with a small `k`: `W_V W_O`, or `W_Q W_Kᵀ`.
///
/// A head's `d_model × d_model` circuit is never multiplied out, so norms and products cost `k²` and not `l r`.
///
/// Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021.
#[derive(Clone, Debug)]
pub struct FactoredMatrix {
    /// `[n, l, k]`
    pub a: Tensor<3>,
    /// `[n, k, r]`
    pub b: Tensor<3>,
}

impl FactoredMatrix {
    /// The product of two stacks of matrices.
    ///
    /// # Errors
    ///
    /// Shapes that do not fit.
    pub fn new(a: Tensor<3>, b: Tensor<3>) -> Result<Self> {
        let ([n, _, k], [m, j, _]) = (a.dims(), b.dims());
        if n == m && k == j {
            return Ok(Self { a, b });
        }
        Err(Error::Value {
            of: "FactoredMatrix",
            problem: format!("{:?} × {:?} cannot be multiplied; give [n, l, k] and [n, k, r]", a.dims(), b.dims()),
        })
    }

    /// The number of matrices.
    pub fn len(&self) -> usize {
        self.a.dims()[0]
    }

    /// Whether there are no matrices.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of the matrices, as a stack of one.
    ///
    /// # Errors
    ///
    /// An index out of range.
    pub fn head(&self, index: usize) -> Result<Self> {
        common::within("head", index, self.len())?;
        Ok(Self { a: self.a.clone().narrow(0, index, 1), b: self.b.clone().narrow(0, index, 1) })
    }

    /// Each matrix transposed: `bᵀ aᵀ`.
    #[must_use]
    pub fn transposed(&self) -> Self {
        Self { a: self.b.clone().swap_dims(1, 2), b: self.a.clone().swap_dims(1, 2) }
    }

    /// Each matrix times its partner in `other`, still factored: `a (b a' b')`.
    ///
    /// # Errors
    ///
    /// Shapes that do not fit.
    pub fn product(&self, other: &Self) -> Result<Self> {
        let ([n, _, r], [m, l, _]) = ([self.len(), 0, self.b.dims()[2]], other.a.dims());
        if n != m || r != l {
            return Err(Error::Value {
                of: "FactoredMatrix",
                problem: format!("cannot multiply {n} matrices with {r} columns by {m} matrices with {l} rows"),
            });
        }
        let inner = self.b.clone().matmul(other.a.clone());
        Self::new(self.a.clone(), inner.matmul(other.b.clone()))
    }

    /// Multiplied out: `[n, l, r]`. For small matrices.
    pub fn dense(&self) -> Tensor<3> {
        self.a.clone().matmul(self.b.clone())
    }

    /// The Frobenius norm of each matrix, `[n]`: `‖a b‖² = Σ (aᵀa) ∘ (b bᵀ)`.
    ///
    /// # Errors
    ///
    /// A device that fails.
    pub fn norms(&self) -> Result<Vec<f64>> {
        let squares = (self.left_gram() * self.right_gram()).sum_dim(2).sum_dim(1);
        Ok(common::numbers(squares)?.into_iter().map(root).collect())
    }

    /// The Frobenius norm of every matrix of this stack times every matrix of another, `[n][n']`: with `m = b a'`,
    /// `‖a m b'‖² = Σ (aᵀa m) ∘ (m b'b'ᵀ)`.
    ///
    /// # Errors
    ///
    /// Matrices whose number of columns is not the other's number of rows.
    pub fn product_norms(&self, other: &Self) -> Result<Vec<Vec<f64>>> {
        let ([n, k, r], [m, l, j]) = (self.b.dims(), other.a.dims());
        if r != l {
            return Err(Error::Value {
                of: "FactoredMatrix",
                problem: format!("cannot multiply matrices with {r} columns by matrices with {l} rows"),
            });
        }
        let middle = self
            .b
            .clone()
            .reshape([n, 1, k, r])
            .expand([n, m, k, r])
            .matmul(other.a.clone().reshape([1, m, l, j]).expand([n, m, l, j]));
        let left = self.left_gram().reshape([n, 1, k, k]).expand([n, m, k, k]).matmul(middle.clone());
        let right = middle.matmul(other.right_gram().reshape([1, m, j, j]).expand([n, m, j, j]));
        let squares = (left * right).sum_dim(3).sum_dim(2).reshape([n, m]);
        Ok(common::rows(squares)?.into_iter().map(|row| row.into_iter().map(root).collect()).collect())
    }

    /// The singular value decomposition of each matrix, `u diag(s) vᵀ`, with `m` the smallest of `l`, `k` and `r`:
    ///
    /// - `u` `[n, l, m]`,
    /// - `s` `[n, m]`, largest first,
    /// - `v` `[n, r, m]` (which TransformerLens calls `Vh`).
    ///
    /// Signs are arbitrary.
    ///
    /// # Errors
    ///
    /// Numbers that are not finite, a device that fails.
    pub fn svd(&self) -> Result<Svd> {
        Ok(svd(&self.a, &self.b)?)
    }

    /// The singular values of each matrix, largest first: `[n][m]`.
    ///
    /// # Errors
    ///
    /// Those of [`FactoredMatrix::svd`].
    pub fn singular_values(&self) -> Result<Vec<Vec<f64>>> {
        common::rows(self.svd()?.s)
    }

    /// The same matrices with the singular values shared evenly by both factors: `a = u √s`, `b = √s vᵀ`.
    ///
    /// # Errors
    ///
    /// Those of [`FactoredMatrix::svd`].
    pub fn even(&self) -> Result<Self> {
        let Svd { u, s, v } = self.svd()?;
        let root = s.sqrt().unsqueeze_dim::<3>(1);
        Self::new(u * root.clone(), (v * root).swap_dims(1, 2))
    }

    /// `aᵀ a`, `[n, k, k]`.
    fn left_gram(&self) -> Tensor<3> {
        self.a.clone().swap_dims(1, 2).matmul(self.a.clone())
    }

    /// `b bᵀ`, `[n, k, k]`.
    fn right_gram(&self) -> Tensor<3> {
        self.b.clone().matmul(self.b.clone().swap_dims(1, 2))
    }
}

/// The root of a square that rounding may leave slightly below zero. NaN stays NaN.
fn root(square: f64) -> f64 {
    if square < 0.0 { 0.0 } else { square.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture};
    use arrakis_models::device;
    use burn::tensor::Device;

    fn norm(dense: Tensor<3>) -> f64 {
        f64::from(device::read((dense.clone() * dense).sum()).unwrap()[0]).sqrt()
    }

    #[test]
    fn by_hand() {
        let a = Tensor::<3>::from_floats([[[1.0], [2.0]]], &Device::flex());
        let b = Tensor::<3>::from_floats([[[3.0, 0.0, 4.0]]], &Device::flex());
        let matrix = FactoredMatrix::new(a, b).unwrap();
        close(matrix.norms().unwrap()[0], 5.0f64.sqrt() * 5.0, 1e-5);
        assert_eq!(matrix.transposed().dense().dims(), [1, 3, 2]);
        let broken = FactoredMatrix::new(matrix.a * f32::NAN, matrix.b).unwrap();
        assert!(broken.norms().unwrap()[0].is_nan(), "the norm of NaN is NaN");
    }

    #[test]
    fn norms_and_products_are_those_of_the_dense_matrices() {
        let model = fixture("llama");
        let ov = |layer| FactoredMatrix::new(model.w_v(layer).unwrap(), model.w_o(layer).unwrap()).unwrap();
        let (first, second) = (ov(0), ov(1));
        let all = first.product_norms(&second).unwrap();
        for (head, row) in all.iter().enumerate() {
            close(first.norms().unwrap()[head], norm(first.head(head).unwrap().dense()), 1e-5);
            for (other, low_rank) in row.iter().enumerate() {
                let product = first.head(head).unwrap().product(&second.head(other).unwrap()).unwrap();
                let dense = first.head(head).unwrap().dense().matmul(second.head(other).unwrap().dense());
                close(*low_rank, norm(dense.clone()), 1e-5 * norm(dense.clone()).max(1.0));
                close(product.norms().unwrap()[0], norm(dense), 1e-4);
            }
        }
    }

    #[test]
    fn singular_values_and_even_factors_are_those_of_the_dense_matrices() {
        let model = fixture("gpt2");
        let ov = FactoredMatrix::new(model.w_v(0).unwrap(), model.w_o(0).unwrap()).unwrap();
        for (values, norm) in ov.singular_values().unwrap().iter().zip(ov.norms().unwrap()) {
            assert_eq!(values.len(), model.config().d_head);
            close(values.iter().map(|value| value * value).sum::<f64>().sqrt(), norm, 1e-5 * norm.max(1.0));
        }
        let even = ov.even().unwrap();
        assert!(norm(even.dense() - ov.dense()) < 1e-5);
        let (left, right) = (even.left_gram(), even.right_gram());
        assert!(norm(left - right) < 1e-5, "both factors carry the singular values");
    }

    /// `tests/fixtures/svd`: numpy's decomposition of the dense products, in float64.
    #[test]
    fn numpy_finds_the_same() {
        #[derive(serde::Deserialize)]
        struct Case {
            a: Vec<Vec<Vec<f32>>>,
            b: Vec<Vec<Vec<f32>>>,
            u: Vec<Vec<Vec<f32>>>,
            s: Vec<Vec<f32>>,
            v: Vec<Vec<Vec<f32>>>,
        }
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/svd/svd.json");
        let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!(cases.len(), 3);
        for case in cases {
            let [a, b, u, v] = [&case.a, &case.b, &case.u, &case.v].map(|stack| tensor(stack));
            let found = FactoredMatrix::new(a, b).unwrap().svd().unwrap();
            for (got, expected) in device::read(found.s).unwrap().iter().zip(case.s.concat()) {
                close(*got, expected, 1e-6 * f64::from(case.s[0][0]));
            }
            // Up to the sign of each column, the same in both.
            let signs = (found.u.clone() * u.clone()).sum_dim(1).sign();
            assert!(norm(found.u * signs.clone() - u) < 1e-4);
            assert!(norm(found.v * signs - v) < 1e-4);
        }
    }

    fn tensor(stack: &[Vec<Vec<f32>>]) -> Tensor<3> {
        let dims = [stack.len(), stack[0].len(), stack[0][0].len()];
        Tensor::from_data(burn::tensor::TensorData::new(stack.concat().concat(), dims), &Device::flex())
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let zeros = |shape| Tensor::<3>::zeros(shape, &Device::flex());
        let error = FactoredMatrix::new(zeros([1, 2, 3]), zeros([1, 2, 3])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`FactoredMatrix`: [1, 2, 3] × [1, 2, 3] cannot be multiplied; give [n, l, k] and [n, k, r]"
        );
    }
}

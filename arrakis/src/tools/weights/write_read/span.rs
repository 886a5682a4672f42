//! The span of some directions.

use burn::tensor::Tensor;

use crate::error::{Error, Result};
use crate::tools::shared::common;

/// An orthonormal basis of the span of `directions` (`[n, d_model]`), `[basis][d_model]`. Errors name `tool`.
pub(super) fn basis(tool: &'static str, directions: Tensor<2>, d_model: usize) -> Result<Vec<Vec<f32>>> {
    let refuse = |problem: String| Err(Error::Tool { tool, problem });
    let [_, width] = directions.dims();
    if width != d_model {
        return refuse(format!(
            "directions have {width} numbers each and the stream has {d_model}; give `[n, d_model]`"
        ));
    }
    let rows = common::rows(directions)?;
    if let Some(row) = rows.iter().position(|row| row.iter().any(|x| !x.is_finite())) {
        return refuse(format!("direction {row} has a number that is not finite; leave it out"));
    }
    let basis = orthonormal(&rows);
    if basis.is_empty() {
        return refuse("the directions span nothing; give at least one that is not zero".into());
    }
    Ok(basis)
}

/// An orthonormal basis of the span of some vectors (Gram–Schmidt, twice for accuracy). Dependent vectors are dropped.
fn orthonormal(vectors: &[Vec<f64>]) -> Vec<Vec<f32>> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for vector in vectors {
        let mut rest = vector.clone();
        let length = dot(&rest, &rest).sqrt();
        for known in basis.iter().chain(&basis) {
            let along = dot(&rest, known);
            rest.iter_mut().zip(known).for_each(|(rest, known)| *rest -= along * known);
        }
        let left = dot(&rest, &rest).sqrt();
        if left > 1e-6 * length && left > 0.0 {
            basis.push(rest.into_iter().map(|value| value / left).collect());
        }
    }
    basis.into_iter().map(|vector| vector.into_iter().map(|value| value as f32).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependent_vectors_are_dropped() {
        let basis = orthonormal(&[vec![3.0, 0.0], vec![-1.0, 0.0], vec![1.0, 2.0], vec![0.0, 0.0]]);
        assert_eq!(basis, [[1.0, 0.0], [0.0, 1.0]]);
    }
}

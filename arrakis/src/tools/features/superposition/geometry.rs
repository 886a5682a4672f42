//! How features share dimensions.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::basis::dot;
use super::{Superposition, refuse};
use crate::error::Result;
use crate::tools::shared::common;

/// How features share the dimensions of a space (Elhage et al., "Toy Models of Superposition", 2022).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureGeometry {
    /// The length of each feature's direction, `‖W_i‖`: `[feature]`.
    pub norms: Vec<f64>,
    /// The dimensions that each feature has, `‖W_i‖² / Σ_j (Ŵ_i · W_j)²`, from 0 to 1: `[feature]`. The sum includes the
    /// feature itself.
    pub dimensionality: Vec<f64>,
    /// How much the other features write along each one, `Σ_{j≠i} (Ŵ_i · W_j)²`, in squared units of `W`: `[feature]`.
    pub interference: Vec<f64>,
    /// `‖W‖_F² / m` for `m` dimensions: the number of features for each dimension, if represented ones have length 1.
    pub features_per_dimension: f64,
}

impl Superposition {
    /// The geometry of features with these directions, `[feature, d]`: rows of a decoder, of `W_E`, of `W_out`.
    ///
    /// # Errors
    ///
    /// No directions, or one with a number that is not finite.
    pub fn feature_geometry(&self, directions: Tensor<2>) -> Result<FeatureGeometry> {
        let [features, d] = directions.dims();
        if features == 0 || d == 0 {
            return Err(refuse(format!(
                "the directions have shape [{features}, {d}]; give at least one of some width"
            )));
        }
        let rows = common::rows(directions)?;
        if let Some(bad) = rows.iter().position(|row| row.iter().any(|value| !value.is_finite())) {
            return Err(refuse(format!("direction {bad} has a number that is not finite; leave it out")));
        }
        Ok(geometry(&rows))
    }
}

pub(super) fn geometry(directions: &[Vec<f64>]) -> FeatureGeometry {
    let squares: Vec<f64> = directions.iter().map(|own| dot(own, own)).collect();
    let sum = |own: &Vec<f64>| directions.iter().map(|other| dot(own, other).powi(2)).sum();
    let along: Vec<f64> = directions.iter().map(sum).collect();
    // A feature of length zero has no direction: it has no dimensions and meets no interference.
    let share = |(square, along): (&f64, &f64)| if *square > 0.0 { square * square / along } else { 0.0 };
    let others = |(square, along): (&f64, &f64)| if *square > 0.0 { (along / square - square).max(0.0) } else { 0.0 };
    FeatureGeometry {
        norms: squares.iter().map(|square| square.sqrt()).collect(),
        dimensionality: squares.iter().zip(&along).map(share).collect(),
        interference: squares.iter().zip(&along).map(others).collect(),
        features_per_dimension: squares.iter().sum::<f64>() / directions[0].len() as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Tool;
    use crate::tools::testing::{close, fixture};
    use std::f64::consts::TAU;

    fn polygon(corners: usize, radius: f64) -> Vec<Vec<f64>> {
        let angles = (0..corners).map(|corner| TAU * corner as f64 / corners as f64);
        angles.map(|angle| vec![radius * angle.cos(), radius * angle.sin()]).collect()
    }

    /// Of `n ≥ 3` corners `Σ cos² = n/2`, so each has `2/n` dimensions; an antipodal pair (a digon) has 1/2 each.
    #[test]
    fn polygons_have_the_dimensionality_of_the_paper() {
        for (corners, expected) in [(2, 0.5), (3, 2.0 / 3.0), (4, 0.5), (5, 0.4), (600, 2.0 / 600.0)] {
            for radius in [1.0, 3.0] {
                let found = geometry(&polygon(corners, radius));
                found.dimensionality.iter().for_each(|share| close(*share, expected, 1e-9));
                let others = radius * radius * (1.0 / expected - 1.0);
                found.interference.iter().for_each(|sum| close(*sum, others, 1e-9 * others.max(1.0)));
                close(
                    found.features_per_dimension,
                    corners as f64 * radius * radius / 2.0,
                    1e-9 * corners as f64 * 9.0,
                );
                close(found.norms[0], radius, 1e-12);
            }
        }
    }

    #[test]
    fn orthogonal_features_have_a_dimension_each_and_absent_ones_none() {
        let found = geometry(&[vec![2.0, 0.0, 0.0], vec![0.0, 5.0, 0.0], vec![0.0, 0.0, 0.0]]);
        assert_eq!((found.dimensionality, found.interference), (vec![1.0, 1.0, 0.0], vec![0.0; 3]));
    }

    #[test]
    fn the_dimensions_of_all_features_are_at_most_those_of_the_space() {
        let model = fixture("gpt2");
        let found = Superposition::new(&model).unwrap().feature_geometry(model.w_e()).unwrap();
        assert_eq!(found.dimensionality.len(), 120);
        let sum: f64 = found.dimensionality.iter().sum();
        assert!(sum > 1.0 && sum <= 32.0 + 1e-9, "{sum}");
        let nan = Tensor::<2>::full([2, 3], f32::NAN, model.device());
        let error = Superposition::new(&model).unwrap().feature_geometry(nan).unwrap_err().to_string();
        assert_eq!(error, "superposition: direction 0 has a number that is not finite; leave it out");
    }
}

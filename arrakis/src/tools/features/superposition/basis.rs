//! Directions of activations, with the way there and back.

use arrakis_models::svd_of_columns;
use serde::{Deserialize, Serialize};

use super::{Superposition, refuse};
use crate::corpus::Covariance;
use crate::error::Result;

/// Components of activations, by the variance they carry, largest first.
///
/// An activation `x` has the coordinates `readers · (x - mean)`, and coordinates `c` stand for `mean + Σ c_i writers_i`.
/// For principal components readers and writers are the same orthonormal vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// The site.
    pub site: String,
    /// The mean of the activations, `[d]`.
    pub mean: Vec<f64>,
    /// What reads each coordinate, `[component][d]`.
    pub readers: Vec<Vec<f64>>,
    /// What each coordinate writes, `[component][d]`.
    pub writers: Vec<Vec<f64>>,
    /// The variance that each component carries, summed over dimensions: `[component]`.
    pub variances: Vec<f64>,
    /// The variance of the activations, summed over dimensions.
    pub variance: f64,
}

impl Basis {
    /// The fraction of the variance that all components carry together.
    pub fn explained(&self) -> f64 {
        self.variances.iter().sum::<f64>() / self.variance
    }

    /// The coordinates of activations: `[token][d]` to `[token][component]`.
    ///
    /// # Errors
    ///
    /// Activations of another width than the site's.
    pub fn project_activations(&self, activations: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
        let coordinates = |activation: &Vec<f64>| {
            self.check(activation.len(), self.mean.len(), "an activation")?;
            let moved: Vec<f64> = activation.iter().zip(&self.mean).map(|(x, mean)| x - mean).collect();
            Ok(self.readers.iter().map(|reader| dot(reader, &moved)).collect())
        };
        activations.iter().map(coordinates).collect()
    }

    /// The activations of coordinates: `[token][component]` to `[token][d]`. With all components it undoes
    /// [`Basis::project_activations`].
    ///
    /// # Errors
    ///
    /// Coordinates of another number of components.
    pub fn reconstruct_activations(&self, coordinates: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
        let activation = |coordinates: &Vec<f64>| {
            self.check(coordinates.len(), self.writers.len(), "a list of coordinates")?;
            let mut sum = self.mean.clone();
            for (size, writer) in coordinates.iter().zip(&self.writers) {
                sum.iter_mut().zip(writer).for_each(|(sum, writer)| *sum += size * writer);
            }
            Ok(sum)
        };
        coordinates.iter().map(activation).collect()
    }

    /// The activation between those of two lists of coordinates, `[d]`: `alpha` 0 is the first, 1 the second, and numbers
    /// outside go beyond them.
    ///
    /// # Errors
    ///
    /// Coordinates of another number of components.
    pub fn interpolate_concepts(&self, from: &[f64], to: &[f64], alpha: f64) -> Result<Vec<f64>> {
        self.check(to.len(), from.len(), "a list of coordinates")?;
        let between = from.iter().zip(to).map(|(from, to)| (1.0 - alpha) * from + alpha * to).collect();
        Ok(self.reconstruct_activations(&[between])?.remove(0))
    }

    fn check(&self, actual: usize, expected: usize, what: &str) -> Result<()> {
        if actual == expected {
            return Ok(());
        }
        Err(refuse(format!("{what} of `{}` has {expected} numbers, got {actual}", self.site)))
    }
}

impl Superposition {
    /// The `components` principal components of a covariance (PCA): orthonormal directions of the largest variance.
    ///
    /// # Errors
    ///
    /// More components than dimensions, or none; a covariance of zero.
    pub fn disentangle_superposition(&self, covariance: &Covariance, components: usize) -> Result<Basis> {
        principal(covariance, components)
    }
}

pub(super) fn principal(covariance: &Covariance, components: usize) -> Result<Basis> {
    let d = covariance.mean().len();
    if !(1..=d).contains(&components) {
        return Err(refuse(format!(
            "there are {d} dimensions, so there cannot be {components} components; give 1 to {d}"
        )));
    }
    let matrix = covariance.covariance()?;
    let variance: f64 = (0..d).map(|d| matrix[d][d]).sum();
    // Float32 rounds a mean, so what is the same everywhere seems to vary by that much.
    let rounding: f64 = covariance.mean().iter().map(|mean| (mean * f64::from(f32::EPSILON)).powi(2)).sum();
    if variance <= rounding {
        return Err(refuse(format!("`{}` is the same at every token, so it has no components", covariance.site())));
    }
    // A covariance is symmetric and has no negative eigenvalues: its singular values are those.
    let found = svd_of_columns(matrix)?;
    let readers: Vec<Vec<f64>> = found.u.into_iter().take(components).map(signed).collect();
    Ok(Basis {
        site: covariance.site().to_owned(),
        mean: covariance.mean().to_vec(),
        writers: readers.clone(),
        readers,
        variances: found.s.into_iter().take(components).collect(),
        variance,
    })
}

/// The vector or its negative: the one whose entry of largest size is positive.
pub(super) fn signed(vector: Vec<f64>) -> Vec<f64> {
    let largest = vector.iter().copied().fold(0.0, |best: f64, x| if x.abs() > best.abs() { x } else { best });
    if largest < 0.0 { vector.into_iter().map(|x| -x).collect() } else { vector }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Tool;
    use crate::tools::testing::{close, fixture};

    const SITE: &str = "blocks.0.resid_post";

    fn tokens() -> Vec<Vec<u32>> {
        (0..8).map(|row| (0..8).map(|at| (row * 37 + at * 11 + row * at) % 120).collect()).collect()
    }

    /// The points (2, 2), (-2, -2), (1, -1) and (-1, 1): variances of 16/3 along (1, 1) and of 4/3 along (1, -1).
    #[test]
    fn by_hand() {
        let mut covariance = Covariance::new("embed");
        let mut points = vec![3.0, 3.0, -1.0, -1.0, 2.0, 0.0, 0.0, 2.0];
        super::super::covariance::add(&mut covariance, &mut points, 2).unwrap();
        let basis = principal(&covariance, 2).unwrap();
        let half = 0.5f64.sqrt();
        let numbers = [basis.mean.clone(), basis.variances.clone(), basis.readers[0].clone()].concat();
        for (a, b) in numbers.iter().zip([1.0, 1.0, 16.0 / 3.0, 4.0 / 3.0, half, half]) {
            close(*a, b, 1e-5);
        }
        let coordinates = basis.project_activations(&[vec![3.0, 3.0]]).unwrap();
        close(coordinates[0][0], 2.0 * 2f64.sqrt(), 1e-5);
        close(coordinates[0][1], 0.0, 1e-5);
    }

    #[test]
    fn all_components_reconstruct_every_activation_and_fewer_lose_their_variance() {
        let tool = Superposition::new(&fixture("gpt2")).unwrap();
        let covariance = tool.compute_activation_covariance(tokens(), SITE).unwrap();
        let activations = tool.activations(tokens(), SITE).unwrap();
        let lost = |components: usize| {
            let basis = tool.disentangle_superposition(&covariance, components).unwrap();
            let back = basis.reconstruct_activations(&basis.project_activations(&activations).unwrap()).unwrap();
            let square: f64 = back.concat().iter().zip(activations.concat()).map(|(a, b)| (a - b).powi(2)).sum();
            (square / 63.0, basis)
        };
        let (rest, all) = lost(32);
        close(rest, 0.0, 1e-12);
        close(all.explained(), 1.0, 1e-5);
        let (rest, some) = lost(5);
        close(rest, some.variance - some.variances.iter().sum::<f64>(), 1e-5 * some.variance);
        for (i, a) in some.readers.iter().enumerate() {
            for (j, b) in some.readers.iter().enumerate() {
                close(dot(a, b), f64::from(u8::from(i == j)), 1e-10);
            }
        }
        let coordinates = some.project_activations(&activations).unwrap();
        let middle = some.interpolate_concepts(&coordinates[0], &coordinates[1], 0.5).unwrap();
        let ends = some.reconstruct_activations(&coordinates[..2]).unwrap();
        middle.iter().enumerate().for_each(|(d, x)| close(*x, f64::midpoint(ends[0][d], ends[1][d]), 1e-9));
    }

    #[test]
    fn mistakes_are_named() {
        let tool = Superposition::new(&fixture("gpt2")).unwrap();
        let covariance = tool.compute_activation_covariance(tokens(), SITE).unwrap();
        let error = tool.disentangle_superposition(&covariance, 33).unwrap_err().to_string();
        assert_eq!(error, "superposition: there are 32 dimensions, so there cannot be 33 components; give 1 to 32");
        let basis = tool.disentangle_superposition(&covariance, 2).unwrap();
        let error = basis.project_activations(&[vec![1.0]]).unwrap_err().to_string();
        assert_eq!(error, "superposition: an activation of `blocks.0.resid_post` has 32 numbers, got 1");
        let error = basis.reconstruct_activations(&[vec![1.0]]).unwrap_err().to_string();
        assert_eq!(error, "superposition: a list of coordinates of `blocks.0.resid_post` has 2 numbers, got 1");
        let same = tool.compute_activation_covariance([[5_u32, 5, 5]], "embed").unwrap();
        let error = tool.disentangle_superposition(&same, 1).unwrap_err().to_string();
        assert_eq!(error, "superposition: `embed` is the same at every token, so it has no components");
    }
}

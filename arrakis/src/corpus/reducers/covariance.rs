//! Mean and covariance of a site, streamed.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::some;
use crate::corpus::batch::Batch;
use crate::corpus::reducer::Reducer;
use crate::corpus::site_name::full_name;
use crate::corpus::state::State;
use crate::corpus::sums::Sums;
use crate::error::{Error, Result};

/// The mean and the covariance matrix of a site over tokens.
///
/// Batches are centred on their own means and multiplied on the device in float32. What rounding leaves of a batch's mean is
/// taken off again (the corrected two-pass algorithm, Chan, Golub and `LeVeque` 1983), so the size of the mean does no harm.
/// The products about zero of all batches are summed as [`Sums`], so no order of the batches changes a bit.
/// The entry of features `i` and `j` is off by at most `(b + 3) · 2⁻²⁴ · σ_i σ_j` for batches of `b` tokens, and by about
/// `√b · 2⁻²⁴ · σ_i σ_j` as a rule: a few millionths of the variances. An entry within `2⁻⁵⁰ · m_i m_j` of zero, of means `m`,
/// is zero. It holds `28 d² + 36 d` bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Covariance {
    site: String,
    count: u64,
    /// Sums of the numbers, `[d]`.
    first: Sums,
    /// Sums of their products, `[d * d]`.
    second: Sums,
    mean: Vec<f64>,
}

/// What rounding leaves of the difference of two equal numbers, as a part of them.
const ROUNDING: f64 = 8.0 * f64::EPSILON / 2.0;

impl Covariance {
    /// Of a site; the axes after the position are taken as one, of length `d`.
    pub fn new(site: &str) -> Self {
        let (first, second) = (Sums::default(), Sums::default());
        Self { site: full_name(site), count: 0, first, second, mean: Vec::new() }
    }

    /// The site.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// Number of tokens.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean, `[d]`, in the units of the site.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The sample covariance (divided by the count minus one), `[d][d]`, in squared units of the site.
    ///
    /// # Errors
    ///
    /// Fewer than two tokens.
    pub fn covariance(&self) -> Result<Vec<Vec<f64>>> {
        some("Covariance", self.count.saturating_sub(1))?;
        let (count, width) = (self.count as f64, self.mean.len());
        let entry = |row: usize, column: usize| {
            let about_zero = count * self.mean[row] * self.mean[column];
            let scatter = self.second.get(row * width + column) - about_zero;
            if scatter.abs() <= ROUNDING * about_zero.abs() { 0.0 } else { scatter / (count - 1.0) }
        };
        Ok((0..width).map(|row| (0..width).map(|column| entry(row, column)).collect()).collect())
    }

    /// Takes in the rows of `[token, d]`.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for rows of another width or numbers that are not finite; a device that fails.
    pub fn add(&mut self, rows: Tensor<2>) -> Result<()> {
        let [count, width] = rows.dims();
        if self.count == 0 {
            self.widen(width);
        }
        if width != self.mean.len() {
            let problem = format!("rows of {width} numbers after rows of {}", self.mean.len());
            return Err(Error::Value { of: "Covariance", problem });
        }
        if count == 0 {
            return Ok(());
        }
        let mean = rows.clone().mean_dim(0);
        let centred = rows - mean.clone();
        let left = numbers(centred.clone().mean_dim(0))?;
        let mut scatter = numbers(centred.clone().transpose().matmul(centred))?;
        for (at, sum) in scatter.iter_mut().enumerate() {
            *sum -= count as f64 * left[at / width] * left[at % width];
        }
        let mean: Vec<f64> = numbers(mean)?.iter().zip(&left).map(|(mean, left)| mean + left).collect();
        self.take(count as u64, &mean, &scatter)
    }

    /// Adds the mean and the scatter of a batch.
    fn take(&mut self, count: u64, mean: &[f64], scatter: &[f64]) -> Result<()> {
        if let Some(value) = mean.iter().chain(scatter).find(|value| !value.is_finite()) {
            let problem = format!("`{}` has the number {value}; look for the token with `Firing`", self.site);
            return Err(Error::Value { of: "Covariance", problem });
        }
        let (tokens, width) = (count as f64, mean.len());
        for (at, scatter) in scatter.iter().enumerate() {
            self.second.add(at, scatter + tokens * mean[at / width] * mean[at % width]);
        }
        mean.iter().enumerate().for_each(|(at, mean)| self.first.add(at, tokens * mean));
        self.count += count;
        self.settle();
        Ok(())
    }

    fn widen(&mut self, width: usize) {
        (self.first, self.second, self.mean) = (Sums::new(width), Sums::new(width * width), vec![0.0; width]);
    }

    /// The mean of what was added.
    fn settle(&mut self) {
        self.mean = self.first.values().map(|sum| sum / self.count.max(1) as f64).collect();
    }
}

fn numbers(tensor: Tensor<2>) -> Result<Vec<f64>> {
    Ok(arrakis_models::device::read(tensor)?.into_iter().map(f64::from).collect())
}

impl Reducer for Covariance {
    fn name(&self) -> String {
        format!("covariance of {}", self.site)
    }

    fn sites(&self) -> Vec<String> {
        vec![self.site.clone()]
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        self.add(batch.tensor(&self.site)?)
    }

    fn state(&self) -> Result<State> {
        let plain = State::of(&(&self.site, self.count))?;
        Ok(plain.array("first", self.first.to_numbers()).array("second", self.second.to_numbers()))
    }

    fn restore(&mut self, mut state: State) -> Result<()> {
        (self.site, self.count) = state.data()?;
        (self.first, self.second) = (Sums::of_numbers(&state.take("first")?), Sums::of_numbers(&state.take("second")?));
        self.settle();
        Ok(())
    }

    fn is_joinable(&self) -> bool {
        self.count == 0
    }

    fn join(&mut self, state: State) -> Result<()> {
        let mut other = Self::new(&self.site);
        other.restore(state)?;
        if other.count == 0 {
            return Ok(());
        }
        if self.count == 0 {
            self.widen(other.mean.len());
        }
        self.first.join(&other.first);
        self.second.join(&other.second);
        self.count += other.count;
        self.settle();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn rows(values: &[[f32; 2]]) -> Tensor<2> {
        let flat: Vec<f32> = values.concat();
        Tensor::<1>::from_floats(flat.as_slice(), &Device::flex()).reshape([values.len(), 2])
    }

    #[test]
    fn by_hand_and_in_any_pieces() {
        let all = [[1.0, 2.0], [3.0, 0.0], [5.0, 4.0], [7.0, 2.0]];
        for pieces in [vec![4], vec![1, 3], vec![2, 2], vec![1, 1, 1, 1]] {
            let (mut found, mut from) = (Covariance::new("embed"), 0);
            for length in pieces {
                found.add(rows(&all[from..from + length])).unwrap();
                from += length;
            }
            assert_eq!((found.count(), found.mean()), (4, &[4.0, 2.0][..]));
            // Deviations (-3, 0), (-1, -2), (1, 2), (3, 0): sums of products 20, 4, 8, over 3.
            let expected = [[20.0 / 3.0, 4.0 / 3.0], [4.0 / 3.0, 8.0 / 3.0]];
            for (row, expected) in found.covariance().unwrap().iter().zip(expected) {
                assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{row:?}");
            }
        }
    }

    /// Means are up to 500 standard deviations, as at the first token of many models.
    #[test]
    fn the_error_is_within_the_stated_bound() {
        let mut state = 1_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
        };
        let (means, batch) = ([150.0_f32, -0.5, 3.0], 512);
        let all: Vec<[f32; 3]> = (0..4 * batch)
            .map(|_| {
                let shared = draw();
                means.map(|mean| mean + draw() + shared)
            })
            .collect();
        let mut found = Covariance::new("embed");
        for rows in all.chunks(batch) {
            let flat = rows.concat();
            found.add(Tensor::<1>::from_floats(flat.as_slice(), &Device::flex()).reshape([batch, 3])).unwrap();
        }
        let of = |d: usize| all.iter().map(move |row| f64::from(row[d]));
        let n = all.len() as f64;
        let exact = |i: usize, j: usize| {
            let (a, b) = (of(i).sum::<f64>() / n, of(j).sum::<f64>() / n);
            of(i).zip(of(j)).map(|(x, y)| (x - a) * (y - b)).sum::<f64>() / (n - 1.0)
        };
        let covariance = found.covariance().unwrap();
        for (i, j) in [(0, 0), (0, 1), (1, 2), (2, 2)] {
            let bound = (batch + 3) as f64 * 2f64.powi(-24) * (exact(i, i) * exact(j, j)).sqrt();
            let error = (covariance[i][j] - exact(i, j)).abs();
            assert!(error <= bound, "{i} {j}: {error} is more than {bound}");
        }
        assert!((found.mean()[0] - of(0).sum::<f64>() / n).abs() < 1e-6, "{}", found.mean()[0]);
    }

    #[test]
    fn mistakes_are_named() {
        let mut found = Covariance::new("embed");
        let error = found.covariance().unwrap_err().to_string();
        assert_eq!(error, "`Covariance`: it has seen no token; run a pass with it first");
        found.add(rows(&[[1.0, 2.0]])).unwrap();
        let wide = Tensor::<2>::zeros([1, 3], &Device::flex());
        let error = found.add(wide).unwrap_err().to_string();
        assert_eq!(error, "`Covariance`: rows of 3 numbers after rows of 2");
        assert!(found.add(rows(&[[f32::NAN, 0.0]])).is_err() && found.covariance().is_err());
    }
}

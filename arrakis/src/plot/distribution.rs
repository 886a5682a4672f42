//! Quantiles and densities of a sample, for the plots of distributions.

/// The finite values of a sample, sorted, and the number of non-finite ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sorted {
    pub(super) values: Vec<f64>,
    pub(super) left_out: usize,
}

impl Sorted {
    pub(super) fn of(sample: &[f64]) -> Self {
        let mut values: Vec<f64> = sample.iter().copied().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        Self { left_out: sample.len() - values.len(), values }
    }

    /// The quantile at `part` (0 to 1), linear between neighbours (Hyndman and Fan 1996, type 7).
    /// The sample must not be empty.
    pub(super) fn quantile(&self, part: f64) -> f64 {
        let place = part * (self.values.len() - 1) as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        self.values[below] + (self.values[above] - self.values[below]) * (place - place.floor())
    }

    /// Silverman's rule (1986, eq. 3.31): `0.9 min(sd, IQR / 1.34) n^(-1/5)`; zero if all values are equal.
    pub(super) fn bandwidth(&self) -> f64 {
        let n = self.values.len() as f64;
        let mean = self.values.iter().sum::<f64>() / n;
        let variance = self.values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        let robust = (self.quantile(0.75) - self.quantile(0.25)) / 1.34;
        let spread = if robust > 0.0 { variance.sqrt().min(robust) } else { variance.sqrt() };
        0.9 * spread * n.powf(-0.2)
    }

    /// The Gaussian kernel density at `x`, up to a constant factor.
    pub(super) fn density(&self, x: f64, bandwidth: f64) -> f64 {
        self.values.iter().map(|value| (-0.5 * ((x - value) / bandwidth).powi(2)).exp()).sum()
    }

    /// Edges of bins of equal width, one more than bins. By default Freedman and Diaconis (1981), 5 to 60 bins.
    pub(super) fn bin_edges(&self, bins: Option<usize>) -> Vec<f64> {
        let (low, high) = (self.values[0], self.values[self.values.len() - 1]);
        if low == high {
            // Wide enough to see, however large the value is.
            let half = (low.abs() * 1e-3).max(0.5);
            return vec![low - half, low + half];
        }
        let width = 2.0 * (self.quantile(0.75) - self.quantile(0.25)) / (self.values.len() as f64).cbrt();
        let usual = if width > 0.0 { ((high - low) / width).ceil() } else { (self.values.len() as f64).sqrt() };
        let bins = bins.unwrap_or((usual as usize).clamp(5, 60)).max(1);
        (0..=bins).map(|edge| low + (high - low) * (edge as f64 / bins as f64)).collect()
    }

    /// The number of values in each bin; the last bin includes its upper edge.
    pub(super) fn counts(&self, edges: &[f64]) -> Vec<usize> {
        let mut counts = vec![0; edges.len() - 1];
        for value in &self.values {
            let bin = edges.partition_point(|edge| edge <= value).clamp(1, counts.len());
            counts[bin - 1] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_by_hand() {
        let sorted = Sorted::of(&[4.0, 1.0, f64::NAN, 3.0, 2.0]);
        assert_eq!((sorted.quantile(0.25), sorted.quantile(0.5), sorted.quantile(1.0)), (1.75, 2.5, 4.0));
        assert_eq!(sorted.left_out, 1);
    }

    #[test]
    fn every_value_is_in_one_bin() {
        let sorted = Sorted::of(&(0..101).map(f64::from).collect::<Vec<_>>());
        let edges = sorted.bin_edges(Some(4));
        assert_eq!(edges, [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!(sorted.counts(&edges), [25, 25, 25, 26]);
        assert_eq!(sorted.counts(&sorted.bin_edges(None)).iter().sum::<usize>(), 101);
    }

    #[test]
    fn the_bandwidth_is_silvermans() {
        // sd = sqrt(2.5), IQR / 1.34 = 2 / 1.34: the smaller one is used.
        let sorted = Sorted::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let expected = 0.9 * (2.0 / 1.34) * 5f64.powf(-0.2);
        assert!((sorted.bandwidth() - expected).abs() < 1e-12);
    }
}

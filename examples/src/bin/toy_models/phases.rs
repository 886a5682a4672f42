//! The phase diagram of two features and one dimension, in closed form.

/// How many dimensions the second feature gets where these losses decide, by the density of both features and the
/// importance of the second one (of the first: 1): 0, 1/2 or 1.
pub(crate) fn second_feature(density: f64, importance: f64) -> f64 {
    let losses = losses(density, importance);
    let best = (0..3).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap_or_default();
    best as f64 / 2.0
}

/// The losses of the weights that Elhage et al. compare (2022, "Superposition as a Phase Change"):
///
/// - `W = [1 0]`: the second feature comes back as its mean, and costs its variance `p/3 - p²/4`, times its importance;
/// - `W = [1 -1]`: when both are active (`p²`), each loses the square of the smaller one, which is 1/6 on average;
/// - `W = [0 1]`: the first feature comes back as its mean.
fn losses(density: f64, importance: f64) -> [f64; 3] {
    let variance = density / 3.0 - density * density / 4.0;
    [importance * variance, (1.0 + importance) * density * density / 6.0, variance]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_are_where_two_losses_are_equal() {
        // Ignored = shared at r = p / (2 - 5p/2); by symmetry own = shared at 1/r.
        for density in [0.1, 0.3, 0.5] {
            let edge = density / (2.0 - 2.5 * density);
            assert_eq!([0.99, 1.01].map(|near| second_feature(density, edge * near)), [0.0, 0.5], "{density}");
            assert_eq!([0.99, 1.01].map(|near| second_feature(density, near / edge)), [0.5, 1.0], "{density}");
        }
        // Above 4/7 the two edges have met, and the more important feature has the dimension.
        assert_eq!([0.9, 1.1].map(|importance| second_feature(0.6, importance)), [0.0, 1.0]);
    }

    /// The loss of `ReLU(Wᵀ W x + b)` over a fine grid of values, with each feature active or not.
    #[test]
    fn the_losses_are_those_of_the_model() {
        let (density, importance) = (0.3, 2.0);
        let grid = || (0..200).map(|at| ((f64::from(at) + 0.5) / 200.0, density / 200.0)).chain([(0.0, 1.0 - density)]);
        let loss = |[w_1, w_2]: [f64; 2], [b_1, b_2]: [f64; 2]| -> f64 {
            let error = |x: f64, y: f64| {
                let hidden = w_1 * x + w_2 * y;
                let back = [(w_1 * hidden + b_1).max(0.0), (w_2 * hidden + b_2).max(0.0)];
                (back[0] - x).powi(2) + importance * (back[1] - y).powi(2)
            };
            grid().flat_map(|(x, p)| grid().map(move |(y, q)| p * q * error(x, y))).sum()
        };
        let mean = density / 2.0;
        let brute = [loss([1.0, 0.0], [0.0, mean]), loss([1.0, -1.0], [0.0; 2]), loss([0.0, 1.0], [mean, 0.0])];
        for (closed, brute) in losses(density, importance).iter().zip(brute) {
            assert!((closed - brute).abs() < 1e-4, "{closed} {brute}");
        }
    }
}

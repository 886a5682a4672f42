//! How many things share a quantity.

/// The effective number of shares: `exp(-Σ p ln p)` with `p` the parts divided by their sum (the Hill number of order 1;
/// Hill 1973, <https://doi.org/10.2307/1934352>). It is 1 if one part has everything and `n` if `n` parts have as much
/// each. Parts are not negative; without any it is 0.
pub(crate) fn effective_number(parts: impl IntoIterator<Item = f64>) -> f64 {
    let parts: Vec<f64> = parts.into_iter().filter(|part| *part > 0.0).collect();
    let sum: f64 = parts.iter().sum();
    if sum == 0.0 {
        return 0.0;
    }
    let entropy: f64 = parts.iter().map(|part| part / sum).map(|p| -p * p.ln()).sum();
    entropy.exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let near = |parts: &[f64], expected: f64| {
            let found = effective_number(parts.iter().copied());
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        };
        near(&[], 0.0);
        near(&[0.0, 0.0], 0.0);
        near(&[3.0, 0.0], 1.0);
        near(&[2.0, 2.0, 2.0], 3.0);
        // Shares of 1/2, 1/4, 1/4 have an entropy of 1.5 bits.
        near(&[2.0, 1.0, 1.0], 2f64.powf(1.5));
    }
}

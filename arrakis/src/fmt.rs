//! The number format of messages and verdicts.

/// A number with up to four decimals; below 1e-4 in scientific notation with two digits.
pub(crate) fn short(value: f64) -> String {
    if value == 0.0 || value.abs() >= 1e-4 {
        let digits = format!("{value:.4}");
        return digits.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    format!("{value:.1e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_keep_their_significant_digits() {
        assert_eq!([0.05, 0.0, 1.0, 3.47e-7, 0.000_347_22].map(short), ["0.05", "0", "1", "3.5e-7", "0.0003"]);
    }
}

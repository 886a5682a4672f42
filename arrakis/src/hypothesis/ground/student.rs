//! Tail probabilities and quantiles of Student's t.

use statrs::function::beta::beta_reg;

use super::Alternative;

/// The probability of a t at least as extreme as `t` with `df` degrees of freedom.
///
/// Both tails come from the incomplete beta function, which avoids the cancellation of `1 - cdf`.
pub(crate) fn p_value(t: f64, df: f64, alternative: Alternative) -> f64 {
    let both_tails = beta_reg(df / 2.0, 0.5, df / (df + t * t));
    let beyond = both_tails / 2.0;
    match alternative {
        Alternative::TwoSided => both_tails,
        Alternative::Greater if t >= 0.0 => beyond,
        Alternative::Less if t <= 0.0 => beyond,
        Alternative::Greater | Alternative::Less => 1.0 - beyond,
    }
}

/// The t that leaves `1 - level` in both tails together.
pub(crate) fn critical(level: f64, df: f64) -> f64 {
    critical_at((1.0 - level) / 2.0, df)
}

/// The t that leaves `tail` beyond it.
pub(crate) fn critical_at(tail: f64, df: f64) -> f64 {
    let mut high = 1.0;
    while p_value(high, df, Alternative::Greater) > tail && high < 1e150 {
        high *= 2.0;
    }
    bisect(0.0, high, |t| p_value(t, df, Alternative::Greater) > tail)
}

/// The point in `[low, high]` where `below` turns from true to false.
pub(crate) fn bisect(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
    // After a hundred halvings the interval is one ulp wide, mostly after fifty.
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if middle == low || middle == high {
            break;
        }
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, reference};
    use super::*;

    #[test]
    fn quantiles_are_scipys() {
        for row in reference("student_critical").as_array().unwrap() {
            let [level, df, expected] = [0, 1, 2].map(|column| row[column].as_f64().unwrap());
            assert_close(critical(level, df) / expected, 1.0, 1e-10);
        }
    }

    #[test]
    fn tails_are_scipys_from_the_middle_to_the_far_tail() {
        for row in reference("student_tail").as_array().unwrap() {
            let [t, df, expected] = [0, 1, 2].map(|column| row[column].as_f64().unwrap());
            assert_close(p_value(t, df, Alternative::Greater) / expected, 1.0, 1e-9);
        }
    }

    #[test]
    fn one_degree_of_freedom_is_cauchy() {
        assert_close(p_value(1.0, 1.0, Alternative::Greater), 0.25, 1e-14);
        assert_close(p_value(-1.0, 1.0, Alternative::Greater), 0.75, 1e-14);
        assert_close(p_value(0.0, 7.0, Alternative::TwoSided), 1.0, 1e-14);
    }
}

//! Intervals that are the duals of a test: the shifts that it does not reject.
//!
//! Source: Lehmann & Romano, "Testing Statistical Hypotheses" (2005), section 3.5.

/// Halvings of a bracket: its width falls below 1e-13 of what it was.
const HALVINGS: usize = 48;

/// Doublings of the distance from the estimate before an end is called infinite.
const DOUBLINGS: usize = 70;

/// The smallest and the largest shift that a test does not reject, or `None` if one of them is not finite.
///
/// `too_low` and `too_high` say whether the test rejects a shift below and above `estimate`; `step` is a first distance
/// from it. The shift 0 is itself tested, so the interval contains 0 exactly if the test does not reject it.
pub(crate) fn ends(
    estimate: f64,
    step: f64,
    too_low: impl Fn(f64) -> bool,
    too_high: impl Fn(f64) -> bool,
) -> Option<(f64, f64)> {
    Some((end(estimate, -step, too_low)?, end(estimate, step, too_high)?))
}

fn end(estimate: f64, step: f64, rejected: impl Fn(f64) -> bool) -> Option<f64> {
    if step == 0.0 || !step.is_finite() || rejected(estimate) {
        return None;
    }
    let is_on_this_side = -estimate * step > 0.0;
    let zero_rejected = is_on_this_side && rejected(0.0);
    let mut kept = if is_on_this_side && !zero_rejected { 0.0 } else { estimate };
    let mut dropped = if zero_rejected { 0.0 } else { first_rejected(&mut kept, step, &rejected)? };
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(kept, dropped);
        if middle == kept || middle == dropped {
            break;
        }
        *(if rejected(middle) { &mut dropped } else { &mut kept }) = middle;
    }
    Some(kept)
}

/// The first rejected shift at doubling distances from `kept`, which moves along.
fn first_rejected(kept: &mut f64, mut step: f64, rejected: &impl Fn(f64) -> bool) -> Option<f64> {
    for _ in 0..DOUBLINGS {
        let far = *kept + step;
        if !far.is_finite() {
            return None;
        }
        if rejected(far) {
            return Some(far);
        }
        *kept = far;
        step *= 2.0;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn the_ends_are_where_the_test_turns() {
        let (low, high) = ends(2.0, 0.1, |shift| shift < -1.0, |shift| shift > 7.5).unwrap();
        assert_close(low, -1.0, 1e-12);
        assert_close(high, 7.5, 1e-12);
    }

    #[test]
    fn zero_is_inside_exactly_if_it_is_not_rejected() {
        // The test turns at zero itself.
        assert!(ends(2.0, 0.1, |shift| shift <= 0.0, |shift| shift > 3.0).unwrap().0 > 0.0);
        assert!(ends(2.0, 0.1, |shift| shift < 0.0, |shift| shift > 3.0).unwrap().0 <= 0.0);
        assert!(ends(-2.0, 0.1, |shift| shift < -3.0, |shift| shift >= 0.0).unwrap().1 < 0.0);
        assert!(ends(-2.0, 0.1, |shift| shift < -3.0, |shift| shift > 0.0).unwrap().1 >= 0.0);
    }

    #[test]
    fn a_test_that_never_rejects_has_no_interval() {
        assert_eq!(ends(1.0, 0.1, |_| false, |shift| shift > 2.0), None);
        assert_eq!(ends(1.0, 0.1, |_| true, |shift| shift > 2.0), None);
        assert_eq!(ends(1.0, 0.0, |shift| shift < 0.5, |shift| shift > 2.0), None);
    }
}

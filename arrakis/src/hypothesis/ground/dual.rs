//! Intervals that are the duals of a test: the shifts that it does not reject.
//!
//! Source: Lehmann & Romano, "Testing Statistical Hypotheses" (2005), section 3.5.

/// Halvings of a bracket: its width falls below 1e-13 of what it was.
const HALVINGS: usize = 48;

/// Doublings of the distance from the estimate before an end is called infinite.
const DOUBLINGS: usize = 70;

/// Where the ends probably are: for the lower and the upper one a shift that is probably not rejected, and one that
/// probably is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Near {
    /// Of each end, the shift inside and the one outside.
    pub(crate) brackets: [[f64; 2]; 2],
    /// Shifts closer than this are the same.
    pub(crate) resolution: f64,
}

/// The smallest and the largest shift that a test does not reject, or `None` if one of them is not finite.
///
/// `too_low` and `too_high` say whether the test rejects a shift below and above `estimate`; `step` is a first distance
/// from it. The shift 0 is itself tested, so the interval contains 0 exactly if the test does not reject it. A wrong
/// guess in `near` costs time and changes nothing.
pub(crate) fn ends(
    estimate: f64,
    step: f64,
    near: Option<Near>,
    too_low: impl Fn(f64) -> bool,
    too_high: impl Fn(f64) -> bool,
) -> Option<(f64, f64)> {
    let of = |side: usize| near.map(|near| (near.brackets[side], near.resolution));
    Some((end(estimate, -step, of(0), too_low)?, end(estimate, step, of(1), too_high)?))
}

fn end(estimate: f64, step: f64, near: Option<([f64; 2], f64)>, rejected: impl Fn(f64) -> bool) -> Option<f64> {
    if step == 0.0 || !step.is_finite() || rejected(estimate) {
        return None;
    }
    let is_on_this_side = -estimate * step > 0.0;
    let zero_rejected = is_on_this_side && rejected(0.0);
    let mut kept = if is_on_this_side && !zero_rejected { 0.0 } else { estimate };
    let known = zero_rejected.then_some(0.0);
    let guessed = near.and_then(|(bracket, _)| narrowed(kept, known, bracket, step, &rejected));
    let resolution = near.filter(|_| guessed.is_some()).map_or(0.0, |(_, resolution)| resolution);
    let mut dropped = match (guessed, known) {
        (Some([inside, outside]), _) => {
            kept = inside;
            outside
        }
        (None, Some(zero)) => zero,
        (None, None) => first_rejected(&mut kept, step, &rejected)?,
    };
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(kept, dropped);
        if middle == kept || middle == dropped || (dropped - kept).abs() <= resolution {
            break;
        }
        *(if rejected(middle) { &mut dropped } else { &mut kept }) = middle;
    }
    Some(kept)
}

/// The bracket between what is known and what was guessed, if the guess is right.
fn narrowed(
    kept: f64,
    dropped: Option<f64>,
    [inside, outside]: [f64; 2],
    step: f64,
    rejected: &impl Fn(f64) -> bool,
) -> Option<[f64; 2]> {
    let is_further = |one: f64, other: f64| (one - other) * step > 0.0;
    let inside = if is_further(inside, kept) { inside } else { kept };
    let outside = dropped.filter(|dropped| is_further(outside, *dropped)).unwrap_or(outside);
    let is_right = is_further(outside, inside)
        && (inside == kept || !rejected(inside))
        && (Some(outside) == dropped || rejected(outside));
    is_right.then_some([inside, outside])
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
        let (low, high) = ends(2.0, 0.1, None, |shift| shift < -1.0, |shift| shift > 7.5).unwrap();
        assert_close(low, -1.0, 1e-12);
        assert_close(high, 7.5, 1e-12);
    }

    #[test]
    fn zero_is_inside_exactly_if_it_is_not_rejected() {
        // The test turns at zero itself.
        assert!(ends(2.0, 0.1, None, |shift| shift <= 0.0, |shift| shift > 3.0).unwrap().0 > 0.0);
        assert!(ends(2.0, 0.1, None, |shift| shift < 0.0, |shift| shift > 3.0).unwrap().0 <= 0.0);
        assert!(ends(-2.0, 0.1, None, |shift| shift < -3.0, |shift| shift >= 0.0).unwrap().1 < 0.0);
        assert!(ends(-2.0, 0.1, None, |shift| shift < -3.0, |shift| shift > 0.0).unwrap().1 >= 0.0);
    }

    #[test]
    fn a_guess_saves_tests_and_changes_no_end() {
        let count = std::cell::Cell::new(0);
        let ends_near = |near: Option<Near>| {
            count.set(0);
            let counted = |rejects: bool| {
                count.set(count.get() + 1);
                rejects
            };
            let found = ends(2.0, 0.1, near, |shift| counted(shift < 0.7), |shift| counted(shift > 7.5)).unwrap();
            (found, count.get())
        };
        let near = |brackets| Some(Near { brackets, resolution: 1e-14 });
        let (plain, all) = ends_near(None);
        let right = near([[0.7 + 1e-9, 0.7 - 1e-9], [7.5 - 1e-9, 7.5 + 1e-9]]);
        let (low, high) = ends_near(right).0;
        assert_close(low, plain.0, 1e-13);
        assert_close(high, plain.1, 1e-13);
        assert!(2 * ends_near(right).1 < all, "{} of {all}", ends_near(right).1);
        // Outside, turned round, beyond zero, and nowhere.
        for wrong in
            [[[3.0, 1.0], [8.0, 9.0]], [[0.6, 0.8], [7.6, 7.4]], [[-1.0, -2.0], [1.0, 0.0]], [[f64::NAN; 2]; 2]]
        {
            let (low, high) = ends_near(near(wrong)).0;
            assert_close(low, plain.0, 1e-13);
            assert_close(high, plain.1, 1e-13);
        }
    }

    #[test]
    fn a_test_that_never_rejects_has_no_interval() {
        assert_eq!(ends(1.0, 0.1, None, |_| false, |shift| shift > 2.0), None);
        assert_eq!(ends(1.0, 0.1, None, |_| true, |shift| shift > 2.0), None);
        assert_eq!(ends(1.0, 0.0, None, |shift| shift < 0.5, |shift| shift > 2.0), None);
    }
}

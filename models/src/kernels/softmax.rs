//! Softmax over the last axis.

use std::ops::Range;

use burn::tensor::{Tensor, activation};
use pulp::Simd;

use super::by_row::{ByRow, OfRow};
use super::flex::run;
use super::lanes::{Lanes, OfOne, OfTwo, Over};

/// `exp(x) / sum(exp(x))` over the last axis. A row of -inf is NaN.
pub(crate) fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    run(&ByRow(Softmax), [x]).unwrap_or_else(|[x]| activation::softmax(x, D - 1))
}

/// Overwrites a row with its softmax. Entries of -inf at its ends take no part: neither work, nor a place in the order of
/// the sum, so that padding changes no bit. Outside of `span` all are -inf.
#[inline(always)]
pub(super) fn softmax_row<S: Simd>(lanes: Lanes<S>, row: &mut [f32], span: Range<usize>) {
    let seen = |x: &f32| *x != f32::NEG_INFINITY;
    let part = &row[span.clone()];
    let (Some(first), Some(last)) = (part.iter().position(seen), part.iter().rposition(seen)) else {
        return row.fill(f32::NAN);
    };
    let (first, last) = (span.start + first, span.start + last);
    row[..first].fill(0.0);
    row[last + 1..].fill(0.0);
    let row = &mut row[first..=last];
    let most = lanes.max(row);
    lanes.each(ExpOfDifference(most), row);
    let sum = lanes.sum(row);
    lanes.each(Over(sum), row);
}

/// `exp(x - c)`
#[derive(Clone, Copy)]
pub(super) struct ExpOfDifference(pub(super) f32);

impl OfOne for ExpOfDifference {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.exp(lanes.sub(x, lanes.all(self.0)))
    }
}

#[derive(Clone, Copy, Debug)]
struct Softmax;

impl OfRow for Softmax {
    #[inline(always)]
    fn value<S: Simd>(self, lanes: Lanes<S>, row: &mut [f32]) {
        let width = row.len();
        softmax_row(lanes, row, 0..width);
    }

    /// `p (g - sum(g p))`
    #[inline(always)]
    fn gradient<S: Simd>(self, lanes: Lanes<S>, pattern: &[f32], gradient: &mut [f32]) {
        let mean = lanes.dot(pattern, gradient);
        lanes.each_with(DifferenceTimes(mean), gradient, pattern);
    }
}

/// `(g - c) p`
#[derive(Clone, Copy)]
struct DifferenceTimes(f32);

impl OfTwo for DifferenceTimes {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, gradient: S::f32s, pattern: S::f32s) -> S::f32s {
        lanes.mul(lanes.sub(gradient, lanes.all(self.0)), pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;
    use crate::kernels::testing::{assert_within, bits, noise, rows};
    use burn::tensor::FloatDType;

    /// Burn's operations in double precision.
    fn exactly(x: Tensor<2>) -> Vec<f64> {
        activation::softmax(x.cast(FloatDType::F64), 1).into_data().iter::<f64>().collect()
    }

    /// Within 3 ulp, and 1e-7 of itself for each unit that the score lies below the largest: that many units of rounding
    /// are in the difference.
    #[test]
    fn values_are_those_of_double_precision() {
        for width in [1, 2, 15, 16, 17, 63, 64, 65, 130, 1024] {
            for size in [0.1, 1.0, 10.0] {
                let x: Vec<f32> = noise(width as u64, 8 * width).iter().map(|x| x * size).collect();
                let ours = read(softmax(rows(&x, width))).unwrap();
                assert_within("softmax", &x, &ours, &exactly(rows(&x, width)), |_, y| {
                    4e-7 * y + 1e-7 * y * (-(y + 1e-45).ln()) + 1e-42
                });
                for row in ours.chunks(width) {
                    let sum: f64 = row.iter().copied().map(f64::from).sum();
                    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
                }
            }
        }
    }

    #[test]
    fn rows_that_are_hidden_in_part_or_whole() {
        let hidden = f32::NEG_INFINITY;
        let x = [hidden, 0.0, hidden, 2.0_f32.ln(), hidden, hidden, hidden, hidden];
        let ours = read(softmax(rows(&x, 4))).unwrap();
        assert_within("part", &x[..4], &ours[..4], &[0.0, 1.0 / 3.0, 0.0, 2.0 / 3.0], |_, _| 6e-8);
        assert!(ours[4..].iter().all(|x| x.is_nan()));
        let with_nan = read(softmax(rows(&[0.0, f32::NAN, 1.0], 3))).unwrap();
        assert!(with_nan.iter().all(|x| x.is_nan()));
        assert!(read(softmax(rows(&[f32::INFINITY, 0.0], 2))).unwrap()[0].is_nan());
    }

    #[test]
    fn padding_changes_no_bit() {
        let x = noise(1, 77);
        let alone = bits(&read(softmax(rows(&x, 77))).unwrap());
        for (before, after) in [(0, 5), (3, 0), (19, 40)] {
            let padded = [vec![f32::NEG_INFINITY; before], x.clone(), vec![f32::NEG_INFINITY; after]].concat();
            let width = padded.len();
            let padded = bits(&read(softmax(rows(&padded, width))).unwrap());
            assert_eq!(padded[before..width - after], alone);
        }
    }
}

//! The logarithm of softmax over the last axis.

use burn::tensor::{Tensor, activation};
use pulp::Simd;

use super::by_row::{ByRow, OfRow};
use super::flex::run;
use super::lanes::{Lanes, OfOne, OfTwo};
use super::softmax::ExpOfDifference;

/// `x - ln sum(exp(x))` over the last axis: log-probabilities in nats, of the shape of `x`.
///
/// - An entry of -inf stays -inf: that token cannot occur.
/// - A row of -inf, and a row with NaN or +inf, is NaN.
/// - On the CPU it is one pass in vectors on all cores; elsewhere Burn's own operation.
pub fn log_softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    run(&ByRow(LogSoftmax), [x]).unwrap_or_else(|[x]| activation::log_softmax(x, D - 1))
}

#[derive(Clone, Copy, Debug)]
struct LogSoftmax;

impl OfRow for LogSoftmax {
    #[inline(always)]
    fn value<S: Simd>(self, lanes: Lanes<S>, row: &mut [f32]) {
        let most = lanes.max(row);
        let sum = lanes.sum_each(ExpOfDifference(most), row);
        lanes.each(LessTwo(most, sum.ln()), row);
    }

    /// `g - p sum(g)`
    #[inline(always)]
    fn gradient<S: Simd>(self, lanes: Lanes<S>, log_probs: &[f32], gradient: &mut [f32]) {
        let sum = lanes.sum(gradient);
        lanes.each_with(LessExpTimes(sum), gradient, log_probs);
    }
}

/// `(x - a) - b`: the largest number goes first, so that what is near certain keeps its digits.
#[derive(Clone, Copy)]
struct LessTwo(f32, f32);

impl OfOne for LessTwo {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.sub(lanes.sub(x, lanes.all(self.0)), lanes.all(self.1))
    }
}

/// `g - c exp(l)`
#[derive(Clone, Copy)]
struct LessExpTimes(f32);

impl OfTwo for LessExpTimes {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, gradient: S::f32s, log_prob: S::f32s) -> S::f32s {
        lanes.fma(lanes.all(-self.0), lanes.exp(log_prob), gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;
    use crate::kernels::testing::{assert_within, noise, rows};
    use burn::tensor::FloatDType;

    /// Burn's operations in double precision.
    fn exactly(x: Tensor<2>) -> Vec<f64> {
        activation::log_softmax(x.cast(FloatDType::F64), 1).into_data().iter::<f64>().collect()
    }

    /// A unit of rounding of the result and of the difference, and a few of the logarithm of the sum.
    #[test]
    fn values_are_those_of_double_precision() {
        for width in [1, 2, 15, 16, 17, 63, 64, 65, 130, 1024, 50_257] {
            for size in [0.1, 1.0, 10.0] {
                let x: Vec<f32> = noise(width as u64, 4 * width).iter().map(|x| x * size).collect();
                let ours = read(log_softmax(rows(&x, width))).unwrap();
                assert_within("log_softmax", &x, &ours, &exactly(rows(&x, width)), |_, y| 1e-6 + 2e-7 * y.abs());
            }
        }
    }

    #[test]
    fn an_equal_choice_of_four_and_one_that_cannot_occur() {
        let hidden = f32::NEG_INFINITY;
        let ours = read(log_softmax(rows(&[3.0, 3.0, 3.0, 3.0, hidden], 5))).unwrap();
        assert_within("equal", &ours[..4], &ours[..4], &[-(4.0_f64.ln()); 4], |_, _| 2e-7);
        assert_eq!(ours[4], hidden);
    }

    #[test]
    fn rows_without_a_distribution_are_nan() {
        for fault in [f32::NAN, f32::INFINITY] {
            assert!(read(log_softmax(rows(&[0.0, fault, 1.0], 3))).unwrap()[1].is_nan());
        }
        assert!(read(log_softmax(rows(&[f32::NEG_INFINITY; 3], 3))).unwrap().iter().all(|x| x.is_nan()));
    }
}

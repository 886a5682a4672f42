//! The logarithm of softmax over the last axis.

use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, activation};
use pulp::{Simd, WithSimd};

use super::flex::{Kernel, run};
use super::lanes::{Lanes, OfOne, OfTwo, in_vectors};
use super::memory::{numbers, overwrite, width};
use super::softmax::ExpOfDifference;

/// `x - ln sum(exp(x))` over the last axis: log-probabilities in nats, of the shape of `x`.
///
/// - An entry of -inf stays -inf: that token cannot occur.
/// - A row of -inf, and a row with NaN or +inf, is NaN.
/// - On the CPU it is one pass in vectors on all cores; elsewhere Burn's own operation.
pub fn log_softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    run(&LogSoftmax, [x]).unwrap_or_else(|[x]| activation::log_softmax(x, D - 1))
}

#[derive(Clone, Debug)]
struct LogSoftmax;

impl Kernel<1> for LogSoftmax {
    type Kept = FlexTensor;

    fn value(&self, [x]: [FlexTensor; 1]) -> FlexTensor {
        let width = width(&x);
        overwrite(x, width, |_, rows| in_vectors(Rows(rows, width)))
    }

    fn kept(&self, inputs: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
        let log_probs = self.value(inputs);
        (log_probs.clone(), log_probs)
    }

    /// `g - p sum(g)`
    fn gradients(&self, log_probs: FlexTensor, gradient: FlexTensor) -> [FlexTensor; 1] {
        let (width, log_probs) = (width(&log_probs), numbers(&log_probs));
        let rows = |start: usize, rows: &mut [f32]| {
            in_vectors(GradientRows(&log_probs[start..start + rows.len()], rows, width));
        };
        [overwrite(gradient, width, rows)]
    }
}

struct Rows<'a>(&'a mut [f32], usize);

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = Lanes(simd);
        for row in self.0.chunks_exact_mut(self.1) {
            let most = lanes.max(row);
            let sum = lanes.sum_each(ExpOfDifference(most), row);
            lanes.each(LessTwo(most, sum.ln()), row);
        }
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

struct GradientRows<'a>(&'a [f32], &'a mut [f32], usize);

impl WithSimd for GradientRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = Lanes(simd);
        for (log_probs, gradient) in self.0.chunks_exact(self.2).zip(self.1.chunks_exact_mut(self.2)) {
            let sum = lanes.sum(gradient);
            lanes.each_with(LessExpTimes(sum), gradient, log_probs);
        }
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
    use crate::kernels::testing::{assert_within, bits, noise};
    use burn::tensor::{Device, FloatDType};

    fn rows(x: &[f32], width: usize) -> Tensor<2> {
        Tensor::<1>::from_floats(x, &Device::flex()).reshape([x.len() / width, width])
    }

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

    #[test]
    fn threads_and_neighbours_change_no_bit() {
        let x = noise(2, 300 * 333);
        let held = rows(&x, 333);
        let all = bits(&read(log_softmax(held.clone())).unwrap());
        let row = |row: &[f32]| bits(&read(log_softmax(rows(row, 333))).unwrap());
        assert_eq!(all, x.chunks(333).flat_map(row).collect::<Vec<_>>());
        assert_eq!(read(held).unwrap(), x);
    }

    #[test]
    fn gradients_are_those_of_burn() {
        let device = Device::flex().autodiff();
        let leaf = Tensor::<1>::from_floats(noise(3, 90).as_slice(), &device).reshape([2, 45]).require_grad();
        let weight = Tensor::<1>::from_floats(noise(4, 90).as_slice(), &device).reshape([2, 45]);
        let gradient = |out: Tensor<2>| read(leaf.grad(&(out * weight.clone()).sum().backward()).unwrap()).unwrap();
        let ours = gradient(log_softmax(leaf.clone()));
        let burns: Vec<f64> = gradient(activation::log_softmax(leaf.clone(), 1)).into_iter().map(f64::from).collect();
        assert_within("gradient", &ours, &ours, &burns, |_, y| 3e-6 * (1.0 + y.abs()));
    }

    #[test]
    fn half_precision_is_rounded_once() {
        for dtype in [FloatDType::F16, FloatDType::BF16] {
            let x = rows(&noise(5, 200), 50).cast(dtype);
            let expected = log_softmax(x.clone().cast(FloatDType::F32)).cast(dtype);
            assert_eq!(read(log_softmax(x)).unwrap(), read(expected).unwrap());
        }
    }
}

//! Softmax over the last axis.

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, activation};
use pulp::{Simd, WithSimd};

use super::flex::{Kernel, run};
use super::lanes::{Lanes, OfOne, OfTwo, Over, in_vectors};
use super::memory::{numbers, overwrite, width};

/// `exp(x) / sum(exp(x))` over the last axis. A row of -inf is NaN.
pub(crate) fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    run(&Softmax, [x]).unwrap_or_else(|[x]| activation::softmax(x, D - 1))
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

#[derive(Clone, Debug)]
struct Softmax;

impl Kernel<1> for Softmax {
    type Kept = FlexTensor;

    fn value(&self, [x]: [FlexTensor; 1]) -> FlexTensor {
        let width = width(&x);
        overwrite(x, width, |_, rows| in_vectors(Rows(rows, width)))
    }

    fn kept(&self, inputs: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
        let pattern = self.value(inputs);
        (pattern.clone(), pattern)
    }

    /// `p (g - sum(g p))`
    fn gradients(&self, pattern: FlexTensor, gradient: FlexTensor) -> [FlexTensor; 1] {
        let (width, pattern) = (width(&pattern), numbers(&pattern));
        let rows = |start: usize, rows: &mut [f32]| {
            in_vectors(GradientRows(&pattern[start..start + rows.len()], rows, width));
        };
        [overwrite(gradient, width, rows)]
    }
}

struct Rows<'a>(&'a mut [f32], usize);

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.0.chunks_exact_mut(self.1) {
            softmax_row(Lanes(simd), row, 0..self.1);
        }
    }
}

struct GradientRows<'a>(&'a [f32], &'a mut [f32], usize);

impl WithSimd for GradientRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = Lanes(simd);
        for (pattern, gradient) in self.0.chunks_exact(self.2).zip(self.1.chunks_exact_mut(self.2)) {
            let mean = lanes.dot(pattern, gradient);
            lanes.each_with(DifferenceTimes(mean), gradient, pattern);
        }
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
    use crate::kernels::testing::{assert_within, bits, noise};
    use burn::tensor::{Device, FloatDType};

    fn rows(x: &[f32], width: usize) -> Tensor<2> {
        Tensor::<1>::from_floats(x, &Device::flex()).reshape([x.len() / width, width])
    }

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

    #[test]
    fn threads_and_neighbours_change_no_bit() {
        let x = noise(2, 300 * 333);
        let all = bits(&read(softmax(rows(&x, 333))).unwrap());
        let one_by_one: Vec<u32> =
            x.chunks(333).flat_map(|row| bits(&read(softmax(rows(row, 333))).unwrap())).collect();
        assert_eq!(all, one_by_one);
        let held = rows(&x, 333);
        assert_eq!(bits(&read(softmax(held.clone())).unwrap()), all);
        assert_eq!(read(held).unwrap(), x);
    }

    #[test]
    fn gradients_are_those_of_burn() {
        let device = Device::flex().autodiff();
        let leaf = Tensor::<1>::from_floats(noise(3, 90).as_slice(), &device).reshape([2, 45]).require_grad();
        let weight = Tensor::<1>::from_floats(noise(4, 90).as_slice(), &device).reshape([2, 45]);
        let gradient = |out: Tensor<2>| read(leaf.grad(&(out * weight.clone()).sum().backward()).unwrap()).unwrap();
        let ours = gradient(softmax(leaf.clone()));
        let burns: Vec<f64> = gradient(activation::softmax(leaf.clone(), 1)).into_iter().map(f64::from).collect();
        assert_within("gradient", &ours, &ours, &burns, |_, y| 1e-6 * (1.0 + y.abs()));
    }

    #[test]
    fn half_precision_is_rounded_once() {
        for dtype in [FloatDType::F16, FloatDType::BF16] {
            let x = rows(&noise(5, 200), 50).cast(dtype);
            let expected = softmax(x.clone().cast(FloatDType::F32)).cast(dtype);
            assert_eq!(read(softmax(x)).unwrap(), read(expected).unwrap());
        }
    }
}

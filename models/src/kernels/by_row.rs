//! Kernels whose rows know nothing of each other, with gradients that need only their results.

use std::fmt::Debug;

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};

use super::flex::Kernel;
use super::lanes::{Lanes, in_vectors};
use super::memory::{numbers, overwrite, width};

/// A function of a row. A trait, for the reason that [`super::lanes::OfOne`] is one.
pub(super) trait OfRow: Copy + Debug + Send + Sync + 'static {
    /// Overwrites a row with its value.
    fn value<S: Simd>(self, lanes: Lanes<S>, row: &mut [f32]);

    /// Overwrites the gradient of a value with that of its row.
    fn gradient<S: Simd>(self, lanes: Lanes<S>, value: &[f32], gradient: &mut [f32]);
}

/// The function of every row of the last axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByRow<F>(pub(super) F);

impl<F: OfRow> Kernel<1> for ByRow<F> {
    /// The result.
    type Kept = FlexTensor;

    fn value(&self, [x]: [FlexTensor; 1]) -> FlexTensor {
        let width = width(&x);
        overwrite(x, width, |_, rows| in_vectors(Values(self.0, rows, width)))
    }

    fn kept(&self, inputs: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
        let out = self.value(inputs);
        (out.clone(), out)
    }

    fn gradients(&self, out: FlexTensor, gradient: FlexTensor) -> [FlexTensor; 1] {
        let (width, out) = (width(&out), numbers(&out));
        let rows = |start: usize, rows: &mut [f32]| {
            in_vectors(Gradients(self.0, &out[start..start + rows.len()], rows, width));
        };
        [overwrite(gradient, width, rows)]
    }
}

struct Values<'a, F>(F, &'a mut [f32], usize);

impl<F: OfRow> WithSimd for Values<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.1.chunks_exact_mut(self.2) {
            self.0.value(Lanes(simd), row);
        }
    }
}

struct Gradients<'a, F>(F, &'a [f32], &'a mut [f32], usize);

impl<F: OfRow> WithSimd for Gradients<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (value, gradient) in self.1.chunks_exact(self.3).zip(self.2.chunks_exact_mut(self.3)) {
            self.0.gradient(Lanes(simd), value, gradient);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, FloatDType, Tensor, activation};

    use super::super::testing::{assert_within, bits, noise, rows};
    use super::super::{log_softmax, softmax};
    use crate::device::read;

    /// Each function with Burn's.
    type Of = fn(Tensor<2>) -> Tensor<2>;
    const ALL: [(&str, Of, Of); 2] = [
        ("softmax", softmax, |x| activation::softmax(x, 1)),
        ("log_softmax", log_softmax, |x| activation::log_softmax(x, 1)),
    ];

    #[test]
    fn threads_and_neighbours_change_no_bit() {
        let x = noise(2, 300 * 333);
        for (name, of, _) in ALL {
            let all = bits(&read(of(rows(&x, 333))).unwrap());
            let row = |row: &[f32]| bits(&read(of(rows(row, 333))).unwrap());
            assert_eq!(all, x.chunks(333).flat_map(row).collect::<Vec<_>>(), "{name}");
            let held = rows(&x, 333);
            assert_eq!(bits(&read(of(held.clone())).unwrap()), all, "{name}");
            assert_eq!(read(held).unwrap(), x, "{name}");
        }
    }

    #[test]
    fn gradients_are_those_of_burn() {
        let device = Device::flex().autodiff();
        let leaf = Tensor::<1>::from_floats(noise(3, 90).as_slice(), &device).reshape([2, 45]).require_grad();
        let weight = Tensor::<1>::from_floats(noise(4, 90).as_slice(), &device).reshape([2, 45]);
        let gradient = |out: Tensor<2>| read(leaf.grad(&(out * weight.clone()).sum().backward()).unwrap()).unwrap();
        for ((name, of, burns), within) in ALL.into_iter().zip([1e-6, 3e-6]) {
            let ours = gradient(of(leaf.clone()));
            let burns: Vec<f64> = gradient(burns(leaf.clone())).into_iter().map(f64::from).collect();
            assert_within(name, &ours, &ours, &burns, |_, y| within * (1.0 + y.abs()));
        }
    }

    #[test]
    fn half_precision_is_rounded_once() {
        for (name, of, _) in ALL {
            for dtype in [FloatDType::F16, FloatDType::BF16] {
                let x = rows(&noise(5, 200), 50).cast(dtype);
                let expected = of(x.clone().cast(FloatDType::F32)).cast(dtype);
                assert_eq!(read(of(x)).unwrap(), read(expected).unwrap(), "{name}");
            }
        }
    }
}

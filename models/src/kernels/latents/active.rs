//! Activation functions that are flat where they are zero, and elsewhere the identity.

use arrakis_kernels::{largest_of_all, largest_of_rows};
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use pulp::Simd;

use super::super::flex::{Kernel, run};
use super::super::lanes::{Lanes, OfOne, OfTwo, each, each_with};
use super::super::memory::{new_like, numbers, overwrite, width};

/// Which numbers stay. Only positive ones do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Active {
    /// All of them.
    Positive,
    /// The largest of each row. Of equal numbers the first.
    OfRow(usize),
    /// The largest of all rows together. Of equal numbers the first.
    OfAll(usize),
}

/// The numbers that stay, and zeros for the others. NaN stays.
///
/// # Errors
///
/// The tensor, if no kernel knows it.
pub(crate) fn active(kind: Active, x: Tensor<2>) -> Result<Tensor<2>, Tensor<2>> {
    run(&kind, [x]).map_err(|[x]| x)
}

impl Active {
    /// The largest; `None` if all positive ones stay.
    fn largest(self, numbers: &[f32], width: usize) -> Option<Vec<f32>> {
        match self {
            Self::Positive => None,
            Self::OfRow(k) => Some(largest_of_rows(numbers, width.max(1), k)),
            Self::OfAll(k) => Some(largest_of_all(numbers, k)),
        }
    }
}

impl Kernel<1> for Active {
    /// The result.
    type Kept = FlexTensor;

    fn value(&self, [x]: [FlexTensor; 1]) -> FlexTensor {
        let largest = self.largest(&numbers(&x), width(&x));
        match largest {
            Some(kept) => new_like(&x, kept, x.shape()),
            None => overwrite(x, 1, |_, chunk| each(Positive, chunk)),
        }
    }

    fn kept(&self, inputs: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
        let out = self.value(inputs);
        (out.clone(), out)
    }

    fn gradients(&self, out: FlexTensor, gradient: FlexTensor) -> [FlexTensor; 1] {
        let out = numbers(&out);
        [overwrite(gradient, 1, |start, chunk| each_with(WhereActive, chunk, &out[start..start + chunk.len()]))]
    }
}

#[derive(Clone, Copy)]
struct Positive;

impl OfOne for Positive {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.if_less(x, lanes.all(0.0), lanes.all(0.0), x)
    }
}

#[derive(Clone, Copy)]
struct WhereActive;

impl OfTwo for WhereActive {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, gradient: S::f32s, out: S::f32s) -> S::f32s {
        lanes.if_less(lanes.all(0.0), lanes.abs(out), gradient, lanes.all(0.0))
    }
}

//! LayerNorm and RMSNorm over the last axis: whole, and in the parts that have sites.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor};
use pulp::{Simd, WithSimd};

use super::flex::{Kernel, plain, run, with_numbers};
use super::lanes::{Lanes, Minus, Over, OverTimes, Plus, in_vectors};
use super::memory::{new_like, numbers, overwrite, per_row, width};

/// `x - mean(x)`
pub(crate) fn centre<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    run(&Centre, [x]).unwrap_or_else(|[x]| x.clone() - x.mean_dim(D - 1))
}

/// `sqrt(mean(x²) + eps)` of centred numbers, the last axis of length one.
pub(crate) fn norm_scale<const D: usize>(centred: Tensor<D>, eps: f64) -> Tensor<D> {
    run(&Scale(eps as f32), [centred]).unwrap_or_else(|[x]| ((x.clone() * x).mean_dim(D - 1) + eps).sqrt())
}

/// What a norm does to a row.
#[derive(Clone, Debug)]
pub(crate) struct Norming {
    /// Whether the row is centred first.
    pub(crate) centred: bool,
    /// Added inside the root.
    pub(crate) eps: f64,
    /// `[d]`
    pub(crate) weight: Option<Tensor<1>>,
    /// `[d]`
    pub(crate) bias: Option<Tensor<1>>,
}

/// The whole norm in one pass, to the bits of its parts.
///
/// # Errors
///
/// The input, if only the parts can be computed: in a graph, in half precision, and where kernels do not run.
pub(crate) fn norm<const D: usize>(x: Tensor<D>, how: &Norming) -> Result<Tensor<D>, Tensor<D>> {
    if x.dtype() != DType::F32 {
        return Err(x);
    }
    let part = |tensor: &Option<Tensor<1>>| tensor.clone().map(plain).transpose();
    let (Ok(weight), Ok(bias)) = (part(&how.weight), part(&how.bias)) else { return Err(x) };
    let x = plain(x)?;
    let (weight, bias) = (weight.as_ref().map(numbers), bias.as_ref().map(numbers));
    let width = width(&x);
    Ok(with_numbers(overwrite(x, width, |_, rows| {
        let (weight, bias) = (weight.as_deref(), bias.as_deref());
        in_vectors(NormRows { centred: how.centred, eps: how.eps as f32, weight, bias, width, rows });
    })))
}

struct NormRows<'a> {
    centred: bool,
    eps: f32,
    weight: Option<&'a [f32]>,
    bias: Option<&'a [f32]>,
    width: usize,
    rows: &'a mut [f32],
}

impl WithSimd for NormRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = Lanes(simd);
        for row in self.rows.chunks_exact_mut(self.width) {
            if self.centred {
                centre_row(lanes, row);
            }
            let scale = scale_of_row(lanes, row, self.eps);
            match self.weight {
                Some(weight) => lanes.each_with(OverTimes(scale), row, weight),
                None => lanes.each(Over(scale), row),
            }
            if let Some(bias) = self.bias {
                lanes.each_with(Plus, row, bias);
            }
        }
    }
}

#[inline(always)]
fn centre_row<S: Simd>(lanes: Lanes<S>, row: &mut [f32]) {
    let mean = lanes.sum(row) / row.len() as f32;
    lanes.each(Minus(mean), row);
}

#[inline(always)]
fn scale_of_row<S: Simd>(lanes: Lanes<S>, row: &[f32], eps: f32) -> f32 {
    (lanes.dot(row, row) / row.len() as f32 + eps).sqrt()
}

#[derive(Clone, Debug)]
struct Centre;

impl Kernel<1> for Centre {
    type Kept = ();

    fn value(&self, [x]: [FlexTensor; 1]) -> FlexTensor {
        let width = width(&x);
        overwrite(x, width, |_, rows| in_vectors(CentreRows(rows, width)))
    }

    fn kept(&self, inputs: [FlexTensor; 1]) -> (FlexTensor, ()) {
        (self.value(inputs), ())
    }

    /// `g - mean(g)`
    fn gradients(&self, (): (), gradient: FlexTensor) -> [FlexTensor; 1] {
        [self.value([gradient])]
    }
}

struct CentreRows<'a>(&'a mut [f32], usize);

impl WithSimd for CentreRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.0.chunks_exact_mut(self.1) {
            centre_row(Lanes(simd), row);
        }
    }
}

/// The scale, with this `eps`.
#[derive(Clone, Debug)]
struct Scale(f32);

impl Kernel<1> for Scale {
    /// The centred numbers and their scale.
    type Kept = [FlexTensor; 2];

    fn value(&self, [x]: [FlexTensor; 1]) -> FlexTensor {
        let scales = per_row(&numbers(&x), width(&x), |row| in_vectors(ScaleOfRow(row, self.0)));
        let mut shape = x.shape();
        if let Some(last) = shape.last_mut() {
            *last = 1;
        }
        new_like(&x, scales, shape)
    }

    fn kept(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, [FlexTensor; 2]) {
        let scale = self.value([x.clone()]);
        (scale.clone(), [x, scale])
    }

    /// `x g / (d scale)`
    fn gradients(&self, [x, scale]: [FlexTensor; 2], gradient: FlexTensor) -> [FlexTensor; 1] {
        let (width, scale, gradient) = (width(&x), numbers(&scale), numbers(&gradient));
        [overwrite(x, width, |start, rows| {
            for (index, row) in rows.chunks_exact_mut(width).enumerate() {
                let index = start / width + index;
                let factor = gradient[index] / (width as f32 * scale[index]);
                for x in row {
                    *x *= factor;
                }
            }
        })]
    }
}

struct ScaleOfRow<'a>(&'a [f32], f32);

impl WithSimd for ScaleOfRow<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        scale_of_row(Lanes(simd), self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;
    use crate::kernels::testing::{assert_within, bits, noise};
    use burn::tensor::{Device, FloatDType};

    const WIDTHS: [usize; 7] = [1, 3, 16, 31, 64, 200, 768];

    fn rows(seed: u64, width: usize, device: &Device) -> Tensor<2> {
        Tensor::<1>::from_floats(noise(seed, 6 * width).as_slice(), device).reshape([6, width])
    }

    fn vector(seed: u64, width: usize) -> Tensor<1> {
        Tensor::from_floats(noise(seed, width).as_slice(), &Device::flex())
    }

    fn by_burn(x: Tensor<2>, how: &Norming) -> Tensor<2> {
        let centred = if how.centred { x.clone() - x.mean_dim(1) } else { x };
        let scale = ((centred.clone() * centred.clone()).mean_dim(1) + how.eps).sqrt();
        affine(centred / scale, how)
    }

    fn in_parts(x: Tensor<2>, how: &Norming) -> Tensor<2> {
        let centred = if how.centred { centre(x) } else { x };
        let scale = norm_scale(centred.clone(), how.eps);
        affine(centred / scale, how)
    }

    fn affine(mut out: Tensor<2>, how: &Norming) -> Tensor<2> {
        if let Some(weight) = &how.weight {
            out = out * weight.clone().unsqueeze();
        }
        match &how.bias {
            Some(bias) => out + bias.clone().unsqueeze(),
            None => out,
        }
    }

    fn each_way(test: impl Fn(usize, &Norming)) {
        for width in WIDTHS {
            for (weight, bias) in [(false, false), (true, false), (true, true)] {
                for centred in [true, false] {
                    let weight = weight.then(|| vector(1, width));
                    let bias = bias.then(|| vector(2, width));
                    test(width, &Norming { centred, eps: 1e-5, weight, bias });
                }
            }
        }
    }

    #[test]
    fn the_whole_is_its_parts_to_the_bit_and_that_of_double_precision() {
        each_way(|width, how| {
            let x = rows(0, width, &Device::flex());
            let ours = read(norm(x.clone(), how).unwrap()).unwrap();
            assert_eq!(bits(&ours), bits(&read(in_parts(x.clone(), how)).unwrap()), "{width} {how:?}");
            let wide = |part: &Option<Tensor<1>>| part.clone().map(|part| part.cast(FloatDType::F64));
            let wide = Norming { weight: wide(&how.weight), bias: wide(&how.bias), ..how.clone() };
            let exact: Vec<f64> = by_burn(x.cast(FloatDType::F64), &wide).into_data().iter::<f64>().collect();
            assert_within("norm", &ours, &ours, &exact, |_, y| 4e-6 * (1.0 + y.abs()));
        });
    }

    #[test]
    fn gradients_are_those_of_burn() {
        let device = Device::flex().autodiff();
        for width in WIDTHS {
            for centred in [true, false] {
                let how = Norming { centred, eps: 1e-2, weight: None, bias: None };
                let leaf = rows(3, width, &device).require_grad();
                let weight = rows(4, width, &device);
                assert!(norm(leaf.clone(), &how).is_err(), "a graph is made of the parts");
                let gradient =
                    |out: Tensor<2>| read(leaf.grad(&(out * weight.clone()).sum().backward()).unwrap()).unwrap();
                let ours = gradient(in_parts(leaf.clone(), &how));
                let burns: Vec<f64> = gradient(by_burn(leaf.clone(), &how)).into_iter().map(f64::from).collect();
                assert_within("gradient", &ours, &ours, &burns, |_, y| 2e-5 * (1.0 + y.abs()));
            }
        }
    }

    #[test]
    fn threads_and_neighbours_change_no_bit() {
        let x = Tensor::<1>::from_floats(noise(5, 500 * 100).as_slice(), &Device::flex()).reshape([500, 100]);
        let how = Norming { centred: true, eps: 1e-5, weight: Some(vector(6, 100)), bias: None };
        let all = bits(&read(norm(x.clone(), &how).unwrap()).unwrap());
        for row in 0..500 {
            let alone = read(norm(x.clone().narrow(0, row, 1), &how).unwrap()).unwrap();
            assert_eq!(bits(&alone), all[row * 100..(row + 1) * 100]);
        }
    }

    #[test]
    fn half_precision_is_left_to_the_parts() {
        let x = rows(7, 64, &Device::flex()).cast(FloatDType::BF16);
        let how = Norming { centred: true, eps: 1e-5, weight: None, bias: None };
        assert!(norm(x.clone(), &how).is_err());
        let scale = norm_scale(x.clone(), 0.0);
        assert_eq!((scale.dims(), scale.dtype()), ([6, 1], DType::BF16));
        let expected = norm_scale(x.cast(FloatDType::F32), 0.0).cast(FloatDType::BF16);
        assert_eq!(read(scale).unwrap(), read(expected).unwrap());
    }
}

use burn::tensor::{Device, FloatDType, Tensor};

use super::*;
use crate::device::read;
use crate::kernels::testing::{assert_within, bits, every_size, noise, spread_numbers};

const KINDS: [ActivationKind; 5] = [
    ActivationKind::Gelu,
    ActivationKind::GeluTanh,
    ActivationKind::QuickGelu,
    ActivationKind::Silu,
    ActivationKind::Tanh,
];

fn tensor(x: &[f32]) -> Tensor<1> {
    Tensor::from_floats(x, &Device::flex())
}

fn with_kernel(kind: ActivationKind, x: &[f32]) -> Vec<f32> {
    read(activation(kind, tensor(x))).unwrap()
}

/// Burn's own operations in double precision.
fn exactly(kind: ActivationKind, x: Tensor<1>) -> Vec<f64> {
    by_burn(kind, x.cast(FloatDType::F64)).into_data().iter::<f64>().collect()
}

/// Activations are within 2.4e-7 of themselves, two to four units in the last place. Where the result is `x exp(-z)` or
/// so, the rounding of `z` makes it `1 + z` times that. PyTorch's float32 formulas for GELU lose every digit there.
#[test]
fn values_are_those_of_double_precision() {
    let x = spread_numbers();
    for kind in KINDS {
        assert_within(&format!("{kind:?}"), &x, &with_kernel(kind, &x), &exactly(kind, tensor(&x)), |x, y| {
            let exponent = match kind {
                ActivationKind::GeluTanh if x < 0.0 => -2.0 * 0.8 * (x + 0.0447 * x.powi(3)),
                ActivationKind::QuickGelu if x < 0.0 => -1.702 * x,
                ActivationKind::Gelu if x < 0.0 => 6.0,
                _ => 0.0,
            };
            // Double precision itself loses the digits of `1 + tanh`.
            2.4e-7 * y.abs() * (1.0 + exponent) + 2e-16 * x.abs() + 1e-37
        });
    }
}

/// The same formula in float32, as PyTorch has it, is further away.
#[test]
fn small_results_keep_their_digits() {
    let [y] = with_kernel(ActivationKind::GeluTanh, &[-5.0])[..] else { unreachable!() };
    let inner = 1.595_769_121_605_731 * (5.0 + 0.044_715 * 125.0_f64);
    let exact = -5.0 / (1.0 + inner.exp());
    assert!((f64::from(y) / exact - 1.0).abs() < 1e-5, "{y}");
    let [by_burn] = read(by_burn(ActivationKind::GeluTanh, tensor(&[-5.0]))).unwrap()[..] else { unreachable!() };
    assert!((f64::from(by_burn) / exact - 1.0).abs() > 1e-3, "{by_burn}");
}

#[test]
fn extremes_are_those_of_burn() {
    let x = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e30, -1e30, f32::MIN_POSITIVE, 1e-42, -1e-42];
    for kind in KINDS {
        let (ours, burns) = (with_kernel(kind, &x), read(by_burn(kind, tensor(&x))).unwrap());
        for ((x, ours), burns) in x.iter().zip(ours).zip(burns) {
            assert!(ours == burns || (ours.is_nan() && burns.is_nan()), "{kind:?}({x}) is {ours}, by Burn {burns}");
        }
    }
}

/// Central differences of Burn's operations in double precision are exact to 1e-9 here.
#[test]
fn gradients_are_slopes() {
    let x: Vec<f32> = (-400..=400).map(|i| i as f32 * 0.03).collect();
    let wide = |by: f64| tensor(&x).cast(FloatDType::F64) + by;
    for kind in KINDS {
        let (up, down) = (exactly(kind, wide(1e-5)), exactly(kind, wide(-1e-5)));
        let slopes: Vec<f64> = up.iter().zip(down).map(|(up, down)| (up - down) / 2e-5).collect();
        let ours = gradient(&x, |x| activation(kind, x));
        assert_within(&format!("{kind:?}'"), &x, &ours, &slopes, |_, _| 4e-7);
        let burns = gradient(&x, |x| by_burn(kind, x));
        let burns: Vec<f64> = burns.into_iter().map(f64::from).collect();
        assert_within(&format!("{kind:?}' by Burn"), &x, &ours, &burns, |_, _| 3e-6);
    }
}

#[test]
fn gradients_of_extremes_are_numbers() {
    for kind in KINDS {
        let ours = gradient(&[1e30, -1e30, f32::INFINITY, 88.0, -88.0], |x| activation(kind, x));
        let limit = if kind == ActivationKind::Tanh { 0.0 } else { 1.0 };
        assert_eq!([ours[0], ours[1], ours[2], ours[3]], [limit, 0.0, limit, limit], "{kind:?}");
        assert!(ours[4].abs() < 1e-30, "{kind:?} {}", ours[4]);
    }
}

/// The gradient of the sum of noise times the result.
fn gradient(x: &[f32], of: impl Fn(Tensor<1>) -> Tensor<1>) -> Vec<f32> {
    let leaf = Tensor::<1>::from_floats(x, &Device::flex().autodiff()).require_grad();
    let gradients = of(leaf.clone()).sum().backward();
    read(leaf.grad(&gradients).unwrap()).unwrap()
}

#[test]
fn a_gate_is_an_activation_times_a_factor_to_the_bit() {
    let (pre, linear) = (noise(0, 1000), noise(1, 1000));
    for kind in KINDS {
        let whole = read(gate(kind, tensor(&pre), tensor(&linear))).unwrap();
        let parts = read(activation(kind, tensor(&pre)) * tensor(&linear)).unwrap();
        assert_eq!(bits(&whole), bits(&parts), "{kind:?}");
    }
}

#[test]
fn gradients_of_a_gate_are_those_of_its_parts() {
    let device = Device::flex().autodiff();
    let leaf = |seed| Tensor::<1>::from_floats(noise(seed, 300).as_slice(), &device).require_grad();
    for kind in KINDS {
        let (pre, linear, weight) = (leaf(0), leaf(1), leaf(2));
        let gradients = |out: Tensor<1>| {
            let gradients = (out * weight.clone()).sum().backward();
            [&pre, &linear].map(|leaf| read(leaf.grad(&gradients).unwrap()).unwrap())
        };
        let whole = gradients(gate(kind, pre.clone(), linear.clone()));
        let parts = gradients(activation(kind, pre.clone()) * linear.clone());
        for (whole, parts) in whole.iter().zip(&parts) {
            let parts: Vec<f64> = parts.iter().copied().map(f64::from).collect();
            assert_within(&format!("{kind:?}"), whole, whole, &parts, |_, y| 2e-7 * (1.0 + y.abs()));
        }
    }
}

/// Half a graph: what has none is a constant.
#[test]
fn a_gate_with_a_constant_has_the_other_gradient() {
    let pre = Tensor::<1>::from_floats([0.5, -1.0], &Device::flex().autodiff()).require_grad();
    let out = gate(ActivationKind::Tanh, pre.clone(), tensor(&[2.0, 3.0]));
    let slopes = read(pre.grad(&out.sum().backward()).unwrap()).unwrap();
    for (slope, (x, factor)) in slopes.iter().zip([(0.5_f64, 2.0), (-1.0, 3.0)]) {
        assert!((f64::from(*slope) - factor * (1.0 - x.tanh().powi(2))).abs() < 1e-6, "{slope}");
    }
}

#[test]
fn a_number_does_not_depend_on_the_numbers_around_it() {
    for kind in KINDS {
        let x = noise(3, 50_000);
        let all = bits(&with_kernel(kind, &x));
        for size in every_size() {
            assert_eq!(bits(&with_kernel(kind, &x[..size])), all[..size], "{kind:?}, {size} of them");
        }
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one_thread.install(|| bits(&with_kernel(kind, &x))), all, "{kind:?} on one thread");
    }
}

#[test]
fn a_tensor_that_someone_holds_is_not_overwritten() {
    let x = noise(4, 100);
    let held = tensor(&x);
    let shared = read(activation(ActivationKind::Silu, held.clone())).unwrap();
    assert_eq!(read(held.clone()).unwrap(), x);
    // A part of it, and its rows in another order.
    let part = read(activation(ActivationKind::Silu, held.clone().narrow(0, 10, 20))).unwrap();
    assert_eq!(bits(&part), bits(&shared[10..30]));
    let turned = activation(ActivationKind::Silu, held.reshape([10, 10]).transpose()).transpose();
    assert_eq!(bits(&read(turned).unwrap()), bits(&shared));
    assert_eq!(bits(&with_kernel(ActivationKind::Silu, &x)), bits(&shared), "in its own memory");
}

#[test]
fn half_precision_is_rounded_once() {
    for dtype in [FloatDType::F16, FloatDType::BF16] {
        for kind in KINDS {
            let x = tensor(&noise(5, 1000)).cast(dtype);
            let expected = activation(kind, x.clone().cast(FloatDType::F32)).cast(dtype);
            let out = activation(kind, x.clone());
            assert_eq!(out.dtype(), x.dtype());
            assert_eq!(read(out).unwrap(), read(expected).unwrap(), "{kind:?} in {dtype:?}");
            let gated = gate(kind, x.clone(), x.clone());
            let expected = (activation(kind, x.clone().cast(FloatDType::F32)) * x.cast(FloatDType::F32)).cast(dtype);
            assert_eq!(read(gated).unwrap(), read(expected).unwrap(), "{kind:?} gate in {dtype:?}");
        }
    }
}

#[cfg(target_arch = "x86_64")]
/// A CPU with AVX2 alone gives the bits of one with AVX-512.
#[test]
fn vectors_of_every_width_give_the_same_bits() {
    use super::function::Smooth;
    use crate::kernels::lanes::Each;
    use pulp::Simd;
    use pulp::x86::{V3, V4};

    fn compare(name: &str, function: impl Smooth) {
        let (Some(v3), Some(v4)) = (V3::try_new(), V4::try_new()) else { return };
        let (mut narrow, mut wide) = (spread_numbers(), spread_numbers());
        Simd::vectorize(v3, Each(Value(function), &mut narrow));
        Simd::vectorize(v4, Each(Value(function), &mut wide));
        assert_eq!(bits(&narrow), bits(&wide), "{name}");
    }
    compare("gelu", Gelu);
    compare("gelu_tanh", GeluTanh);
    compare("silu", SigmoidLinear(1.0));
    compare("tanh", Tanh);
}

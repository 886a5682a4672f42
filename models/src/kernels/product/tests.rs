//! Products against sums in double precision, and the bits of a row beside others.

use burn::tensor::{Device, Distribution, FloatDType, Tensor, TensorData};

use super::{node, product};
use crate::device::read;
use crate::ground::dtype::widened;

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &Device::flex())
}

/// The matrix as it is, and with contiguous columns.
fn both_orders(weight: Tensor<2>) -> [Tensor<2>; 2] {
    let [d_in, d_out] = weight.dims();
    let columns = TensorData::new(read(weight.clone().transpose()).unwrap(), [d_out, d_in]);
    [weight, Tensor::<2>::from_data(columns, &Device::flex()).transpose()]
}

fn plain(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    assert!(node::fits(&x, &weight, bias.as_ref()), "the kernel runs on the CPU");
    product(x, weight, bias)
}

/// The largest difference from the sum in double precision, in units of the sum of the terms' sizes.
fn rounded(x: &Tensor<2>, weight: &Tensor<2>, bias: &Tensor<1>, out: Tensor<2>) -> f64 {
    let ([rows, d_in], [_, d_out]) = (x.dims(), weight.dims());
    let read64 = |tensor| read(tensor).unwrap().into_iter().map(f64::from).collect::<Vec<f64>>();
    let (x, weight, bias) = (read64(x.clone()), read64(widened(weight.clone())), read(bias.clone()).unwrap());
    let out = read64(out);
    let mut largest = 0.0_f64;
    for row in 0..rows {
        for column in 0..d_out {
            let terms = (0..d_in).map(|i| x[row * d_in + i] * weight[i * d_out + column]);
            let size: f64 = terms.clone().map(f64::abs).sum::<f64>() + f64::from(bias[column].abs());
            let exact = terms.sum::<f64>() + f64::from(bias[column]);
            largest = largest.max((out[row * d_out + column] - exact).abs() / size);
        }
    }
    largest
}

#[test]
fn a_product_by_hand() {
    let device = Device::flex();
    let x = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &device);
    let weight = Tensor::<2>::from_data([[5.0, 6.0, 7.0], [8.0, 9.0, 10.0]], &device);
    let bias = Tensor::<1>::from_data([100.0, 200.0, 300.0], &device);
    for weight in both_orders(weight) {
        for dtype in [FloatDType::F32, FloatDType::F16, FloatDType::BF16] {
            let found = plain(x.clone(), weight.clone().cast(dtype), Some(bias.clone()));
            assert_eq!(read(found).unwrap(), [121.0, 224.0, 327.0, 147.0, 254.0, 361.0]);
        }
    }
}

/// Whole tiles and what is left of them, of both axes, and inner axes of several parts.
#[test]
fn sums_of_every_shape() {
    for (rows, d_in, d_out) in
        [(1, 1, 1), (1, 300, 200), (2, 129, 49), (7, 5, 47), (9, 128, 48), (17, 1025, 97), (40, 2100, 5), (65, 64, 301)]
    {
        let (x, bias) = (random([rows, d_in]), random([d_out]));
        for weight in both_orders(random([d_in, d_out])) {
            for dtype in [FloatDType::F32, FloatDType::F16, FloatDType::BF16] {
                let weight = weight.clone().cast(dtype);
                let found = plain(x.clone(), weight.clone(), Some(bias.clone()));
                let error = rounded(&x, &weight, &bias, found);
                assert!(error < 4e-7, "{rows} {d_in} {d_out} {dtype:?}: {error}");
            }
        }
    }
}

#[test]
fn a_part_of_a_matrix() {
    let (x, weight, bias) = (random([3, 20]), random([30, 90]), random([60]));
    for weight in both_orders(weight) {
        let part = weight.narrow(0, 5, 20).narrow(1, 10, 60);
        let found = plain(x.clone(), part.clone(), Some(bias.clone()));
        assert!(rounded(&x, &part, &bias, found) < 4e-7);
    }
}

#[test]
fn a_row_has_the_same_bits_beside_others_and_in_any_number_of_threads() {
    // So many rows that panels of a matrix with contiguous columns are transposed.
    let x = random([250, 1100]);
    for weight in both_orders(random([1100, 400])) {
        for dtype in [FloatDType::F32, FloatDType::BF16] {
            let weight = weight.clone().cast(dtype);
            let all = read(plain(x.clone(), weight.clone(), None)).unwrap();
            for rows in [0..1, 5..8, 20..37, 60..250] {
                let own = x.clone().narrow(0, rows.start, rows.len());
                assert_eq!(read(plain(own, weight.clone(), None)).unwrap(), all[rows.start * 400..rows.end * 400]);
            }
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (x, weight) = (x.clone(), weight.clone());
                assert_eq!(pool.install(|| read(plain(x, weight, None)).unwrap()), all);
            }
        }
    }
}

/// The gradients of `sum((x W + b)²)`, against Burn's own operations.
#[test]
fn gradients_are_those_of_the_plain_operations() {
    let (x, weight, bias) = (random([5, 40]), random([40, 60]), random([60]));
    for half in [false, true] {
        let weight = if half { weight.clone().cast(FloatDType::BF16) } else { weight.clone() };
        let gradients = |kernel: bool| {
            let leaves = (x.clone().autodiff().require_grad(), bias.clone().autodiff().require_grad());
            let tracked = weight.clone().autodiff().require_grad();
            let out = if kernel {
                plain(leaves.0.clone(), tracked.clone(), Some(leaves.1.clone()))
            } else {
                leaves.0.clone().matmul(widened(tracked.clone())) + leaves.1.clone().unsqueeze()
            };
            let gradients = (out.clone() * out).sum().backward();
            [
                read(leaves.0.grad(&gradients).unwrap()).unwrap(),
                read(leaves.1.grad(&gradients).unwrap()).unwrap(),
                read(widened(tracked.grad(&gradients).unwrap())).unwrap(),
            ]
        };
        for (found, expected) in gradients(true).iter().zip(&gradients(false)) {
            let largest = expected.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
            let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let tolerance = if half { 1e-2 } else { 1e-6 };
            assert!(apart <= tolerance * largest, "{apart} of {largest}");
        }
    }
}

/// In some models one entry of the stream is in the tens of thousands.
#[test]
fn a_giant_entry_spoils_few_terms() {
    let device = Device::flex();
    let length = 3000;
    let mut x = vec![0.37_f32; length];
    x[0] = 250_000.0;
    let exact: f64 = x.iter().map(|x| f64::from(*x) * f64::from(0.1_f32)).sum();
    let x = Tensor::<2>::from_data(TensorData::new(x, [1, length]), &device);
    let weight = Tensor::<2>::full([length, 2], 0.1_f32, &device);
    let error = |tensor: Tensor<2>| (f64::from(read(tensor).unwrap()[1]) - exact).abs();
    let whole = error(x.clone().matmul(weight.clone()));
    for weight in both_orders(weight) {
        let runs = error(plain(x.clone(), weight, None));
        assert!(runs < 0.2 * whole && runs < 0.03, "{runs} in runs, {whole} in one pass");
    }
}

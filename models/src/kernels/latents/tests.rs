//! Values and gradients beside those of Burn's operations.

use burn::tensor::{Device, Distribution, Tensor, TensorData, activation};

use super::{Active, Slopes, active, decode, encode};
use crate::device::read;

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &Device::flex())
}

fn near(what: &str, found: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(found.len() == expected.len() && apart <= 2e-6 * largest, "{what}: {apart} of {largest}");
}

/// Rows, an encoder, its bias, a decoder and its bias, which is also taken off the rows.
struct Parts {
    x: Tensor<2>,
    w_enc: Tensor<2>,
    b_enc: Tensor<1>,
    w_dec: Tensor<2>,
    b_dec: Tensor<1>,
}

/// The reconstruction, and gradients of its squared error by every part.
fn learnt(parts: &Parts, by: impl Fn(&Parts) -> Tensor<2>) -> (Vec<f32>, Vec<Vec<f32>>) {
    let leaf = |x: &Tensor<2>| x.clone().autodiff().require_grad();
    let vector = |x: &Tensor<1>| x.clone().autodiff().require_grad();
    let Parts { x, w_enc, b_enc, w_dec, b_dec } = parts;
    let own = Parts { x: leaf(x), w_enc: leaf(w_enc), b_enc: vector(b_enc), w_dec: leaf(w_dec), b_dec: vector(b_dec) };
    let out = by(&own);
    let gradients = (out.clone() - own.x.clone()).square().sum().backward();
    let of = |x: &Tensor<2>| read(x.grad(&gradients).unwrap()).unwrap();
    let of_vector = |x: &Tensor<1>| read(x.grad(&gradients).unwrap()).unwrap();
    let all = vec![of(&own.x), of(&own.w_enc), of_vector(&own.b_enc), of(&own.w_dec), of_vector(&own.b_dec)];
    (read(out.inner()).unwrap(), all)
}

/// The largest, by Burn's operations and a sort.
fn by_sorting(kind: Active, x: Tensor<2>) -> Tensor<2> {
    let (numbers, dims) = (read(x.clone().detach()).unwrap(), x.dims());
    let (row, k) = match kind {
        Active::Positive => (numbers.len(), numbers.len()),
        Active::OfRow(k) => (dims[1], k),
        Active::OfAll(k) => (numbers.len(), k),
    };
    let mask = numbers.chunks(row).flat_map(|row| {
        let mut sorted = row.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        row.iter().map(|x| f32::from(u8::from(*x >= sorted[k - 1]))).collect::<Vec<f32>>()
    });
    let mask = Tensor::from_data(TensorData::new(mask.collect(), dims), &x.device());
    activation::relu(x) * mask
}

/// With a few of the latents and with half of them, which take the two ways through every kernel.
#[test]
fn values_and_gradients_are_those_of_the_plain_operations() {
    let parts = Parts {
        x: random([70, 20]),
        w_enc: random([20, 90]),
        b_enc: random([90]),
        w_dec: random([90, 20]),
        b_dec: random([20]),
    };
    for kind in [Active::Positive, Active::OfRow(3), Active::OfRow(60), Active::OfAll(200), Active::OfAll(3000)] {
        let ours = |slopes: Slopes| {
            move |own: &Parts| {
                let pre = encode(own.x.clone(), Some(own.b_dec.clone()), own.w_enc.clone(), Some(own.b_enc.clone()));
                decode(active(kind, pre).unwrap(), own.w_dec.clone(), Some(own.b_dec.clone()), slopes)
            }
        };
        let plain = |own: &Parts| {
            let pre = (own.x.clone() - own.b_dec.clone().unsqueeze()).matmul(own.w_enc.clone());
            let acts = by_sorting(kind, pre + own.b_enc.clone().unsqueeze());
            acts.matmul(own.w_dec.clone()) + own.b_dec.clone().unsqueeze()
        };
        let expected = learnt(&parts, plain);
        for slopes in [Slopes::Active, Slopes::All] {
            let found = learnt(&parts, ours(slopes));
            near(&format!("{kind:?} {slopes:?}"), &found.0, &expected.0);
            for (at, (found, expected)) in found.1.iter().zip(&expected.1).enumerate() {
                near(&format!("{kind:?} {slopes:?}, gradient {at}"), found, expected);
            }
        }
    }
}

#[test]
fn without_a_graph_they_are_the_plain_products_to_the_bit() {
    let (x, weight, bias) = (random([9, 20]), random([20, 90]), random([90]));
    let expected = read(crate::kernels::product(x.clone(), weight.clone(), Some(bias.clone()))).unwrap();
    assert_eq!(read(encode(x.clone(), None, weight.clone(), Some(bias.clone()))).unwrap(), expected);
    assert_eq!(read(decode(x.clone(), weight.clone(), Some(bias), Slopes::Active)).unwrap(), expected);
    let tracked = encode(x.clone().autodiff(), None, weight.clone().autodiff().require_grad(), None);
    assert_eq!(read(tracked.inner()).unwrap(), read(encode(x, None, weight, None)).unwrap());
}

#[test]
fn what_is_not_a_number_stays() {
    let x = Tensor::<2>::from_floats([[f32::NAN, 1.0, -1.0, 2.0]], &Device::flex());
    for kind in [Active::Positive, Active::OfRow(1), Active::OfAll(1)] {
        let found = read(active(kind, x.clone()).unwrap()).unwrap();
        assert!(found[0].is_nan() && found[2] == 0.0, "{kind:?}: {found:?}");
    }
}

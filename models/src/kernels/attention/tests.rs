use burn::tensor::{Device, TensorData};

use super::super::scores::{Scoring, scores};
use super::super::softmax::softmax;
use super::*;
use crate::device::read;
use crate::kernels::testing::{assert_within, bits, noise};

fn tensor(seed: u64, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let numbers: Vec<f32> = noise(seed, shape.iter().product()).iter().map(|x| x / 6.0).collect();
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

/// Causal from the end; in a second row, a key before and one in between are hidden too.
fn mask([batch, queries, keys]: [usize; 3]) -> Tensor<4, Bool> {
    let hidden = |row: usize, query: usize, key: usize| {
        key > query + keys - queries || (row == 1 && key != query + keys - queries && (key == 0 || key == 2))
    };
    let each = (0..batch)
        .flat_map(|row| (0..queries).flat_map(move |query| (0..keys).map(move |key| hidden(row, query, key))));
    Tensor::from_data(TensorData::new(each.collect::<Vec<bool>>(), [batch, 1, queries, keys]), &Device::flex())
}

/// Queries, keys and values of two rows, and the masks of one row or of both.
fn each_way(device: &Device, test: impl Fn([Tensor<4>; 3], &Scoring)) {
    for (queries, keys, kv_heads, d_head) in [(5, 5, 4, 8), (3, 40, 2, 16), (50, 150, 1, 20)] {
        for rows in [1, 2] {
            let mask = mask([rows, queries, keys]);
            for penalty in [None, Some(tensor(4, [rows, 4, queries, keys], &Device::flex()))] {
                let how = Scoring { scale: 0.7, penalty, cap: (rows == 2).then_some(2.0), mask: &mask };
                let q = tensor(1, [2, queries, 4, d_head], device);
                let [k, v] = [2, 3].map(|seed| tensor(seed, [2, keys, kv_heads, d_head], device));
                test([q, k, v], &how);
            }
        }
    }
}

fn in_parts([q, k, v]: [Tensor<4>; 3], how: &Scoring) -> Tensor<4> {
    mixed(softmax(scores(products(q, k, how.mask), how)), v, Some(how.mask))
}

fn by_burn([q, k, v]: [Tensor<4>; 3], how: &Scoring) -> Tensor<4> {
    mixed_by_burn(softmax(scores(products_by_burn(q, k), how)), v)
}

#[test]
fn one_pass_has_the_bits_of_its_parts_and_the_numbers_of_burn() {
    each_way(&Device::flex(), |inputs, how| {
        let [q, k, v] = inputs.clone();
        let whole = read(attention(q, k, v, how)).unwrap();
        assert_eq!(bits(&whole), bits(&read(in_parts(inputs.clone(), how)).unwrap()), "{how:?}");
        let burns: Vec<f64> = read(by_burn(inputs, how)).unwrap().into_iter().map(f64::from).collect();
        assert_within("attention", &whole, &whole, &burns, |_, y| 2e-6 * (1.0 + y.abs()));
    });
}

#[test]
fn an_edited_pattern_is_read_where_the_mask_hides_too() {
    let (pattern, v) = (tensor(1, [1, 2, 3, 4], &Device::flex()), tensor(2, [1, 4, 1, 8], &Device::flex()));
    let found = read(mixed(pattern.clone(), v.clone(), None)).unwrap();
    let burns: Vec<f64> = read(mixed_by_burn(pattern, v)).unwrap().into_iter().map(f64::from).collect();
    assert_within("mean", &found, &found, &burns, |_, y| 1e-6 * (1.0 + y.abs()));
}

#[test]
fn a_graph_changes_no_bit_and_has_the_gradients_of_burn() {
    let device = Device::flex().autodiff();
    each_way(&device, |inputs, how| {
        let inputs = inputs.map(Tensor::require_grad);
        let weight = tensor(7, inputs[0].dims(), &device);
        let gradients = |out: Tensor<4>| {
            let gradients = (out * weight.clone()).sum().backward();
            inputs.clone().map(|input| read(input.grad(&gradients).unwrap()).unwrap())
        };
        let [q, k, v] = inputs.clone();
        let out = attention(q, k, v, how);
        let plain = inputs.clone().map(|input| Tensor::from_data(input.into_data(), &Device::flex()));
        let [q, k, v] = plain;
        assert_eq!(bits(&read(out.clone()).unwrap()), bits(&read(attention(q, k, v, how)).unwrap()));
        let (ours, burns) = (gradients(out), gradients(by_burn(inputs.clone(), how)));
        for (ours, burns) in ours.iter().zip(burns) {
            let burns: Vec<f64> = burns.into_iter().map(f64::from).collect();
            assert_within("gradient", ours, ours, &burns, |_, y| 5e-6 * (1.0 + y.abs()));
        }
    });
}

/// A view of a longer tensor, and heads before positions.
#[test]
fn rows_may_lie_anywhere() {
    let device = Device::flex();
    let longer = tensor(1, [2, 9, 3, 16], &device);
    let (k, v) = (longer.clone().narrow(1, 2, 5), tensor(2, [2, 3, 5, 16], &device).swap_dims(1, 2));
    let (q, mask) = (tensor(3, [2, 5, 3, 16], &device), mask([1, 5, 5]));
    let how = Scoring { scale: 0.5, penalty: None, cap: None, mask: &mask };
    let copy = |x: &Tensor<4>| Tensor::<4>::from_data(x.clone().into_data(), &device);
    let found = read(attention(q.clone(), k.clone(), v.clone(), &how)).unwrap();
    assert_eq!(bits(&found), bits(&read(attention(q, copy(&k), copy(&v), &how)).unwrap()));
}

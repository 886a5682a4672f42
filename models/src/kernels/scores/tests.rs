use burn::tensor::{Device, FloatDType, TensorData};

use super::*;
use crate::device::read;
use crate::kernels::testing::{assert_within, bits, noise};

/// Two rows, three heads, five queries and seven keys.
const SHAPE: [usize; 4] = [2, 3, 5, 7];

fn tensor(seed: u64, shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(noise(seed, shape.iter().product()), shape), device)
}

/// Causal; in the second row, a key before and one in between are hidden too.
fn mask(batches: usize) -> Tensor<4, Bool> {
    let hidden = |batch: usize, query: usize, key: usize| key > query + 2 || (batch == 1 && (key == 0 || key == 2));
    let each =
        (0..batches).flat_map(|batch| (0..5).flat_map(move |query| (0..7).map(move |key| hidden(batch, query, key))));
    Tensor::from_data(TensorData::new(each.collect::<Vec<bool>>(), [batches, 1, 5, 7]), &Device::flex())
}

/// Every choice of penalty and cap, for masks and penalties of one row or of both.
fn each_way(test: impl Fn(&Scoring)) {
    for batches in [1, 2] {
        let mask = mask(batches);
        for cap in [None, Some(4.0)] {
            let penalty = tensor(9, [batches, 3, 5, 7], &Device::flex());
            for penalty in [None, Some(penalty)] {
                test(&Scoring { scale: 0.3, penalty, cap, mask: &mask });
            }
        }
    }
}

/// Burn's operations in double precision.
fn exactly(products: &Tensor<4>, how: &Scoring) -> Vec<f64> {
    let penalty = how.penalty.clone().map(|penalty| penalty.cast(FloatDType::F64));
    let scores = by_burn(products.clone().cast(FloatDType::F64), &Scoring { penalty, ..how.clone() });
    scores.into_data().iter::<f64>().collect()
}

#[test]
fn scores_are_those_of_double_precision() {
    let products = tensor(0, SHAPE, &Device::flex());
    each_way(|how| {
        let ours = read(scores(products.clone(), how)).unwrap();
        let exact = exactly(&products, how);
        for (ours, exact) in ours.iter().zip(&exact) {
            assert_eq!(*ours == f32::NEG_INFINITY, *exact == f64::NEG_INFINITY);
            assert!(*ours == f32::NEG_INFINITY || (f64::from(*ours) - exact).abs() < 1e-6, "{ours} is not {exact}");
        }
    });
}

#[test]
fn a_pattern_is_the_softmax_of_scores_to_the_bit() {
    let products = tensor(1, SHAPE, &Device::flex());
    each_way(|how| {
        let (whole, parts) = (pattern(products.clone(), how), softmax(scores(products.clone(), how)));
        assert_eq!(bits(&read(whole).unwrap()), bits(&read(parts).unwrap()), "{how:?}");
    });
    assert_eq!(read(products).unwrap(), noise(1, 210), "the products are not overwritten");
}

#[test]
fn a_graph_changes_no_bit_and_has_the_gradients_of_burn() {
    let device = Device::flex().autodiff();
    let leaf = tensor(2, SHAPE, &device).require_grad();
    let weight = tensor(3, SHAPE, &device);
    each_way(|how| {
        let plain = read(pattern(tensor(2, SHAPE, &Device::flex()), how)).unwrap();
        assert_eq!(bits(&read(pattern(leaf.clone(), how)).unwrap()), bits(&plain));
        let gradient =
            |pattern: Tensor<4>| read(leaf.grad(&(pattern * weight.clone()).sum().backward()).unwrap()).unwrap();
        let ours = gradient(pattern(leaf.clone(), how));
        let burns = activation::softmax(by_burn(leaf.clone(), &on(&device, how)), 3);
        let burns: Vec<f64> = gradient(burns).into_iter().map(f64::from).collect();
        assert_within("gradient", &ours, &ours, &burns, |_, y| 1e-6 * (1.0 + y.abs()));
    });
}

/// The penalty on another device.
fn on<'a>(device: &Device, how: &Scoring<'a>) -> Scoring<'a> {
    let penalty = how.penalty.as_ref().map(|penalty| Tensor::from_data(penalty.clone().into_data(), device));
    Scoring { penalty, ..how.clone() }
}

#[test]
fn half_precision_rounds_scores_as_a_site_does() {
    let products = tensor(4, SHAPE, &Device::flex()).cast(FloatDType::BF16);
    let mask = mask(1);
    let how = Scoring { scale: 0.3, penalty: None, cap: Some(5.0), mask: &mask };
    let whole = pattern(products.clone(), &how);
    assert_eq!(read(whole).unwrap(), read(softmax(scores(products, &how))).unwrap());
}

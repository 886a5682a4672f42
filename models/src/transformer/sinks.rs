//! Attention sinks (gpt-oss, <https://arxiv.org/abs/2508.10925>): each head has a learned score that takes part in the
//! softmax and reads nothing.

use burn::tensor::{Tensor, activation};

use crate::kernels;

/// The softmax of scores `[batch, head, query, key]` beside one more score for each head, `[head]`. Every query sees a key.
///
/// `softmax(s) σ(log Σ exp(s) - sink)`, so padding changes no bit. The sum is read off the largest entry of the softmax.
pub(super) fn pattern(scores: Tensor<4>, sinks: Tensor<1>) -> Tensor<4> {
    let (most, at) = scores.clone().max_dim_with_indices(3);
    let plain = kernels::softmax(scores);
    let whole = most - plain.clone().gather(3, at).log();
    let heads = sinks.dims()[0];
    plain * activation::sigmoid(whole - sinks.reshape([1, heads, 1, 1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    const HIDDEN: f32 = f32::NEG_INFINITY;

    fn rows(device: &Device) -> Tensor<4> {
        let scores = vec![0.3, HIDDEN, HIDDEN, -1.2, 2.0, HIDDEN, 40.0, -40.0, 39.5_f32];
        Tensor::from_data(TensorData::new(scores, [1, 1, 3, 3]), device)
    }

    /// Softmax over one more key, which is then left out.
    fn by_definition(scores: Tensor<4>, sinks: Tensor<1>) -> Tensor<4> {
        let [batch, heads, queries, keys] = scores.dims();
        let column = sinks.reshape([1, heads, 1, 1]).expand([batch, heads, queries, 1]);
        activation::softmax(Tensor::cat(vec![scores, column], 3), 3).narrow(3, 0, keys)
    }

    #[test]
    fn it_is_one_more_key_that_is_left_out() {
        let device = Device::flex();
        for sink in [-50.0, -0.7, 0.0, 3.0, 60.0_f32] {
            let sinks = Tensor::<1>::from_floats([sink], &device);
            let ours = crate::device::read(pattern(rows(&device), sinks.clone())).unwrap();
            let theirs = crate::device::read(by_definition(rows(&device), sinks)).unwrap();
            for (a, b) in ours.iter().zip(&theirs) {
                assert!((a - b).abs() <= 1e-6 * b.abs() + 1e-12, "{a} is not {b} with a sink of {sink}");
            }
        }
    }

    #[test]
    fn gradients_reach_scores_and_sinks() {
        let device = Device::flex().autodiff();
        let gradients = |how: fn(Tensor<4>, Tensor<1>) -> Tensor<4>| {
            let (scores, sinks) =
                (rows(&device).require_grad(), Tensor::<1>::from_floats([1.5], &device).require_grad());
            let weights =
                Tensor::<4>::from_data(TensorData::new((0_u8..9).map(f32::from).collect(), [1, 1, 3, 3]), &device);
            let grads = (how(scores.clone(), sinks.clone()) * weights).sum().backward();
            let of_scores = crate::device::read(scores.grad(&grads).unwrap()).unwrap();
            (of_scores, crate::device::read(sinks.grad(&grads).unwrap()).unwrap())
        };
        let ((ours, our_sinks), (theirs, their_sinks)) = (gradients(pattern), gradients(by_definition));
        for (a, b) in ours.iter().zip(&theirs).chain(our_sinks.iter().zip(&their_sinks)) {
            assert!((a - b).abs() < 2e-6, "{a} is not {b}");
        }
        assert!(our_sinks[0].abs() > 0.1);
    }
}

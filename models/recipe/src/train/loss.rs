//! Cross entropy with a weight for each prediction.

use burn::tensor::{Int, Tensor, activation};

/// `Σ w · -log p(target) / Σ w` in nats, `[1]`; 0 if every weight is 0.
///
/// `logits` is `[batch, pos, d_vocab]`, `targets` and `weights` are `[batch, pos]`.
pub fn weighted_cross_entropy(logits: Tensor<3>, targets: Tensor<2, Int>, weights: Tensor<2>) -> Tensor<1> {
    let [batch, pos, d_vocab] = logits.dims();
    let rows = batch * pos;
    let log_probs = activation::log_softmax(logits.reshape([rows, d_vocab]), 1);
    let losses = log_probs.gather(1, targets.reshape([rows, 1])).neg();
    let weights: Tensor<2> = weights.reshape([rows, 1]);
    (losses * weights.clone()).sum() / weights.sum().clamp_min(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis::models::device;
    use burn::tensor::Device;

    fn loss(weights: [[f32; 2]; 1]) -> f32 {
        let device = Device::flex();
        // Probabilities 1/2, 1/2 at position 0 and 1/4, 3/4 at position 1.
        let logits = Tensor::from_floats([[[0.0, 0.0], [0.0, 3f32.ln()]]], &device);
        let targets = Tensor::<2, Int>::from_ints([[0, 0]], &device);
        device::read(weighted_cross_entropy(logits, targets, Tensor::from_floats(weights, &device))).unwrap()[0]
    }

    #[test]
    fn by_hand() {
        let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
        close(loss([[1.0, 0.0]]), 2f32.ln());
        close(loss([[1.0, 1.0]]), f32::midpoint(2f32.ln(), 4f32.ln()));
        close(loss([[0.5, 1.5]]), 0.25 * 2f32.ln() + 0.75 * 4f32.ln());
    }

    #[test]
    fn without_weights_the_loss_is_zero() {
        assert_eq!(loss([[0.0, 0.0]]), 0.0);
    }
}

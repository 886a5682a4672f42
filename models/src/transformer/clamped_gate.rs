//! The gate of gpt-oss (<https://arxiv.org/abs/2508.10925>): clamped, with one added to the linear half.

use burn::tensor::{Tensor, activation};

use crate::config::ClampedGate;

impl ClampedGate {
    /// The neurons of a gate and a linear half of the same shape.
    pub fn apply<const D: usize>(self, gate: Tensor<D>, linear: Tensor<D>) -> Tensor<D> {
        let gate = gate.clamp_max(self.limit);
        let linear = linear.clamp(-self.limit, self.limit);
        (linear + 1.0) * gate.clone() * activation::sigmoid(gate * self.slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn by_hand() {
        let row = |values: [f32; 3]| Tensor::<1>::from_floats(values, &Device::flex());
        let gate = ClampedGate { slope: 2.0, limit: 1.5 };
        let out = crate::device::read(gate.apply(row([0.5, 9.0, -9.0]), row([0.25, -7.0, 7.0]))).unwrap();
        let silu = |x: f32| x / (1.0 + (-2.0 * x).exp());
        // The gate has no lower limit; the linear half has both.
        let expected = [1.25 * silu(0.5), -0.5 * silu(1.5), 2.5 * silu(-9.0)];
        assert!(out.iter().zip(expected).all(|(ours, by_hand)| (ours - by_hand).abs() < 1e-6), "{out:?}");
    }
}

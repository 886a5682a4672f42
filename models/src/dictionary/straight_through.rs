//! Steps that have a gradient: the straight-through estimators of `JumpReLU` (<https://arxiv.org/abs/2407.14435>).
//!
//! A step's derivative is that of a ramp of width `ε` around the threshold. It is written with constants: `θ - stop(θ)` is
//! zero, and its gradient with respect to `θ` is one.

use arrakis_kernels::Jump;
use burn::tensor::Tensor;

use super::loss::row;
use crate::kernels::jump;

/// How the estimator is formed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimator {
    /// The width `ε` of the ramp.
    pub(super) bandwidth: f64,
    /// Whether the ramp also has a gradient with respect to `z`, as Anthropic has it; `DeepMind` gives it to `θ` alone.
    pub(super) to_input: bool,
}

impl Estimator {
    /// `1[z > θ]`, for `z` `[rows, d_sae]` and `θ` `[d_sae]`. Its gradient with respect to `θ` is `-(1/ε) rect((z-θ)/ε)`.
    pub(super) fn step(self, z: &Tensor<2>, threshold: &Tensor<1>) -> Tensor<2> {
        if let Ok(out) = jump(self.jump(false), z.clone(), threshold.clone()) {
            return out;
        }
        let slope = self.rectangle(z, threshold) / self.bandwidth;
        above(z, threshold) - self.distance(z, threshold) * slope
    }

    /// `z 1[z > θ]`. Its gradient with respect to `z` is `1[z > θ]`, with respect to `θ` `-(θ/ε) rect((z-θ)/ε)`.
    pub(super) fn jump_relu(self, z: &Tensor<2>, threshold: &Tensor<1>) -> Tensor<2> {
        if let Ok(out) = jump(self.jump(true), z.clone(), threshold.clone()) {
            return out;
        }
        let slope = self.rectangle(z, threshold) * row(threshold.clone().detach()) / self.bandwidth;
        z.clone() * above(z, threshold) - self.distance(z, threshold) * slope
    }

    fn jump(self, times_z: bool) -> Jump {
        Jump { bandwidth: self.bandwidth as f32, to_input: self.to_input, times_z }
    }

    /// Zero; with the gradient 1 with respect to `θ`, and -1 with respect to `z` if that has one.
    fn distance(self, z: &Tensor<2>, threshold: &Tensor<1>) -> Tensor<2> {
        let zero = row(threshold.clone() - threshold.clone().detach());
        if self.to_input { zero - (z.clone() - z.clone().detach()) } else { zero }
    }

    /// `1[-½ < (z - θ)/ε < ½]`, a constant.
    fn rectangle(self, z: &Tensor<2>, threshold: &Tensor<1>) -> Tensor<2> {
        let u = (z.clone().detach() - row(threshold.clone().detach())) / self.bandwidth;
        u.abs().lower_scalar(0.5).float()
    }
}

/// `1[z > θ]`, a constant.
pub(super) fn above(z: &Tensor<2>, threshold: &Tensor<1>) -> Tensor<2> {
    let z = z.clone().detach();
    let threshold = row(threshold.clone().detach()).expand(z.dims());
    z.greater(threshold).float()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::device::read;

    /// Values, and gradients with respect to `z` and `θ` of their sum weighted by 1, 2, 3.
    fn of(f: impl Fn(&Tensor<2>, &Tensor<1>) -> Tensor<2>) -> [Vec<f32>; 3] {
        let device = Device::flex().autodiff();
        let z = Tensor::<2>::from_floats([[0.5, 1.1, 0.95], [2.0, 0.9, 1.2]], &device).require_grad();
        let threshold = Tensor::<1>::from_floats([1.0, 1.0, 1.0], &device).require_grad();
        let out = f(&z, &threshold);
        let weights = Tensor::<2>::from_floats([[1.0, 2.0, 3.0]], &device);
        let gradients = (out.clone() * weights).sum().backward();
        let none = |found: Option<Vec<f32>>| found.unwrap_or_default();
        let of_z = none(z.grad(&gradients).map(|gradient| read(gradient).unwrap()));
        let of_threshold = read(threshold.grad(&gradients).unwrap()).unwrap();
        [read(out).unwrap(), of_z, of_threshold]
    }

    fn close(found: &[f32], expected: &[f32]) {
        let same = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(same, "{found:?} {expected:?}");
    }

    #[test]
    fn gradients_by_hand() {
        // Of the second latent 1.1 and 0.9 are within ½ · 0.4 of the threshold, of the third 0.95; 1.2 is at the edge.
        let estimator = Estimator { bandwidth: 0.4 + 1e-6 - 2e-6, to_input: false };
        let [values, _, of_threshold] = of(|z, threshold| estimator.step(z, threshold));
        close(&values, &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        close(&of_threshold, &[0.0, -2.0 * 2.0 / 0.4, -3.0 / 0.4].map(|x: f32| x / (1.0 - 2.5e-6)));
        let [values, of_z, of_threshold] = of(|z, threshold| estimator.jump_relu(z, threshold));
        close(&values, &[0.0, 1.1, 0.0, 2.0, 0.0, 1.2]);
        close(&of_z, &[0.0, 2.0, 0.0, 1.0, 0.0, 3.0]);
        close(&of_threshold, &[0.0, -2.0 * 2.0 / 0.4, -3.0 / 0.4].map(|x: f32| x / (1.0 - 2.5e-6)));
    }

    #[test]
    fn the_input_has_the_opposite_gradient_where_it_has_one() {
        let estimator = Estimator { bandwidth: 0.3, to_input: true };
        let [_, of_z, of_threshold] = of(|z, threshold| estimator.step(z, threshold));
        close(&of_z, &[0.0, 2.0 / 0.3, 3.0 / 0.3, 0.0, 2.0 / 0.3, 0.0]);
        close(&of_threshold, &[0.0, -4.0 / 0.3, -3.0 / 0.3]);
    }
}

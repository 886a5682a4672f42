//! `AdamW` over a dictionary's parameters: with the decoder's gradient projected, and with moments that can be zeroed and
//! saved.

use std::collections::BTreeMap;

use arrakis_models::device;
pub(super) use arrakis_models::optimizer::tracked;
use arrakis_models::optimizer::{AdamSettings, AdamW, Moments as OnDevice, Rules};
use burn::module::Module;
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use super::settings::{DecoderRule, Training};
use crate::error::Result;

/// The decoder, `[d_sae, d_out]`.
pub(super) const DECODER: &str = "w_dec";

/// Added to the norm of the gradients where they are scaled down, as in `PyTorch`.
const CLIP_EPSILON: f64 = 1e-6;

/// The optimizer, and what holds of the decoder.
pub(super) struct Optimizer {
    adam: AdamW,
    rule: DecoderRule,
}

/// Moments of a parameter: steps taken, and the two moments, flat.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    pub(super) time: usize,
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
}

impl Optimizer {
    pub(super) fn new(training: &Training) -> Self {
        let Training { betas, epsilon, weight_decay, clip, .. } = *training;
        let settings = AdamSettings { betas, epsilon, weight_decay, clip, clip_epsilon: CLIP_EPSILON };
        Self { adam: AdamW::new(settings), rule: training.decoder }
    }

    /// Takes one step with the gradients of tracked parameters, and gives parameters without gradients. Thresholds stay at
    /// 0 or above.
    pub(super) fn step<M: Module>(&mut self, module: M, grads: &Gradients, lr: f64) -> Result<M> {
        Ok(self.adam.step(module, grads, lr, &self.rule)?.0)
    }

    /// The moments by parameter.
    pub(super) fn moments(&self) -> Result<BTreeMap<String, Moments>> {
        let of = |(name, own): (&String, &OnDevice)| {
            let (first, second) = (device::read(own.first.clone())?, device::read(own.second.clone())?);
            Ok((name.clone(), Moments { time: own.time, first, second }))
        };
        self.adam.moments().iter().map(of).collect()
    }

    /// Puts moments in the place of those there are.
    pub(super) fn restore(&mut self, moments: BTreeMap<String, Moments>, device: &Device) {
        let tensor = |values: Vec<f32>| {
            let length = values.len();
            Tensor::from_data(TensorData::new(values, [length]), device)
        };
        let state = |Moments { time, first, second }| OnDevice { time, first: tensor(first), second: tensor(second) };
        self.adam.restore(moments.into_iter().map(|(name, own)| (name, state(own))).collect());
    }
}

impl Rules for DecoderRule {
    /// The gradient of a decoder with rows of length 1 has no part along them: it would only change their length.
    fn gradient<const D: usize>(&self, path: &str, value: &Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        if *self == Self::Free || path != DECODER {
            return gradient;
        }
        gradient.clone() - value.clone() * (gradient * value.clone()).sum_dim(D - 1)
    }

    fn moved<const D: usize>(&self, path: &str, value: Tensor<D>) -> Tensor<D> {
        match (path, self) {
            ("threshold", _) => value.clamp_min(0.0),
            (DECODER, Self::UnitNorm) => {
                let length = value.clone().square().sum_dim(D - 1).sqrt().clamp_min(1e-30);
                value / length
            }
            _ => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::close;
    use burn::module::Param;

    #[derive(Module, Debug)]
    struct Plain {
        w_dec: Param<Tensor<2>>,
        threshold: Param<Tensor<1>>,
    }

    fn plain() -> Plain {
        let device = Device::flex();
        Plain {
            w_dec: Param::from_tensor(Tensor::from_floats([[0.6, 0.8], [1.0, 0.0]], &device)),
            threshold: Param::from_tensor(Tensor::from_floats([0.001, 1.0], &device)),
        }
    }

    /// A step whose gradients are constants.
    fn stepped(training: &Training, steps: usize) -> (Plain, Optimizer) {
        let (mut own, mut optimizer) = (plain(), Optimizer::new(training));
        for _ in 0..steps {
            let leaf = tracked(own);
            let device = leaf.w_dec.val().device();
            let weights = Tensor::<2>::from_floats([[3.0, 4.0], [0.0, 2.0]], &device);
            let loss = (leaf.w_dec.val() * weights).sum() + leaf.threshold.val().sum();
            own = optimizer.step(leaf, &loss.backward(), training.lr).unwrap();
        }
        (own, optimizer)
    }

    #[test]
    fn the_first_step_is_the_learning_rate_and_thresholds_stay_above_zero() {
        let training = Training { lr: 0.01, clip: f64::INFINITY, ..Training::default() };
        let (own, optimizer) = stepped(&training, 1);
        let moved = device::read(own.w_dec.val()).unwrap();
        for (moved, expected) in moved.iter().zip([0.59, 0.79, 1.0, -0.01]) {
            close(*moved, expected, 1e-5);
        }
        assert_eq!(device::read(own.threshold.val()).unwrap(), [0.0, 0.99]);
        // Clipping scales all gradients by one factor: to 1 of √(9 + 16 + 4 + 1 + 1).
        let (_, clipped) = stepped(&Training { clip: 1.0, ..training }, 1);
        let first = |optimizer: &Optimizer| optimizer.moments().unwrap()[DECODER].first[1];
        close(f64::from(first(&optimizer)) / f64::from(first(&clipped)), 31.0_f64.sqrt(), 1e-4);
    }

    #[test]
    fn unit_rows_stay_unit_and_take_no_gradient_along_themselves() {
        let training = Training { lr: 0.1, decoder: DecoderRule::UnitNorm, ..Training::default() };
        let (own, optimizer) = stepped(&training, 1);
        let moments = &optimizer.moments().unwrap()[DECODER];
        // The gradient (3, 4) is along the row (0.6, 0.8): nothing is left of it.
        moments.first[..2].iter().for_each(|moment| close(*moment, 0.0, 1e-6));
        let lengths = device::read(own.w_dec.val().square().sum_dim(1)).unwrap();
        for length in lengths {
            close(length, 1.0, 1e-6);
        }
        assert!(device::read(own.w_dec.val()).unwrap()[3] < 0.0);
    }

    #[test]
    fn restored_moments_go_on_with_the_same_bits() {
        let training = Training { lr: 0.01, ..Training::default() };
        let bits = |own: &Plain| device::read(own.w_dec.val()).unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let (whole, _) = stepped(&training, 3);
        let (half, optimizer) = stepped(&training, 2);
        let mut again = Optimizer::new(&training);
        again.restore(optimizer.moments().unwrap(), &Device::flex());
        let leaf = tracked(half);
        let weights = Tensor::<2>::from_floats([[3.0, 4.0], [0.0, 2.0]], &leaf.w_dec.val().device());
        let loss = (leaf.w_dec.val() * weights).sum() + leaf.threshold.val().sum();
        assert_eq!(bits(&again.step(leaf, &loss.backward(), 0.01).unwrap()), bits(&whole));
    }
}

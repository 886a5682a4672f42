//! `AdamW` over a dictionary's parameters: clipped, with the decoder's gradient projected, and with moments that can be
//! zeroed and saved.

use std::collections::BTreeMap;

use arrakis_models::device;
use arrakis_models::hooks::ParameterPath;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use super::settings::{DecoderRule, Training};
use crate::error::Result;

/// The decoder, `[d_sae, d_out]`.
pub(super) const DECODER: &str = "w_dec";

/// Burn's `AdamW`, with gradients clipped by their global norm (Pascanu et al., 2013).
pub(super) struct Optimizer {
    decayed: AdamW,
    plain: AdamW,
    clip: f64,
    rule: DecoderRule,
    moments: BTreeMap<String, AdamWState<1>>,
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
        let [beta_1, beta_2] = training.betas;
        let config = AdamWConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(training.epsilon);
        Self {
            decayed: config.clone().with_weight_decay(training.weight_decay).build(),
            plain: config.with_weight_decay(0.0).build(),
            clip: training.clip,
            rule: training.decoder,
            moments: BTreeMap::new(),
        }
    }

    /// Takes one step with the gradients of tracked parameters, and gives parameters without gradients. Thresholds stay at
    /// 0 or above.
    pub(super) fn step<M: Module>(&mut self, module: M, grads: &Gradients, lr: f64) -> Result<M> {
        let mut norms = Norms { grads, rule: self.rule, path: ParameterPath::default(), squares: Vec::new() };
        module.visit(&mut norms);
        let norm = norms.total()?;
        let scale = if norm > self.clip { self.clip / (norm + 1e-6) } else { 1.0 };
        Ok(module.map(&mut Step { optimizer: self, grads, lr, scale, path: ParameterPath::default() }))
    }

    /// The moments by parameter.
    pub(super) fn moments(&self) -> Result<BTreeMap<String, Moments>> {
        let of = |(name, state): (&String, &AdamWState<1>)| {
            let AdaptiveMomentumState { time, moment_1, moment_2, .. } = state.momentum.clone();
            Ok((name.clone(), Moments { time, first: device::read(moment_1)?, second: device::read(moment_2)? }))
        };
        self.moments.iter().map(of).collect()
    }

    /// Puts moments in the place of those there are.
    pub(super) fn restore(&mut self, moments: BTreeMap<String, Moments>, device: &Device) {
        let tensor = |values: Vec<f32>| {
            let length = values.len();
            Tensor::from_data(TensorData::new(values, [length]), device)
        };
        let state = |Moments { time, first, second }| AdamWState {
            momentum: AdaptiveMomentumState::new(time, tensor(first), tensor(second)),
        };
        self.moments = moments.into_iter().map(|(name, own)| (name, state(own))).collect();
    }
}

/// The gradient of a parameter as it is used. That of a decoder with rows of length 1 has no part along them: it would only
/// change their length.
fn gradient<const D: usize>(value: &Tensor<D>, grads: &Gradients, path: &str, rule: DecoderRule) -> Option<Tensor<D>> {
    let grad = value.grad(grads)?;
    if rule == DecoderRule::Free || path != DECODER {
        return Some(grad);
    }
    let along = value.clone().inner();
    Some(grad.clone() - along.clone() * (grad * along).sum_dim(D - 1))
}

/// Sums the squares of all gradients.
struct Norms<'a> {
    grads: &'a Gradients,
    rule: DecoderRule,
    path: ParameterPath,
    squares: Vec<Tensor<1>>,
}

impl Norms<'_> {
    fn total(self) -> Result<f64> {
        if self.squares.is_empty() {
            return Ok(0.0);
        }
        let squares = device::read(Tensor::cat(self.squares, 0))?;
        Ok(squares.into_iter().map(f64::from).sum::<f64>().sqrt())
    }
}

impl ModuleVisitor for Norms<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = gradient(&param.val(), self.grads, &self.path.joined(), self.rule) {
            self.squares.push((grad.clone() * grad).sum());
        }
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }
}

/// Updates every parameter that has a gradient.
struct Step<'a> {
    optimizer: &'a mut Optimizer,
    grads: &'a Gradients,
    lr: f64,
    scale: f64,
    path: ParameterPath,
}

impl Step<'_> {
    /// Adam is elementwise, so every parameter is updated as a vector.
    fn moved<const D: usize>(&mut self, value: Tensor<D>, grad: Tensor<D>) -> Tensor<D> {
        let (shape, count, path) = (value.shape(), value.shape().num_elements(), self.path.joined());
        let adamw = if D > 1 { &self.optimizer.decayed } else { &self.optimizer.plain };
        let earlier = self.optimizer.moments.remove(&path);
        let (moved, state) = adamw.step(self.lr, value.reshape([count]), grad.reshape([count]) * self.scale, earlier);
        let moved = moved.reshape(shape);
        if let Some(state) = state {
            self.optimizer.moments.insert(path.clone(), state);
        }
        match (path.as_str(), self.optimizer.rule) {
            ("threshold", _) => moved.clamp_min(0.0),
            (DECODER, DecoderRule::UnitNorm) => {
                let length = moved.clone().square().sum_dim(D - 1).sqrt().clamp_min(1e-30);
                moved / length
            }
            _ => moved,
        }
    }
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let grad = gradient(&param.val(), self.grads, &self.path.joined(), self.optimizer.rule);
        param.map(|value| {
            let value = value.inner();
            match grad {
                Some(grad) => self.moved(value, grad),
                None => value,
            }
        })
    }
}

/// The same parameters as leaves of a gradient graph.
pub(super) fn tracked<M: Module>(module: M) -> M {
    struct Track;
    impl ModuleMapper for Track {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| Tensor::from_inner(value).require_grad())
        }
    }
    module.map(&mut Track)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::close;

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

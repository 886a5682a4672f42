//! `AdamW` over a module (Loshchilov and Hutter, <https://arxiv.org/abs/1711.05101>): gradients clipped by one global norm (Pascanu et
//! al., 2013), no decay of vectors, moments by parameter path.
//!
//! On the CPU a step is one pass over each parameter on all cores, to the bits of Burn's `AdamW`.

use std::collections::BTreeMap;

pub use arrakis_kernels::AdamStep;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use crate::device;
use crate::error::Result;
use crate::hooks::ParameterPath;
use crate::kernels::adam_step;

/// Settings of [`AdamW`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    /// Decay rates of the moments.
    pub betas: [f32; 2],
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled decay of matrices and tables, per unit of the learning rate.
    pub weight_decay: f32,
    /// The most that the norm of all gradients together may be.
    pub clip: f64,
    /// Added to the norm where gradients are scaled down: 1e-6 in `PyTorch`.
    pub clip_epsilon: f64,
}

/// The optimizer: its settings, and the moments of each parameter.
#[derive(Clone, Debug)]
pub struct AdamW {
    settings: AdamSettings,
    moments: BTreeMap<String, Moments>,
}

/// The moments of a parameter, flat.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Steps taken.
    pub time: usize,
    /// The running mean of the gradient.
    pub first: Tensor<1>,
    /// The running mean of its square.
    pub second: Tensor<1>,
}

/// What holds of parameters besides the loss: nothing, unless it is said.
pub trait Rules {
    /// The gradient of a parameter as it is used, without a graph.
    fn gradient<const D: usize>(&self, _path: &str, _value: &Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        gradient
    }

    /// A parameter after its step.
    fn moved<const D: usize>(&self, _path: &str, value: Tensor<D>) -> Tensor<D> {
        value
    }
}

/// Nothing holds besides the loss.
#[derive(Clone, Copy, Debug)]
pub struct Free;

impl Rules for Free {}

impl AdamW {
    /// An optimizer before its first step.
    pub fn new(settings: AdamSettings) -> Self {
        Self { settings, moments: BTreeMap::new() }
    }

    /// Takes one step with the gradients of tracked parameters. Gives the module with parameters that have no gradient
    /// ([`tracked`] gives them one), and the norm of all gradients before they were clipped.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the norm cannot be read.
    pub fn step<M: Module>(&mut self, module: M, grads: &Gradients, lr: f64, rules: &impl Rules) -> Result<(M, f64)> {
        let mut norms = Norms { grads, rules, path: ParameterPath::default(), squares: Vec::new() };
        module.visit(&mut norms);
        let norm = norms.total()?;
        let AdamSettings { clip, clip_epsilon, .. } = self.settings;
        let scale = if norm > clip { clip / (norm + clip_epsilon) } else { 1.0 };
        let mut step = Step { of: self, grads, rules, lr, scale: scale as f32, path: ParameterPath::default() };
        Ok((module.map(&mut step), norm))
    }

    /// The moments by parameter path.
    pub fn moments(&self) -> &BTreeMap<String, Moments> {
        &self.moments
    }

    /// Puts moments in the place of those there are.
    pub fn restore(&mut self, moments: BTreeMap<String, Moments>) {
        self.moments = moments;
    }

    /// A step of one parameter. It is elementwise, so every parameter is a vector.
    fn moved(&mut self, path: &str, own: Tensor<1>, gradient: Tensor<1>, step: Rate) -> Tensor<1> {
        let AdamSettings { betas, epsilon, .. } = self.settings;
        let earlier = self.moments.remove(path);
        let zeros = || own.zeros_like();
        let earlier = earlier.unwrap_or_else(|| Moments { time: 0, first: zeros(), second: zeros() });
        let time = earlier.time + 1;
        let step = AdamStep {
            betas,
            scale: step.scale,
            corrections: betas.map(|beta| 1.0 - beta.powi(time as i32)),
            epsilon,
            kept: (1.0 - step.lr * f64::from(step.decay)) as f32,
            rate: step.lr as f32,
        };
        let [own, first, second] = adam_step(step, [own, gradient, earlier.first, earlier.second]);
        self.moments.insert(path.to_owned(), Moments { time, first, second });
        own
    }
}

/// What a step has besides gradients.
#[derive(Clone, Copy)]
struct Rate {
    lr: f64,
    scale: f32,
    decay: f32,
}

/// Sums the squares of all gradients.
struct Norms<'a, R> {
    grads: &'a Gradients,
    rules: &'a R,
    path: ParameterPath,
    squares: Vec<Tensor<1>>,
}

impl<R> Norms<'_, R> {
    fn total(self) -> Result<f64> {
        if self.squares.is_empty() {
            return Ok(0.0);
        }
        let squares = device::read(Tensor::cat(self.squares, 0))?;
        Ok(squares.into_iter().map(f64::from).sum::<f64>().sqrt())
    }
}

impl<R: Rules> ModuleVisitor for Norms<'_, R> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = gradient(param, self.grads, &self.path.joined(), self.rules) {
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

fn gradient<const D: usize>(
    param: &Param<Tensor<D>>,
    grads: &Gradients,
    path: &str,
    rules: &impl Rules,
) -> Option<Tensor<D>> {
    let value = param.val();
    let grad = value.grad(grads)?;
    Some(rules.gradient(path, &value.inner(), grad))
}

/// Updates every parameter that has a gradient.
struct Step<'a, R> {
    of: &'a mut AdamW,
    grads: &'a Gradients,
    rules: &'a R,
    lr: f64,
    scale: f32,
    path: ParameterPath,
}

impl<R: Rules> ModuleMapper for Step<'_, R> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.joined();
        let grad = gradient(&param, self.grads, &path, self.rules);
        param.map(|value| {
            let value = value.inner();
            let Some(grad) = grad else { return value };
            let (shape, count) = (value.shape(), value.shape().num_elements());
            let decay = if D > 1 { self.of.settings.weight_decay } else { 0.0 };
            let rate = Rate { lr: self.lr, scale: self.scale, decay };
            let moved = self.of.moved(&path, value.reshape([count]), grad.reshape([count]), rate);
            self.rules.moved(&path, moved.reshape(shape))
        })
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }
}

/// The same parameters as leaves of a gradient graph.
pub fn tracked<M: Module>(module: M) -> M {
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
    use burn::tensor::Device;

    use super::*;
    use crate::device::read;

    #[derive(Module, Debug)]
    struct Plain {
        matrix: Param<Tensor<2>>,
        vector: Param<Tensor<1>>,
    }

    fn plain() -> Plain {
        let device = Device::flex();
        Plain {
            matrix: Param::from_tensor(Tensor::from_floats([[0.6, 0.8], [1.0, 0.0]], &device)),
            vector: Param::from_tensor(Tensor::from_floats([0.001, 1.0], &device)),
        }
    }

    const SETTINGS: AdamSettings =
        AdamSettings { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0, clip: f64::INFINITY, clip_epsilon: 0.0 };

    /// A step with the gradients (3, 4), (0, 2) and (1, 1).
    fn stepped(settings: AdamSettings, rules: &impl Rules) -> (Plain, AdamW, f64) {
        let (own, mut optimizer) = (tracked(plain()), AdamW::new(settings));
        let weights = Tensor::<2>::from_floats([[3.0, 4.0], [0.0, 2.0]], &own.matrix.val().device());
        let loss = (own.matrix.val() * weights).sum() + own.vector.val().sum();
        let (own, norm) = optimizer.step(own, &loss.backward(), 0.01, rules).unwrap();
        (own, optimizer, norm)
    }

    fn near(found: &[f32], expected: &[f32]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?} {expected:?}");
    }

    #[test]
    fn the_first_step_is_the_learning_rate_and_matrices_alone_decay() {
        let (own, optimizer, norm) = stepped(SETTINGS, &Free);
        near(&read(own.matrix.val()).unwrap(), &[0.59, 0.79, 1.0, -0.01]);
        near(&read(own.vector.val()).unwrap(), &[-0.009, 0.99]);
        assert!((norm - 31.0_f64.sqrt()).abs() < 1e-6 && !own.matrix.val().is_require_grad());
        let (decayed, ..) = stepped(AdamSettings { weight_decay: 10.0, ..SETTINGS }, &Free);
        near(&read(decayed.matrix.val()).unwrap(), &[0.53, 0.71, 0.9, -0.01]);
        near(&read(decayed.vector.val()).unwrap(), &[-0.009, 0.99]);
        assert_eq!(optimizer.moments().keys().collect::<Vec<_>>(), ["matrix", "vector"]);
    }

    /// One factor for all gradients: `1 / (√31 + 1)` with an epsilon of 1.
    #[test]
    fn clipping_scales_all_gradients_by_one_factor() {
        let (_, clipped, norm) = stepped(AdamSettings { clip: 1.0, clip_epsilon: 1.0, ..SETTINGS }, &Free);
        let first = read(clipped.moments()["matrix"].first.clone()).unwrap();
        near(&first, &[3.0, 4.0, 0.0, 2.0].map(|x: f32| 0.1 * x / (31.0_f32.sqrt() + 1.0)));
        assert!((norm - 31.0_f64.sqrt()).abs() < 1e-6, "the norm before it");
    }

    #[test]
    fn rules_see_gradients_and_parameters() {
        struct Halved;
        impl Rules for Halved {
            fn gradient<const D: usize>(&self, path: &str, _: &Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
                if path == "vector" { gradient * 0.5 } else { gradient }
            }

            fn moved<const D: usize>(&self, path: &str, value: Tensor<D>) -> Tensor<D> {
                if path == "vector" { value.clamp_min(0.0) } else { value }
            }
        }
        let (own, optimizer, norm) = stepped(SETTINGS, &Halved);
        assert_eq!(read(own.vector.val()).unwrap()[0], 0.0);
        near(&read(optimizer.moments()["vector"].first.clone()).unwrap(), &[0.05, 0.05]);
        assert!((norm - 29.5_f64.sqrt()).abs() < 1e-6);
    }
}

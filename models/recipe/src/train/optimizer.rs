//! `AdamW` over a module: gradients clipped by one global norm, no decay of vectors, moments stored by parameter path.

use std::collections::BTreeMap;

use arrakis::models::device;
use arrakis::models::hooks::ParameterPath;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use super::settings::Settings;
use crate::error::Result;

/// Burn's `AdamW` (Loshchilov and Hutter, 2019), with gradients clipped by their global norm (Pascanu et al., 2013).
pub struct Optimizer {
    decayed: AdamW,
    plain: AdamW,
    clip: f64,
    moments: BTreeMap<String, AdamWState<1>>,
}

impl std::fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Optimizer({} parameters)", self.moments.len())
    }
}

impl Optimizer {
    /// An optimizer before its first step.
    pub fn new(settings: &Settings) -> Self {
        let [beta_1, beta_2] = settings.betas;
        let config = AdamWConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(1e-8);
        let decayed = config.clone().with_weight_decay(settings.weight_decay).build();
        Self { decayed, plain: config.with_weight_decay(0.0).build(), clip: settings.clip, moments: BTreeMap::new() }
    }

    /// Takes one step. Returns the module and the norm of the gradients before clipping.
    ///
    /// # Errors
    ///
    /// `arrakis::models::Error::Device` if the norm cannot be read.
    pub fn step<M: Module>(&mut self, module: M, grads: &Gradients, lr: f64) -> Result<(M, f64)> {
        let mut norms = Norms { grads, squares: Vec::new() };
        module.visit(&mut norms);
        let norm = norms.total()?;
        let scale = if norm > self.clip { self.clip / norm } else { 1.0 };
        let mut step = Step { optimizer: self, grads, lr, scale, path: ParameterPath::default() };
        Ok((module.map(&mut step), norm))
    }

    /// The moments as flat vectors: `{parameter}.moment_1` and `.moment_2`, in path order.
    ///
    /// # Errors
    ///
    /// `arrakis::models::Error::Device` if they cannot be read.
    pub(super) fn moments(&self) -> Result<Vec<(String, Vec<f32>)>> {
        let mut found = Vec::new();
        for (path, state) in &self.moments {
            found.push((format!("{path}.moment_1"), device::read(state.momentum.moment_1.clone())?));
            found.push((format!("{path}.moment_2"), device::read(state.momentum.moment_2.clone())?));
        }
        Ok(found)
    }

    /// Restores the moments of one parameter after `step` steps.
    pub(super) fn restore(&mut self, path: &str, step: u64, [first, second]: [Vec<f32>; 2], device: &Device) {
        let tensor = |values: Vec<f32>| {
            let length = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [length]), device)
        };
        let momentum = AdaptiveMomentumState::new(step as usize, tensor(first), tensor(second));
        self.moments.insert(path.to_owned(), AdamWState { momentum });
    }
}

/// Sums the squares of all gradients.
struct Norms<'a> {
    grads: &'a Gradients,
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
        if let Some(grad) = param.val().grad(self.grads) {
            self.squares.push((grad.clone() * grad).sum());
        }
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
        let (shape, count) = (value.shape(), value.shape().num_elements());
        let path = self.path.joined();
        let adamw = if D > 1 { &self.optimizer.decayed } else { &self.optimizer.plain };
        let earlier = self.optimizer.moments.remove(&path);
        let (moved, state) = adamw.step(self.lr, value.reshape([count]), grad.reshape([count]) * self.scale, earlier);
        if let Some(state) = state {
            self.optimizer.moments.insert(path, state);
        }
        moved.reshape(shape)
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
        let Some(grad) = param.val().grad(self.grads) else { return param };
        param.map(|value| Tensor::from_inner(self.moved(value.inner(), grad)).require_grad())
    }
}

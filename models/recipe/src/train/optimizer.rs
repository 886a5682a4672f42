//! `AdamW` over a module: gradients clipped by one global norm, no decay of vectors, moments stored by parameter path.

use std::collections::BTreeMap;
use std::path::Path;

use arrakis::models::files::write_whole;
use arrakis::models::ground::dtype::widen;
use arrakis::models::hooks::ParameterPath;
use arrakis::models::{Error, device};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::disk::{broken, read};
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

    /// Writes the moments as flat tensors, `{parameter}.moment_1` and `.moment_2`.
    ///
    /// # Errors
    ///
    /// `arrakis::models::Error::Device` if they cannot be read, `Write` if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut raw = Vec::new();
        for (name, state) in &self.moments {
            let moments = [(1, &state.momentum.moment_1), (2, &state.momentum.moment_2)];
            for (which, moment) in moments {
                let values = device::read(moment.clone())?;
                let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
                raw.push((format!("{name}.moment_{which}"), bytes));
            }
        }
        let view =
            |(name, bytes)| TensorView::new(Dtype::F32, vec![<[u8]>::len(bytes) / 4], bytes).map(|view| (name, view));
        let views: Result<Vec<_>, _> = raw.iter().map(|(name, bytes)| (name, bytes.as_slice())).map(view).collect();
        let file = views.and_then(|views| safetensors::serialize(views, None));
        Ok(write_whole(path, file.map_err(|error| broken(path, error))?)?)
    }

    /// Restores the moments of a module's parameters after `step` steps.
    ///
    /// # Errors
    ///
    /// `arrakis::models::Error::Read` or `File`, which name what is missing or broken.
    pub fn load(&mut self, path: &Path, module: &impl Module, step: u64, device: &Device) -> Result<()> {
        let bytes = read(path)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| broken(path, error))?;
        let mut lengths = Lengths::default();
        module.visit(&mut lengths);
        for (parameter, length) in lengths.found {
            let moment = |which: &str| {
                let name = format!("{parameter}.{which}");
                let values = file.tensor(&name).ok().and_then(|view| widen(view.dtype(), view.data()));
                let values = values
                    .filter(|values| values.len() == length)
                    .ok_or_else(|| broken(path, format!("it has no float tensor `{name}` of length {length}")))?;
                Ok::<_, Error>(Tensor::<1>::from_data(TensorData::new(values, [length]), device))
            };
            let (first, second) = (moment("moment_1")?, moment("moment_2")?);
            let momentum = AdaptiveMomentumState::new(step as usize, first, second);
            self.moments.insert(parameter, AdamWState { momentum });
        }
        Ok(())
    }
}

/// Parameters by path, with their number of elements.
#[derive(Default)]
struct Lengths {
    path: ParameterPath,
    found: Vec<(String, usize)>,
}

impl ModuleVisitor for Lengths {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.joined(), param.val().shape().num_elements()));
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
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

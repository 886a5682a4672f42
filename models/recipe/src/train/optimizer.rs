//! `AdamW` over a module, with moments that are saved.

use std::path::Path;

use arrakis::models::files::write_whole;
use arrakis::models::ground::dtype::widen;
use arrakis::models::hooks::ParameterPath;
use arrakis::models::optimizer::{AdamSettings, AdamW, Free, Moments, tracked};
use arrakis::models::{Error, device};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::disk::{broken, read};
use super::settings::Settings;
use crate::error::Result;

/// `AdamW`, with gradients clipped by their global norm.
pub struct Optimizer(AdamW);

impl std::fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Optimizer({} parameters)", self.0.moments().len())
    }
}

impl Optimizer {
    /// An optimizer before its first step.
    pub fn new(settings: &Settings) -> Self {
        let Settings { betas, weight_decay, clip, .. } = *settings;
        Self(AdamW::new(AdamSettings { betas, epsilon: 1e-8, weight_decay, clip, clip_epsilon: 0.0 }))
    }

    /// Takes one step. Returns the module, with gradients, and the norm of the gradients before clipping.
    ///
    /// # Errors
    ///
    /// `arrakis::models::Error::Device` if the norm cannot be read.
    pub fn step<M: Module>(&mut self, module: M, grads: &Gradients, lr: f64) -> Result<(M, f64)> {
        let (module, norm) = self.0.step(module, grads, lr, &Free)?;
        Ok((tracked(module), norm))
    }

    /// Writes the moments as flat tensors, `{parameter}.moment_1` and `.moment_2`.
    ///
    /// # Errors
    ///
    /// `arrakis::models::Error::Device` if they cannot be read, `Write` if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut raw = Vec::new();
        for (name, own) in self.0.moments() {
            let moments = [(1, &own.first), (2, &own.second)];
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
        let mut moments = self.0.moments().clone();
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
            moments.insert(parameter, Moments { time: step as usize, first, second });
        }
        self.0.restore(moments);
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

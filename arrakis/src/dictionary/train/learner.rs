//! A dictionary in training.

use arrakis_models::dictionary::{Affine, Architecture, Batch, Dictionary, DictionaryConfig, Losses, Objective};
use arrakis_models::{device, hooks};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::optimizer::{Optimizer, tracked};
use super::progress::Progress;
use super::resample::resample;
use super::settings::{DecoderRule, Training, refuse};
use crate::dictionary::metrics::Dead;
use crate::error::Result;

/// A dictionary, what it is trained on, and how.
pub struct Learner {
    pub(super) name: String,
    pub(super) dictionary: Dictionary,
    pub(super) training: Training,
    /// What it was made with: a threshold changes in training.
    config: DictionaryConfig,
    objective: Objective,
    /// The sites of a batch that it reads and predicts.
    sites: [usize; 2],
    pub(super) optimizer: Optimizer,
    pub(super) state: State,
}

/// What changes besides parameters and moments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) step: usize,
    pub(super) tokens: u64,
    pub(super) dead: Dead,
    /// The running mean of the smallest active latent of a batch, in architectures that have one; below 0 before the first.
    pub(super) threshold: f64,
    /// The units of training, of what is read and of what is predicted.
    units: Option<[Units; 2]>,
    pub(super) history: Vec<Progress>,
    /// Latents that were given new weights.
    resampled: usize,
}

/// Activations are trained on as `(x - mean) · scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Units {
    mean: Vec<f32>,
    scale: f64,
}

/// A dictionary after training.
#[derive(Clone, Debug)]
pub struct Trained {
    /// What the learner was called.
    pub name: String,
    /// The dictionary, in the units of the site.
    pub dictionary: Dictionary,
    /// What it was like in training, at the steps that were noted.
    pub history: Vec<Progress>,
    /// When each latent last fired.
    pub dead: Dead,
    /// Latents that were given new weights in training.
    pub resampled: usize,
}

/// The weight of a batch in the running mean of thresholds, as in `SAELens`.
const THRESHOLD_RATE: f64 = 0.01;

impl Learner {
    /// A dictionary with its architecture's own objective. It reads and predicts the first site of each batch.
    ///
    /// # Errors
    ///
    /// Settings that are not valid.
    pub fn new(name: &str, dictionary: Dictionary, training: &Training) -> Result<Self> {
        training.check()?;
        let state = State {
            step: 0,
            tokens: 0,
            dead: Dead::new(dictionary.config.d_sae),
            threshold: -1.0,
            units: None,
            history: Vec::new(),
            resampled: 0,
        };
        Ok(Self {
            name: name.to_owned(),
            objective: dictionary.config.architecture.objective(),
            config: dictionary.config.clone(),
            dictionary,
            training: training.clone(),
            sites: [0, 0],
            optimizer: Optimizer::new(training),
            state,
        })
    }

    /// Trains on another objective of the same architecture.
    ///
    /// # Errors
    ///
    /// An objective of another architecture, and settings that are not valid.
    pub fn objective(self, objective: impl Into<Objective>) -> Result<Self> {
        let objective = objective.into();
        objective.check(&self.dictionary.config.architecture, self.dictionary.config.d_sae)?;
        Ok(Self { objective, ..self })
    }

    /// Reads one site of each batch and predicts another, as transcoders do: indices of the source's sites.
    #[must_use]
    pub fn between(self, from: usize, into: usize) -> Self {
        Self { sites: [from, into], ..self }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The dictionary as it is. With [`Training::centred`] or [`Training::scaled`] it is in the units of training.
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// Everything that decides how it goes on.
    pub(super) fn settings(&self) -> String {
        format!("{} {:?} {:?} {:?} {:?}", self.name, self.config, self.objective, self.training, self.sites)
    }

    /// Whether it has taken all its steps.
    pub(super) fn is_done(&self) -> bool {
        self.state.step >= self.training.steps
    }

    /// One step on a batch; with `note` it says how the dictionary was before.
    pub(super) fn step(&mut self, batch: &[Tensor<2>], note: bool) -> Result<Option<Progress>> {
        let [x, target] = self.of_batch(batch)?;
        if self.state.step == 0 {
            self.begin(&x, &target)?;
        }
        let [x, target] = self.in_units([x, target]);
        let (step, dead) = (self.state.step, self.state.dead.flags(self.training.dead_after));
        let own = tracked(self.dictionary.clone());
        let rows = Batch::pair(Tensor::from_inner(x.clone()), Tensor::from_inner(target.clone()));
        let rows = rows.dead(&dead).warmed_up(self.training.sparsity_at(step));
        let losses = own.losses(&self.objective, &rows)?;
        let total = losses.total();
        self.check(&losses, &total)?;
        let lr = self.training.lr_at(step);
        self.dictionary = self.optimizer.step(own, &hooks::backward(&total), lr)?;
        self.watch(&losses, x.dims()[0] as u64)?;
        let progress = note.then(|| Progress::of(&losses, target.clone(), &dead)).transpose()?;
        let progress = progress.map(|progress| Progress { step, tokens: self.state.tokens, lr, ..progress });
        self.state.history.extend(progress.clone());
        if self.training.resamples_after(step).is_some() {
            self.resample(&x, &target)?;
        }
        self.state.step += 1;
        Ok(progress)
    }

    /// What it reads and predicts of a batch.
    fn of_batch(&self, batch: &[Tensor<2>]) -> Result<[Tensor<2>; 2]> {
        let site = |at: usize| {
            batch.get(at).cloned().ok_or_else(|| {
                refuse(format!(
                    "`{}` is to read site {at}, but a batch has {}, numbered from 0",
                    self.name,
                    batch.len()
                ))
            })
        };
        Ok([site(self.sites[0])?, site(self.sites[1])?])
    }

    /// Before the first step: the units of training, a decoder that its rule allows, and no threshold.
    fn begin(&mut self, x: &Tensor<2>, target: &Tensor<2>) -> Result<()> {
        let Training { centred, scaled, decoder, .. } = self.training;
        if (centred || scaled) && !self.config.normalization.is_of_each() {
            self.state.units = Some([Units::of(x, centred, scaled)?, Units::of(target, centred, scaled)?]);
        }
        if decoder == DecoderRule::UnitNorm {
            self.dictionary = self.dictionary.clone().with_unit_decoder();
        }
        self.set_threshold(self.state.threshold);
        Ok(())
    }

    fn in_units(&self, rows: [Tensor<2>; 2]) -> [Tensor<2>; 2] {
        let Some(units) = &self.state.units else { return rows };
        let [x, target] = rows;
        [units[0].apply(x), units[1].apply(target)]
    }

    pub(super) fn set_threshold(&mut self, to: f64) {
        if let Some(own) = threshold_of(&mut self.dictionary.config.architecture) {
            *own = to;
        }
    }

    /// Fails on a loss that is not finite.
    fn check(&self, losses: &Losses, total: &Tensor<1>) -> Result<()> {
        let value = device::read(total.clone().inner())?[0];
        if value.is_finite() {
            return Ok(());
        }
        let terms: Vec<String> = losses
            .terms
            .iter()
            .map(|term| Ok(format!("`{}` {}", term.name, device::read(term.value.clone().inner())?[0])))
            .collect::<Result<_>>()?;
        Err(refuse(format!(
            "the loss of `{}` is {value} at step {} ({}); give a lower `lr`, or look at the activations",
            self.name,
            self.state.step,
            terms.join(", ")
        )))
    }

    /// Notes which latents fired, and the smallest that did.
    fn watch(&mut self, losses: &Losses, tokens: u64) -> Result<()> {
        let fired = losses.fired()?;
        self.state.dead.step(&fired, tokens)?;
        self.state.tokens += tokens;
        self.dictionary.update_threshold(&losses.acts, THRESHOLD_RATE)?;
        if let Some(own) = threshold_of(&mut self.dictionary.config.architecture) {
            self.state.threshold = *own;
        }
        Ok(())
    }

    fn resample(&mut self, x: &Tensor<2>, target: &Tensor<2>) -> Result<()> {
        let given = resample(&mut self.dictionary, &mut self.optimizer, &self.state.dead, &self.training, [x, target])?;
        self.state.resampled += given.len();
        self.state.dead.revive(&given);
        Ok(())
    }

    /// The dictionary as it is, in the units of the site.
    ///
    /// # Errors
    ///
    /// A device that fails.
    pub fn in_site_units(&self) -> Result<Dictionary> {
        let own = self.dictionary.clone();
        let Some([input, output]) = &self.state.units else { return Ok(own) };
        let device = own.device();
        Ok(own.fold_affine(&input.affine(&device), &output.affine(&device))?)
    }

    pub(super) fn finish(self) -> Result<Trained> {
        let dictionary = self.in_site_units()?;
        let State { history, dead, resampled, .. } = self.state;
        Ok(Trained { name: self.name, dictionary, history, dead, resampled })
    }
}

impl Units {
    fn of(rows: &Tensor<2>, centred: bool, scaled: bool) -> Result<Self> {
        let width = rows.dims()[1];
        let mean = if centred { device::read(rows.clone().mean_dim(0))? } else { vec![0.0; width] };
        let mut own = Self { mean, scale: 1.0 };
        if scaled {
            let norm = device::read(own.apply(rows.clone()).square().sum_dim(1).sqrt().mean())?[0];
            own.scale = (width as f64).sqrt() / f64::from(norm.max(f32::MIN_POSITIVE));
        }
        Ok(own)
    }

    fn apply(&self, rows: Tensor<2>) -> Tensor<2> {
        let mean = self.affine(&rows.device()).mean;
        (rows - mean.unsqueeze()) * self.scale
    }

    fn affine(&self, device: &burn::tensor::Device) -> Affine {
        let mean = Tensor::from_data(TensorData::new(self.mean.clone(), [self.mean.len()]), device);
        Affine { mean, scale: self.scale }
    }
}

/// The threshold of an architecture that is trained without one.
fn threshold_of(architecture: &mut Architecture) -> Option<&mut f64> {
    match architecture {
        Architecture::BatchTopK(own) => Some(&mut own.threshold),
        Architecture::Matryoshka(own) => Some(&mut own.top.threshold),
        _ => None,
    }
}

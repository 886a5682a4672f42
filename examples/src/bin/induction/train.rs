//! Training, with measurements along the way.

use std::path::Path;

use arrakis::models::{TransformerConfig, device, files};
use arrakis::prelude::*;
use arrakis_examples::training;
use arrakis_recipe::train::{Settings, StepLog, Trainer};

use super::measure::Measured;
use super::text::{D_VOCAB, Document, Language, N_CTX};

/// Rows of a batch.
const BATCH: usize = 32;
/// Documents that losses are measured on: with four times fewer, in-context learning is off by as much as 0.1 nats.
const HELD_OUT: usize = 1024;
/// Checkpoints are written after each of so many measurements.
const SAVE_EVERY: usize = 5;
const D_MODEL: usize = 64;
const N_HEADS: usize = 4;

/// What is trained, and how often it is measured.
pub(crate) struct Plan {
    pub(crate) n_layers: usize,
    pub(crate) steps: u64,
    pub(crate) every: u64,
    pub(crate) seed: u64,
}

impl Plan {
    fn config(&self) -> TransformerConfig {
        let mut config = TransformerConfig::plain("gpt2", self.n_layers, D_MODEL, N_HEADS, D_VOCAB, N_CTX);
        (config.d_mlp, config.mlp_bias, config.tied) = (1, false, false);
        config
    }

    fn settings(&self) -> Settings {
        Settings {
            seed: self.seed,
            attention_only: true,
            init_std: 0.08,
            wave_positions: true,
            steps: self.steps,
            peak_lr: 3e-3,
            lr_floor: 1.0,
            ..Settings::default()
        }
    }

    /// The model and its measurements, from the last checkpoint in the folder on.
    pub(crate) fn train(&self, folder: &Path) -> Result<(HookedTransformer, Vec<Measured>)> {
        let (folder, chosen) = (folder.join(format!("{}-layer", self.n_layers)), device::cpu());
        let file = folder.join("measured.json");
        std::fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
        let (mut trainer, mut found) = match Trainer::resume(&folder, &chosen).map_err(training)? {
            // The rate is constant, so a longer run goes on from a shorter one.
            Some(trainer) if Settings { steps: self.steps, ..*trainer.settings() } == self.settings() => {
                (trainer, read(&file)?)
            }
            Some(_) => return Err(broken(&file, "it is a run with other settings: give another `--out`")),
            None => (Trainer::new(&self.config(), self.settings(), &chosen).map_err(training)?, Vec::new()),
        };
        found.retain(|measured: &Measured| measured.step <= trainer.steps_done());
        let language = Language::new(self.seed);
        let held_out = language.documents(u64::MAX, HELD_OUT);
        let bar = arrakis::models::progress::bar(&format!("{} layer", self.n_layers), "steps", self.steps as usize);
        bar.set_position(trainer.steps_done());
        while trainer.steps_done() < self.steps {
            measure(&trainer, &held_out, &mut found)?;
            if (found.len() - 1).is_multiple_of(SAVE_EVERY) {
                write(&file, &found)?;
                trainer.save(&folder).map_err(training)?;
            }
            let next = (trainer.steps_done() + self.every).min(self.steps);
            let batch = |step| language.batch(self.seed.wrapping_mul(1 << 32).wrapping_add(step + 1), BATCH);
            let each = |_: &Trainer, _: &StepLog| {
                bar.inc(1);
                Ok(())
            };
            trainer.run(next, batch, each).map_err(training)?;
        }
        bar.finish_and_clear();
        measure(&trainer, &held_out, &mut found)?;
        write(&file, &found)?;
        trainer.save(&folder).map_err(training)?;
        Ok((trainer.model(), found))
    }
}

/// Adds the measurements of a model that has trained since the last ones.
fn measure(trainer: &Trainer, held_out: &[Document], found: &mut Vec<Measured>) -> Result<()> {
    let step = trainer.steps_done();
    if found.last().is_none_or(|last| last.step < step) {
        found.push(Measured::of(&trainer.model(), step, held_out)?);
    }
    Ok(())
}

fn write(file: &Path, found: &[Measured]) -> Result<()> {
    let text = serde_json::to_string(found).expect("BUG: measurements are plain data");
    Ok(files::write_whole(file, text)?)
}

fn read(file: &Path) -> Result<Vec<Measured>> {
    serde_json::from_value(files::read_json(file)?).map_err(|error| broken(file, error))
}

fn broken(file: &Path, problem: impl std::fmt::Display) -> Error {
    arrakis::models::Error::File { path: file.to_owned(), problem: problem.to_string() }.into()
}

//! A training run on disk: one folder per checkpoint, which is complete or does not exist.

use std::path::{Path, PathBuf};

use arrakis::models::checkpoint::net_from_bytes;
use arrakis::models::device::Chosen;
use arrakis::models::files::{read_json, write_whole};
use arrakis::models::{Error, HookedAutoConfig};
use serde::{Deserialize, Serialize};

use super::disk::{broken, read};
use super::settings::Settings;
use super::trainer::Trainer;
use crate::error::Result;

/// The file of the optimizer's moments.
const OPTIMIZER: &str = "optimizer.safetensors";

/// The content of a checkpoint other than tensors.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    step: u64,
    settings: Settings,
}

impl Trainer {
    /// Writes `folder/step-00000500/`: the model in the native layout, the moments of `AdamW`, step and settings.
    ///
    /// The folder gets its name only when it is complete; earlier checkpoints stay. Returns its path.
    ///
    /// # Errors
    ///
    /// [`Error::Write`], which names the path.
    pub fn save(&self, folder: &Path) -> Result<PathBuf> {
        let done = folder.join(format!("step-{:08}", self.step));
        if done.is_dir() {
            return Ok(done);
        }
        let partial = done.with_extension("partial");
        self.model().save_own(&partial)?;
        self.optimizer.save(&partial.join(OPTIMIZER))?;
        let state = State { step: self.step, settings: self.settings };
        let state = serde_json::to_string_pretty(&state).expect("BUG: settings are plain data");
        write_whole(&partial.join("training.json"), state)?;
        std::fs::rename(&partial, &done).map_err(|source| Error::Write { path: done.clone(), source })?;
        Ok(done)
    }

    /// Resumes from the latest checkpoint of a folder, bit-identical to a run that never stopped; `None` if there is
    /// none.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] or [`Error::File`], which name what is missing or broken.
    pub fn resume(folder: &Path, chosen: &Chosen) -> Result<Option<Self>> {
        let Some(latest) = latest(folder) else { return Ok(None) };
        let path = latest.join("training.json");
        let State { step, settings } =
            serde_json::from_value(read_json(&path)?).map_err(|error| broken(&path, error))?;
        let config = HookedAutoConfig::from_folder(&latest)?;
        let mut trainer = Self::new(&config, settings, chosen)?;
        let weights = latest.join("model.safetensors");
        trainer.net = net_from_bytes(&weights, &read(&weights)?, &config, &trainer.device)?;
        trainer.step = step;
        trainer.optimizer.load(&latest.join(OPTIMIZER), &trainer.net, step, &chosen.device)?;
        Ok(Some(trainer))
    }
}

/// The complete checkpoint with the most steps.
fn latest(folder: &Path) -> Option<PathBuf> {
    let names = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.file_name());
    let steps = names.filter_map(|name| name.to_str()?.strip_prefix("step-")?.parse::<u64>().ok());
    steps.max().map(|step| folder.join(format!("step-{step:08}")))
}

#[cfg(test)]
mod tests {
    use super::super::trainer::tests::{logs, trainer};
    use super::*;
    use arrakis::models::device::cpu;

    #[test]
    fn a_resumed_run_equals_a_run_that_never_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let mut whole = trainer(3);
        let all = logs(&mut whole, 20);
        let mut first = trainer(3);
        logs(&mut first, 5);
        first.save(folder.path()).unwrap();
        logs(&mut first, 12);
        first.save(folder.path()).unwrap();
        let mut second = Trainer::resume(folder.path(), &cpu()).unwrap().unwrap();
        assert_eq!((second.steps_done(), second.settings()), (12, first.settings()));
        assert_eq!(logs(&mut second, 20), all[12..]);
        assert_eq!(second.model().fingerprint().unwrap(), whole.model().fingerprint().unwrap());
    }

    #[test]
    fn a_folder_without_a_checkpoint_gives_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Trainer::resume(folder.path(), &cpu()).unwrap().is_none());
        std::fs::create_dir(folder.path().join("step-00000009.partial")).unwrap();
        assert!(Trainer::resume(&folder.path().join("absent"), &cpu()).unwrap().is_none());
        assert!(
            Trainer::resume(folder.path(), &cpu()).unwrap().is_none(),
            "an incomplete save counted as a checkpoint"
        );
    }

    #[test]
    fn a_broken_checkpoint_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = trainer(3);
        logs(&mut run, 2);
        let saved = run.save(folder.path()).unwrap();
        std::fs::write(
            saved.join(OPTIMIZER),
            safetensors::serialize(Vec::<(&str, safetensors::tensor::TensorView<'_>)>::new(), None).unwrap(),
        )
        .unwrap();
        let message = Trainer::resume(folder.path(), &cpu()).unwrap_err().to_string();
        assert!(message.contains("no float tensor `embed.weight.moment_1` of length 256"), "{message}");
    }
}

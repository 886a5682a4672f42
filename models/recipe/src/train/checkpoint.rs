//! A training run on disk: one folder per checkpoint, which is complete or does not exist.

use std::path::{Path, PathBuf};

use arrakis::models::checkpoint::net_from_bytes;
use arrakis::models::device::Chosen;
use arrakis::models::files::{read_json, write_whole};
use arrakis::models::ground::dtype::widen;
use arrakis::models::{Error, HookedAutoConfig};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::trainer::Trainer;
use crate::error::Result;

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
        write_whole(&partial.join("optimizer.safetensors"), self.moments(&partial)?)?;
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
        trainer.restore(&latest.join("optimizer.safetensors"))?;
        Ok(Some(trainer))
    }

    /// Restores the moments of `AdamW`: two per parameter, each as long as the parameter.
    fn restore(&mut self, path: &Path) -> Result<()> {
        let bytes = read(path)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| broken(path, error))?;
        let (step, device) = (self.step, self.chosen.device.clone());
        for (parameter, tensor) in self.model().parameters() {
            let length: usize = tensor.dims().iter().product();
            let moment = |which: &str| {
                let name = format!("{parameter}.{which}");
                let values = file.tensor(&name).ok().and_then(|view| widen(view.dtype(), view.data()));
                values
                    .filter(|values| values.len() == length)
                    .ok_or_else(|| broken(path, format!("it has no float tensor `{name}` of length {length}")))
            };
            let moments = [moment("moment_1")?, moment("moment_2")?];
            self.optimizer.restore(&parameter, step, moments, &device);
        }
        Ok(())
    }

    fn moments(&self, path: &Path) -> Result<Vec<u8>> {
        let bytes = |values: Vec<f32>| values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
        let raw: Vec<(String, Vec<u8>)> =
            self.optimizer.moments()?.into_iter().map(|(name, values)| (name, bytes(values))).collect();
        let view =
            |(name, bytes)| TensorView::new(Dtype::F32, vec![<[u8]>::len(bytes) / 4], bytes).map(|view| (name, view));
        let views: Result<Vec<_>, _> = raw.iter().map(|(name, bytes)| (name, bytes.as_slice())).map(view).collect();
        let views = views.map_err(|error| broken(path, error))?;
        Ok(safetensors::serialize(views, None).map_err(|error| broken(path, error))?)
    }
}

/// The complete checkpoint with the most steps.
fn latest(folder: &Path) -> Option<PathBuf> {
    let names = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.file_name());
    let steps = names.filter_map(|name| name.to_str()?.strip_prefix("step-")?.parse::<u64>().ok());
    steps.max().map(|step| folder.join(format!("step-{step:08}")))
}

fn broken(path: &Path, problem: impl std::fmt::Display) -> Error {
    Error::File { path: path.to_owned(), problem: problem.to_string() }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
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
            saved.join("optimizer.safetensors"),
            safetensors::serialize(Vec::<(&str, TensorView<'_>)>::new(), None).unwrap(),
        )
        .unwrap();
        let message = Trainer::resume(folder.path(), &cpu()).unwrap_err().to_string();
        assert!(message.contains("no float tensor `blocks.0.attn.w_k.bias.moment_1` of length 16"), "{message}");
    }
}

//! Checkpoints of a training run: a run that was stopped goes on from the last one, with the same bits.

use std::fmt;
use std::path::{Path, PathBuf};

use arrakis::models::files;
use arrakis::prelude::*;
use arrakis_recipe::train::Optimizer;
use burn::module::Module;
use burn::tensor::Device;
use burn_store::{ModuleSnapshot as _, SafetensorsStore};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The folder of a training's checkpoints and figure: the one that was named, or `experiments/NAME`, or `.._long`.
pub fn run_folder(name: &str, long: bool, named: Option<&Path>) -> PathBuf {
    let own = format!("experiments/{name}{}", if long { "_long" } else { "" });
    named.map_or_else(|| own.into(), Path::to_owned)
}

/// A complete checkpoint: a folder `step-00002000` with weights, moments and what else a run keeps.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    /// The steps done.
    pub step: u64,
}

impl Checkpoint {
    /// The one with the most steps in a folder.
    pub fn latest(folder: &Path) -> Option<Self> {
        let names = std::fs::read_dir(folder).ok()?.filter_map(std::result::Result::ok).map(|entry| entry.file_name());
        let steps = names.filter_map(|name| name.to_str()?.strip_prefix("step-")?.parse::<u64>().ok());
        steps.max().map(|step| Self::at(folder, step))
    }

    fn at(folder: &Path, step: u64) -> Self {
        Self { path: folder.join(format!("step-{step:08}")), step }
    }

    fn broken(&self, problem: impl fmt::Display) -> Error {
        arrakis::models::Error::File { path: self.path.clone(), problem: problem.to_string() }.into()
    }

    /// The error for a run of another plan.
    pub fn of_another_run(&self, plan: impl fmt::Debug) -> Error {
        self.broken(format!("it is a run of {plan:?}: give another `--out`"))
    }

    /// What the run keeps beside the tensors.
    pub fn state<S: DeserializeOwned>(&self) -> Result<S> {
        serde_json::from_value(files::read_json(&self.path.join("state.json"))?).map_err(|error| self.broken(error))
    }

    /// Reads weights and moments.
    pub fn load(&self, net: &mut impl Module, optimizer: &mut Optimizer, device: &Device) -> Result<()> {
        let mut store = SafetensorsStore::from_file(self.path.join("net.safetensors"));
        net.load_from(&mut store).map_err(|error| self.broken(error))?;
        let moments = self.path.join("optimizer.safetensors");
        optimizer.load(&moments, net, self.step, device).map_err(training)
    }

    /// Writes a checkpoint. Its folder gets its name when it is complete; the one before it is then removed.
    pub fn save(
        folder: &Path,
        step: u64,
        net: &impl Module,
        optimizer: &Optimizer,
        state: &impl Serialize,
    ) -> Result<()> {
        let (done, earlier) = (Self::at(folder, step).path, Self::latest(folder));
        if done.is_dir() {
            return Ok(());
        }
        let partial = done.with_extension("partial");
        let write = |source| Error::Write { path: partial.clone(), source };
        std::fs::create_dir_all(&partial).map_err(write)?;
        let mut store = SafetensorsStore::from_file(partial.join("net.safetensors")).overwrite(true);
        net.save_into(&mut store).map_err(|error| write(std::io::Error::other(error.to_string())))?;
        optimizer.save(&partial.join("optimizer.safetensors")).map_err(training)?;
        let state = serde_json::to_string(state).expect("BUG: a state is plain data");
        files::write_whole(&partial.join("state.json"), state)?;
        std::fs::rename(&partial, &done).map_err(write)?;
        earlier.map_or(Ok(()), |earlier| std::fs::remove_dir_all(earlier.path).map_err(write))
    }
}

/// An error of training as one of ours.
pub fn training(error: arrakis_recipe::Error) -> Error {
    match error {
        arrakis_recipe::Error::Models(error) => error.into(),
        arrakis_recipe::Error::Tool(error) => error,
        error => Error::Write { path: "checkpoint".into(), source: std::io::Error::other(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis::models::device;
    use arrakis_recipe::train::Settings;
    use burn::module::Param;

    #[derive(Module, Debug)]
    struct Net {
        weight: Param<Tensor<2>>,
    }

    /// Trains towards ones for some steps, from the last checkpoint in the folder on; returns the weights.
    fn train(folder: &Path, steps: u64) -> Vec<f32> {
        let device = device::cpu().device;
        let start = Tensor::<2>::from_floats([[0.5, -2.0], [3.0, 0.0]], &device.clone().autodiff());
        let (mut net, mut optimizer) =
            (Net { weight: Param::from_tensor(start) }, Optimizer::new(&Settings::default()));
        let found = Checkpoint::latest(folder);
        if let Some(found) = &found {
            assert_eq!(found.state::<u64>().unwrap(), found.step);
            found.load(&mut net, &mut optimizer, &device).unwrap();
        }
        for _ in found.map_or(0, |found| found.step)..steps {
            let away = net.weight.val() - 1.0;
            let loss = (away.clone() * away).sum();
            (net, _) = optimizer.step(net, &loss.backward(), 0.1).unwrap();
        }
        Checkpoint::save(folder, steps, &net, &optimizer, &steps).unwrap();
        device::read(net.weight.val().inner()).unwrap()
    }

    #[test]
    fn a_run_that_goes_on_equals_one_that_never_stopped() {
        let [whole, parts] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let whole = train(whole.path(), 9);
        assert_ne!(train(parts.path(), 4), whole);
        std::fs::create_dir(parts.path().join("step-00000099.partial")).unwrap();
        assert_eq!(train(parts.path(), 9), whole);
        let kept: Vec<_> = std::fs::read_dir(parts.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(kept.iter().any(|name| name == "step-00000009") && !kept.iter().any(|name| name == "step-00000004"));
    }

    #[test]
    fn another_run_is_refused_by_name() {
        let error = Checkpoint::at(Path::new("runs"), 7).of_another_run("modulus 53").to_string();
        assert_eq!(error, "`runs/step-00000007`: it is a run of \"modulus 53\": give another `--out`");
    }
}

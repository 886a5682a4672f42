//! Models by name: a folder, a Hub id, a configuration, or the one that ships with the crate.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::HookedTransformer;
use crate::checkpoint;
use crate::device::{self, Chosen};
use crate::error::{Error, Result};
use crate::families;
use crate::ground::{files, progress};
use crate::tokenizer::Tokenizer;
use crate::transformer::{Init, RandomSource, Source, Transformer, TransformerConfig};

/// Reads architectures.
#[derive(Debug)]
pub struct HookedAutoConfig;

impl HookedAutoConfig {
    /// The architecture a `config.json` of Hugging Face describes, in the spelling of transformers 4 or 5.
    ///
    /// # Errors
    ///
    /// Those of [`families::config`].
    pub fn from_json(value: Value) -> Result<TransformerConfig> {
        families::config(value)
    }

    /// The architecture of a folder with a `config.json`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if there is none, and those of [`HookedAutoConfig::from_json`].
    pub fn from_folder(folder: &Path) -> Result<TransformerConfig> {
        let own = folder.join("arrakis.json");
        if files::is_there(&own)? {
            let config: TransformerConfig =
                serde_json::from_value(files::read_config(&own)?).map_err(|error| Error::file(&own, error))?;
            config.check()?;
            return Ok(config);
        }
        Self::from_json(files::read_config(&folder.join("config.json"))?)
    }

    /// The `model_type`s that can be loaded.
    pub fn families() -> Vec<String> {
        families::known()
    }
}

/// How to load a model.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// `cpu`, `gpu`, …. `None` means the device in the variable `ARRAKIS_DEVICE`, else a GPU if there is one, else the
    /// CPU.
    pub device: Option<String>,
    /// Whether to hide the progress bar.
    pub quiet: bool,
    /// Whether matrices that are stored in half precision stay in it. That takes half the memory, and each product
    /// widens its matrix first. Otherwise matrices are widened once, on load. The numbers are the same.
    pub keep_half: bool,
}

impl LoadOptions {
    /// The default device, a progress bar, and single precision.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the device by name: `cpu`, `gpu`, …
    #[must_use]
    pub fn device(self, name: impl Into<String>) -> Self {
        Self { device: Some(name.into()), ..self }
    }

    /// Hides the progress bar.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { quiet: true, ..self }
    }

    /// Keeps matrices in half precision if they are stored so.
    #[must_use]
    pub fn keep_half(self) -> Self {
        Self { keep_half: true, ..self }
    }
}

/// Makes models.
#[derive(Debug)]
pub struct HookedAutoModel;

impl HookedAutoModel {
    /// A trained model, from a folder with config.json and weights or from a Hub id such as `gpt2`.
    ///
    /// # Errors
    ///
    /// An [`Error`] that names what is missing, wrong or not supported.
    pub fn from_pretrained(name: &str) -> Result<HookedTransformer> {
        Self::load(name, &LoadOptions::default())
    }

    /// A trained model, loaded with these options.
    ///
    /// # Errors
    ///
    /// As [`HookedAutoModel::from_pretrained`], and [`Error::Device`].
    pub fn load(name: &str, options: &LoadOptions) -> Result<HookedTransformer> {
        let folder = Self::folder(name)?;
        let chosen = device::choose(options.device.as_deref())?;
        let config = HookedAutoConfig::from_folder(&folder)?;
        // The tokenizer takes many times its size while it is read, so it comes before the weights fill the memory.
        let tokenizer = Tokenizer::from_folder(&folder)?;
        let progress = bar(name, options.quiet);
        let tell = |done: usize, all: usize| {
            progress.set_length(all as u64);
            progress.set_position(done as u64);
        };
        let net = checkpoint::load_net(
            &folder,
            family_of(&folder, &config)?,
            &config,
            &chosen.device,
            options.keep_half,
            &tell,
        )?;
        progress.finish_and_clear();
        let files = checkpoint::HfFiles::read(&folder)?;
        Ok(HookedTransformer::new(net, name, tokenizer, &chosen).with_hf_files(files))
    }

    /// The folder of a model: the folder of that name, or the Hub's cache of that id, which is fetched if needed.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a file or a path that does not exist, [`Error::Hub`] for an id that the Hub does not have.
    pub fn folder(name: &str) -> Result<PathBuf> {
        let path = Path::new(name);
        if path.is_dir() {
            return Ok(path.to_owned());
        }
        let places = ["/", "./", "../", "~"];
        if path.exists() {
            Err(Error::file(path, "this is a file; give the folder that holds it, with its config.json"))
        } else if places.iter().any(|place| name.starts_with(place)) {
            Err(Error::file(path, "there is no such folder; check the path"))
        } else {
            checkpoint::fetch(name)
        }
    }

    /// How well the weights of a folder fit an architecture, judged from their headers.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownArchitecture`] if the architecture's family is not known.
    pub fn fit(weights: &checkpoint::Checkpoint, config: &TransformerConfig) -> Result<checkpoint::Fit> {
        let family = family_of(weights.folder(), config)?;
        Ok(checkpoint::Fit::of(weights, &(family.weights)(config), config))
    }

    /// The tokenizer of a folder, if it has one.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it is broken.
    pub fn tokenizer(folder: &Path) -> Result<Option<Tokenizer>> {
        Tokenizer::from_folder(folder)
    }

    /// An untrained model of an architecture. A seed gives the same bytes on any device.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the architecture is not valid.
    pub fn from_config(config: &TransformerConfig, seed: u64) -> Result<HookedTransformer> {
        Self::from_config_on(config, seed, &device::choose(None)?)
    }

    /// An untrained model whose parameters are large enough that every part of it matters ([`RandomSource::lively`]).
    /// Use it to test a mechanism.
    ///
    /// # Errors
    ///
    /// As [`HookedAutoModel::from_config`].
    pub fn lively(config: &TransformerConfig, seed: u64) -> Result<HookedTransformer> {
        config.check()?;
        let device = device::choose(None)?;
        let net = Transformer::build(&mut RandomSource::lively(seed, &device.device), config);
        Ok(HookedTransformer::new(net, &format!("lively random {}", config.family), None, &device))
    }

    /// Like [`HookedAutoModel::from_config`], on the chosen device.
    ///
    /// # Errors
    ///
    /// As [`HookedAutoModel::from_config`].
    pub fn from_config_on(config: &TransformerConfig, seed: u64, device: &Chosen) -> Result<HookedTransformer> {
        config.check()?;
        let net = Transformer::build(&mut RandomSource::new(seed, &device.device), config);
        Ok(HookedTransformer::new(net, &format!("random {}", config.family), None, device))
    }
}

/// The family whose names the weights of a folder have.
fn family_of(folder: &Path, config: &TransformerConfig) -> Result<&'static families::Family> {
    if folder.join("arrakis.json").is_file() { Ok(&OWN) } else { families::family(&config.family) }
}

/// Our own layout, with every tensor under our own name.
const OWN: families::Family = families::Family {
    model_types: &[],
    config: |hf| Err(hf.problem("model_type", "our own layout has arrakis.json")),
    weights: own_weights,
};

fn own_weights(config: &TransformerConfig) -> families::WeightMap {
    struct Names(families::WeightMap);
    impl Source for Names {
        fn take<const D: usize>(&mut self, name: &str, _: [usize; D], _: Init) -> burn::tensor::Tensor<D> {
            self.0.same(name, name);
            burn::tensor::Tensor::zeros([1; D], &burn::tensor::Device::flex())
        }
    }
    let mut names = Names(families::WeightMap::new(""));
    drop(Transformer::build(&mut names, config));
    names.0
}

fn bar(name: &str, quiet: bool) -> indicatif::ProgressBar {
    if quiet { progress::hidden() } else { progress::bar(&format!("loading {name}"), "tensors", 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_options_start_at_the_defaults_and_each_method_sets_one() {
        let plain = LoadOptions::new();
        assert_eq!((plain.device, plain.quiet, plain.keep_half), (None, false, false));
        let all = LoadOptions::new().keep_half().device("cpu").quiet();
        assert_eq!((all.device.as_deref(), all.quiet, all.keep_half), (Some("cpu"), true, true));
    }

    #[test]
    fn a_model_is_loaded_on_the_device_of_its_options() {
        let folder = tempfile::tempdir().unwrap();
        let load = |options: LoadOptions| HookedAutoModel::load(folder.path().to_str().unwrap(), &options);
        let error = load(LoadOptions::new().device("toaster")).unwrap_err().to_string();
        assert!(error.starts_with("device `toaster`: not a device; the devices are `cpu`"), "{error}");
        let model = HookedAutoModel::embedded_on(&device::cpu()).unwrap();
        model.save_own(folder.path()).unwrap();
        assert!(load(LoadOptions::new().device("cpu").quiet()).unwrap().device_name().starts_with("cpu"));
    }
}

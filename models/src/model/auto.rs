//! Models by name: a folder, a Hub id, a configuration, or the one that ships with the crate.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{HookedTransformer, LoadOptions};
use crate::checkpoint::{self, Origin, Reading};
use crate::device::{self, Chosen};
use crate::error::{Error, Result};
use crate::families;
use crate::ground::warnings::warn;
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

    /// The architecture of a folder with a `config.json`, or of a GGUF file.
    ///
    /// # Errors
    ///
    /// [`Error::File`] saying what lies there instead, [`Error::Read`] if nothing does, and those of
    /// [`HookedAutoConfig::from_json`].
    pub fn from_folder(folder: &Path) -> Result<TransformerConfig> {
        if checkpoint::is_gguf(folder) {
            return Self::from_json(checkpoint::read_gguf(folder)?.config);
        }
        let own = folder.join("arrakis.json");
        if files::is_there(&own)? {
            let config: TransformerConfig =
                serde_json::from_value(files::read_config(&own)?).map_err(|error| Error::file(&own, error))?;
            config.check()?;
            return Ok(config);
        }
        checkpoint::check_folder(folder)?;
        Self::from_json(files::read_config(&folder.join("config.json"))?)
    }

    /// The `model_type`s that can be loaded.
    pub fn families() -> Vec<String> {
        families::known()
    }
}

/// Makes models.
#[derive(Debug)]
pub struct HookedAutoModel;

impl HookedAutoModel {
    /// A trained model: a folder with config.json and weights, a GGUF file, or a Hub id such as `gpt2` or
    /// `owner/name@revision`. A path may be text or a [`Path`].
    ///
    /// # Errors
    ///
    /// An [`Error`] that names what is missing, wrong or not supported.
    pub fn from_pretrained(name: impl AsRef<Path>) -> Result<HookedTransformer> {
        Self::load(name, &LoadOptions::default())
    }

    /// A trained model, loaded with these options.
    ///
    /// # Errors
    ///
    /// As [`HookedAutoModel::from_pretrained`], and [`Error::Device`].
    pub fn load(name: impl AsRef<Path>, options: &LoadOptions) -> Result<HookedTransformer> {
        let name = name.as_ref();
        // A stated config takes the place of a folder's.
        let alone = options.config.is_some() && name.is_file();
        let folder = if alone { name.to_owned() } else { Self::folder(name)? };
        Self::load_folder(&folder, &name.to_string_lossy(), options)
    }

    /// A trained model from a folder, whose path need not be text. `name` is what the model is called.
    ///
    /// # Errors
    ///
    /// As [`HookedAutoModel::load`].
    pub fn load_folder(folder: &Path, name: &str, options: &LoadOptions) -> Result<HookedTransformer> {
        let (model, read) = files::collected(|| Self::read_folder(folder, name, options));
        Ok(model?.with_files(read))
    }

    fn read_folder(folder: &Path, name: &str, options: &LoadOptions) -> Result<HookedTransformer> {
        let chosen = device::choose(options.device.as_deref())?;
        let described = match &options.config {
            Some(stated) => HookedAutoConfig::from_json(stated.clone())?,
            None => HookedAutoConfig::from_folder(folder)?,
        };
        let family = family_of(folder, &described)?;
        let adapter = options.adapter.as_deref().map(adapter).transpose()?;
        let (config, name) = match &adapter {
            Some(adapter) => (
                checkpoint::with_adapter(adapter, family, described.clone()),
                format!("{name} + {}", adapter.folder().display()),
            ),
            None => (described.clone(), name.to_owned()),
        };
        if adapter.is_none()
            && !is_alone(folder)
            && let Some(beside) = checkpoint::adapter_beside(folder)
        {
            warn(beside);
        }
        // The tokenizer takes many times its size while it is read, so it comes before the weights fill the memory.
        let tokenizer = Self::tokenizer(folder)?;
        let progress = bar(&name, options.quiet);
        let tell = |done: usize, all: usize| {
            progress.set_length(all as u64);
            progress.set_position(done as u64);
        };
        let reading = Reading {
            folder,
            family,
            config: &config,
            keep_half: options.keep_half,
            adapter: adapter.as_ref(),
            progress: &tell,
        };
        let before = origin(&reading);
        let net = match before.as_ref().map_or(Ok(None), |origin| lent(&reading, origin, &name, &chosen))? {
            Some(net) => net,
            None => checkpoint::load_net(&reading, &chosen.device)?,
        };
        let unchanged = before.filter(|before| origin(&reading).as_ref() == Some(before));
        progress.finish_and_clear();
        let mut files = match &options.config {
            Some(stated) => Some(checkpoint::HfFiles::made(stated, None)),
            None => hf_files(folder)?,
        };
        if config.tied != described.tied {
            files = files.map(|files| files.with_key("tie_word_embeddings", &config.tied.into())).transpose()?;
        }
        let model = HookedTransformer::new(net, &name, tokenizer, &chosen).with_origin(unchanged);
        let model = if is_alone(folder) { model } else { model.with_stop_tokens(super::stop_tokens(folder)?) };
        Ok(model.with_hf_files(files).with_commit(checkpoint::commit_of(folder)))
    }

    /// The folder of a model: the folder of that name, or the Hub's cache of that id, which is fetched if needed. A GGUF
    /// file takes the place of a folder.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a file or a path that does not exist, [`Error::Hub`] for an id that the Hub does not have.
    pub fn folder(name: impl AsRef<Path>) -> Result<PathBuf> {
        let path = name.as_ref();
        if path.is_dir() {
            return Ok(checkpoint::only_gguf(path).unwrap_or_else(|| path.to_owned()));
        }
        if checkpoint::is_gguf(path) {
            return Ok(path.to_owned());
        }
        if path.exists() {
            Err(Error::file(
                path,
                "this is a file; give the folder that holds it, with its config.json, or state its config (`LoadOptions::config`), or \
                 give a GGUF file",
            ))
        } else {
            // An id of the Hub is text.
            match path.to_str().filter(|name| !is_path(name)) {
                Some(id) => checkpoint::fetch(id),
                None => Err(Error::file(path, "there is no such folder; check the path")),
            }
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

    /// The tokenizer of a folder or a GGUF file, if it has one.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it is broken.
    pub fn tokenizer(folder: &Path) -> Result<Option<Tokenizer>> {
        if is_alone(folder) {
            return Ok(None);
        }
        if !checkpoint::is_gguf(folder) {
            return Tokenizer::from_folder(folder);
        }
        match checkpoint::read_gguf(folder)?.tokenizer {
            Ok(read) => Tokenizer::from_json(&read.json, &read.settings).map(Some),
            Err(problem) => {
                warn(format_args!("`{}` is loaded without its tokenizer: {problem}", folder.display()));
                Ok(None)
            }
        }
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

/// Whether it is a file of weights with nothing beside it that belongs to it.
fn is_alone(path: &Path) -> bool {
    path.is_file() && !checkpoint::is_gguf(path)
}

/// The adapter of a folder or a Hub id.
fn adapter(place: &Path) -> Result<checkpoint::Adapter> {
    match place.to_str().filter(|name| !place.is_dir() && !is_path(name)) {
        Some(id) => checkpoint::Adapter::open(&checkpoint::fetch_adapter(id)?),
        None => checkpoint::Adapter::open(place),
    }
}

/// Whether a name can only be a path.
fn is_path(name: &str) -> bool {
    ["/", "./", "../", "~"].iter().any(|start| name.starts_with(start))
}

/// The small files that are kept to be written again.
fn hf_files(folder: &Path) -> Result<Option<checkpoint::HfFiles>> {
    if !checkpoint::is_gguf(folder) {
        return checkpoint::HfFiles::read(folder);
    }
    let model = checkpoint::read_gguf(folder)?;
    let tokenizer = model.tokenizer.as_ref().ok().map(|read| (&read.json, &read.settings));
    Ok(Some(checkpoint::HfFiles::made(&model.config, tokenizer)))
}

/// The files that a network without an adapter is read from.
fn origin(reading: &Reading<'_>) -> Option<Origin> {
    let map = || (reading.family.weights)(reading.config);
    let plain = reading.adapter.is_none().then_some(reading)?;
    Origin::of(plain.folder, &map(), plain.config, plain.keep_half)
}

/// The network from memory that `arrakis watch` holds, if this program is watched and its files do not change meanwhile.
#[cfg(all(feature = "watch", target_os = "linux"))]
fn lent(reading: &Reading<'_>, origin: &Origin, name: &str, chosen: &Chosen) -> Result<Option<Transformer>> {
    let watcher = crate::ground::watcher::Watcher::of_this_program().filter(|_| origin.is_settled());
    watcher.map_or(Ok(None), |watcher| checkpoint::lent_net(&watcher, reading, origin, name, &chosen.device))
}

#[cfg(not(all(feature = "watch", target_os = "linux")))]
#[allow(clippy::unnecessary_wraps, reason = "the same as where memory can be lent")]
fn lent(_: &Reading<'_>, _: &Origin, _: &str, _: &Chosen) -> Result<Option<Transformer>> {
    Ok(None)
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
    fn a_model_is_loaded_on_the_device_of_its_options() {
        let folder = tempfile::tempdir().unwrap();
        let load = |options: LoadOptions| HookedAutoModel::load(folder.path().to_str().unwrap(), &options);
        let error = load(LoadOptions::new().device("toaster")).unwrap_err().to_string();
        assert!(error.starts_with("device `toaster`: not a device; the devices are `cpu`"), "{error}");
        let model = HookedAutoModel::embedded_on(&device::cpu()).unwrap();
        model.save_own(folder.path()).unwrap();
        assert!(load(LoadOptions::new().device("cpu").quiet()).unwrap().device_name().starts_with("cpu"));
    }

    #[test]
    #[cfg(unix)]
    fn a_path_need_not_be_text() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(std::ffi::OsStr::from_bytes(b"mod\xffel"));
        HookedAutoModel::embedded_on(&device::cpu()).unwrap().save_own(&path).unwrap();
        let options = LoadOptions::new().device("cpu").quiet();
        assert!(HookedAutoModel::load(&path, &options).unwrap().name().ends_with("mod\u{fffd}el"));
        assert!(HookedAutoModel::load(path.to_string_lossy().as_ref(), &options).is_err(), "another path");
        let gone = HookedAutoModel::from_pretrained(path.join("gone")).unwrap_err().to_string();
        assert!(gone.ends_with("there is no such folder; check the path"), "{gone}");
    }

    /// A watching program with room for one model: it answers where the last memory that it was given is.
    #[cfg(all(feature = "watch", target_os = "linux"))]
    fn holder(folder: &Path) -> crate::ground::watcher::Watcher {
        use std::io::{BufRead as _, BufReader, Write as _};
        use std::os::fd::AsRawFd as _;

        use crate::ground::watcher::{Message, Reply, Watcher};
        let socket = folder.join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            let mut held: Option<std::fs::File> = None;
            for mut stream in listener.incoming().flatten() {
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                let reply = match (serde_json::from_str(&line).unwrap(), &held) {
                    (Message::Take { .. }, Some(file)) => {
                        Reply::At(format!("/proc/self/fd/{}", file.as_raw_fd()).into())
                    }
                    (Message::Keep { path, .. }, _) => {
                        held = Some(std::fs::File::open(path).unwrap());
                        Reply::Ok
                    }
                    _ => Reply::Ok,
                };
                writeln!(stream, "{}", serde_json::to_string(&reply).unwrap()).unwrap();
            }
        });
        Watcher::at(socket)
    }

    #[test]
    #[cfg(all(feature = "watch", target_os = "linux"))]
    fn lent_weights_are_the_files_own_and_outlive_them() {
        use crate::ground::watcher::{Message, Watcher};
        let (folder, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let saved = HookedAutoModel::embedded_on(&device::cpu()).unwrap();
        saved.save_own(folder.path()).unwrap();
        let (cpu, config) = (device::cpu(), HookedAutoConfig::from_folder(folder.path()).unwrap());
        let reading = Reading {
            folder: folder.path(),
            family: &OWN,
            config: &config,
            keep_half: false,
            adapter: None,
            progress: &|_, _| {},
        };
        let origin = Origin::of(folder.path(), &own_weights(&config), &config, false).unwrap();
        let lent = |watcher: &Watcher| {
            let net = checkpoint::lent_net(watcher, &reading, &origin, "here", &cpu.device).unwrap()?;
            Some(HookedTransformer::new(net, "lent", None, &cpu))
        };
        assert!(lent(&Watcher::at(place.path().join("nobody"))).is_none());
        let watcher = holder(place.path());
        let weights = folder.path().join("model.safetensors");
        let (first, read) = crate::ground::files::collected(|| lent(&watcher).unwrap());
        assert!(read.contains(&weights), "{read:?}");
        std::fs::remove_file(weights).unwrap();
        let (second, named) = crate::ground::files::collected(|| lent(&watcher).unwrap());
        assert_eq!(named, read, "the files are those of the first run, which read them");
        let values = |model: &HookedTransformer| -> Vec<(String, Vec<f32>)> {
            model.parameters().into_iter().map(|(path, own)| (path, own.to_vec().unwrap())).collect()
        };
        let logits = |model: &HookedTransformer| device::read(model.forward([1, 2, 3]).unwrap()).unwrap();
        for model in [&first, &second] {
            assert_eq!(values(model), values(&saved));
            assert_eq!(logits(model), logits(&saved), "to the bit");
        }
        let changeable = place.path().join("weights");
        std::fs::write(&changeable, [0; 100]).unwrap();
        let keep = Message::Keep { name: String::new(), label: String::new(), bytes: 100, path: changeable };
        watcher.ask(&keep).unwrap();
        let error = checkpoint::lent_net(&watcher, &reading, &origin, "here", &cpu.device).unwrap_err();
        assert!(
            matches!(error, Error::File { .. }),
            "memory that is not sealed is not used, and the file is gone: {error}"
        );
    }
}

//! One run of an experiment: its inputs, environment and outcome.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use arrakis_models::ground::shard::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::json::Blobs;
use super::place::Place;
use super::{
    DataFile, Environment, Function, Git, Launch, Registration, UsedHelper, Version, clock, data_file, json as lossless,
};
use crate::error::{Error, Result};
use crate::hypothesis::Verdict;
use crate::profile::Profile;

/// The outcome of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The result; `null` if there is none. Read it as a type with [`Record::result`].
    Ok(Value),
    /// The message of the error that the function returned.
    Error(String),
    /// The message of the panic in the function.
    Panic(String),
}

impl Default for Outcome {
    fn default() -> Self {
        Self::Ok(Value::Null)
    }
}

/// The model an experiment ran on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// Hash of weights, config and tokenizer.
    pub fingerprint: String,
    /// SHA-256 of the config, in hex.
    pub config: String,
    /// The device, with its details.
    pub device: String,
    /// The element type of the weights.
    pub dtype: String,
    /// The commit of the Hub's repository, if the model came from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The files that were read when it was loaded, and whose contents the fingerprint is of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<DataFile>,
}

impl ModelFacts {
    /// The device without its details: `cpu`, `gpu`, `cuda:0`.
    pub fn device_kind(&self) -> &str {
        self.device.split(' ').next().unwrap_or_default()
    }
}

/// One run. It is written once and never changed; [`Record::is_intact`] checks this.
///
/// A field added here gets `#[serde(default)]`, so that older records can be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The format of its JSON; [`FORMAT`](super::FORMAT) if this code wrote it.
    #[serde(default = "super::seal::first_format")]
    pub format: u32,
    /// Unique to this run: the version without helpers, time, and eight digits.
    pub id: String,
    /// The hash of the inputs: function, generic arguments, source, used helpers, arguments, model, files that it read, seed, device
    /// kind, dtype.
    pub version: Version,
    /// The experiment: the function's name, or the name that the attribute gives.
    pub name: String,
    /// The function's full path. That of a method has its type: `heads::Sweep::run`, `heads::<Sweep as Scan>::run`.
    pub function: String,
    /// The function's path with the generic arguments of the call, if it has any: `heads::Sweep<f32>::run<3>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The function's text, with its comments and attributes.
    pub source: String,
    /// SHA-256 of its tokens, without layout and comments, in hex.
    pub source_hash: String,
    /// The tracked functions and constants that the run used, and the experiments that it called, by their paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub helpers: Vec<UsedHelper>,
    /// The file it is in.
    pub file: String,
    /// The line of its `fn`, counted from 1.
    pub line: u32,
    /// The package it is in.
    pub package: String,
    /// That package's version.
    pub package_version: String,
    /// SHA-256 of `Cargo.lock`, if one was found.
    pub lock: Option<String>,
    /// SHA-256 of the sources of the package and of those that it has by path, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<String>,
    /// The cargo features of the package.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Versions of `arrakis`, `burn` and `rustc`.
    pub versions: BTreeMap<String, String>,
    /// The commit, if there is one.
    pub git: Option<Git>,
    /// How the program was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<Launch>,
    /// Arguments by name, in order; read one as a type with [`Record::argument`].
    pub arguments: Map<String, Value>,
    /// The model.
    pub model: ModelFacts,
    /// The files that the run read through this library: corpora, sets of prompts, dictionaries, other models. Those that it wrote
    /// itself are not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<DataFile>,
    /// The seed of the run.
    pub seed: u64,
    /// The attribute's tags.
    pub tags: Vec<String>,
    /// Ids of the records whose calls were running when this one started, outermost first.
    pub parents: Vec<String>,
    /// The shard of a job as which the program ran, if it did: `2/4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// The start of the run, UTC, RFC 3339.
    pub started: String,
    /// Wall-clock seconds in the function's body.
    pub duration_secs: f64,
    /// The outcome.
    pub outcome: Outcome,
    /// Warnings to read before trusting it: arguments that do not enter the version by their whole value, work on other
    /// threads that is not part of it, and failures after the body (a figure, the judging of the claim).
    pub problems: Vec<String>,
    /// The files of its figures. Those inside the save folder have paths relative to it.
    pub figures: Vec<String>,
    /// The time and memory it took, by scope and site.
    pub profile: Option<Profile>,
    /// The verdict on its claim.
    pub verdict: Option<Verdict>,
    /// The registration of its claim, written before the body ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
    /// SHA-256 of its JSON without this field, in hex.
    pub digest: String,
    /// The JSON it was read from, if this code would write it differently.
    #[serde(skip)]
    pub(crate) written: Option<Box<Value>>,
    /// The large arrays of its arguments and its outcome.
    #[serde(skip)]
    pub(crate) blobs: Blobs,
    /// The texts of its helpers by their hashes, until they are written.
    #[serde(skip)]
    pub(crate) texts: BTreeMap<String, Cow<'static, str>>,
}

impl Record {
    /// The record of a call that starts now. Its place, inputs and outcome are filled in later.
    pub(crate) fn of(function: &Function) -> Self {
        let environment = Environment::of(function.here.folder);
        Self {
            format: super::format::FORMAT,
            name: function.name.to_owned(),
            source: function.source.to_owned(),
            source_hash: lossless::digest(function.tokens),
            file: function.here.file.to_owned(),
            line: function.line,
            package: function.here.package.to_owned(),
            package_version: function.here.package_version.to_owned(),
            lock: environment.lock,
            sources: environment.sources,
            features: function.features.split_whitespace().map(str::to_owned).collect(),
            versions: environment.versions,
            git: environment.git,
            launch: environment.launch.map(Launch::here),
            started: clock::now(),
            shard: Parts::shard_here().map(|shard| shard.to_string()),
            ..Self::default()
        }
    }

    /// The record with the version of its inputs and a unique id.
    pub(crate) fn with_version(mut self) -> Self {
        self.version = self.version_of_inputs();
        self.id = unique_id(&self.version, &self.started);
        self
    }

    /// The last eight digits of its id, which are enough to name it.
    pub fn short_id(&self) -> &str {
        self.id.rsplit('-').next().unwrap_or(&self.id)
    }

    /// Names the place of the function by `body`, the type name of a closure in its body.
    pub(crate) fn located(self, function: &Function, body: &str) -> Self {
        let Place { function, instance } = Place::of(function.here.module, function.name, body);
        Self { function, instance, ..self }
    }

    /// With the helpers that the run used, and the version of these inputs. The id stays as it is.
    pub(crate) fn use_helpers(&mut self, used: BTreeMap<UsedHelper, Cow<'static, str>>) {
        if used.is_empty() {
            return;
        }
        self.texts = used.iter().map(|(helper, text)| (helper.hash.clone(), text.clone())).collect();
        self.helpers = used.into_keys().collect();
        self.version = self.version_of_inputs();
    }

    /// With the files that the run read, and the version of these inputs. The id stays as it is.
    pub(crate) fn use_data(&mut self, data: Vec<DataFile>) {
        if !data.is_empty() {
            self.data = data;
            self.version = self.version_of_inputs();
        }
    }

    /// The hash of the inputs. The time, environment and outcome do not enter it.
    pub fn version_of_inputs(&self) -> Version {
        let mut inputs = json!({
            "function": self.function,
            "source": self.source_hash,
            "arguments": self.arguments,
            "model": self.model.fingerprint,
            "seed": self.seed,
            "device": self.model.device_kind(),
            "dtype": self.model.dtype,
        });
        if let Some(instance) = &self.instance {
            inputs["instance"] = instance.as_str().into();
        }
        if !self.helpers.is_empty() {
            let used = |helper: &UsedHelper| json!([helper.path, helper.hash]);
            inputs["helpers"] = self.helpers.iter().map(used).collect();
        }
        if !self.data.is_empty() {
            inputs["data"] = data_file::inputs(&self.data);
        }
        Version::of_inputs(&inputs)
    }

    /// The result, as the type that the function returned (inside its `Result`). A path that is not text is an `OsString`.
    ///
    /// # Errors
    ///
    /// [`Error::RecordValue`] if the run failed, the result is of another type, or the file of a large array is missing or
    /// was changed.
    pub fn result<T: DeserializeOwned>(&self) -> Result<T> {
        let refuse =
            |problem: String| Error::RecordValue { what: "result".into(), wanted: std::any::type_name::<T>(), problem };
        match &self.outcome {
            Outcome::Ok(value) => {
                lossless::from_value_and_blobs(value, &self.blobs).map_err(|error| refuse(error.to_string()))
            }
            Outcome::Error(message) => Err(refuse(format!("the run returned an error: {message}"))),
            Outcome::Panic(message) => Err(refuse(format!("the run panicked: {message}"))),
        }
    }

    /// An argument, as the type that the function took.
    ///
    /// # Errors
    ///
    /// [`Error::RecordValue`] if no argument has that name, it is of another type, or the file of a large array is missing
    /// or was changed.
    pub fn argument<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let refuse = |problem: String| Error::RecordValue {
            what: format!("argument `{name}`"),
            wanted: std::any::type_name::<T>(),
            problem,
        };
        let names = || self.arguments.keys().cloned().collect::<Vec<_>>().join(", ");
        let value = self.arguments.get(name).ok_or_else(|| refuse(format!("the arguments are: {}", names())))?;
        lossless::from_value_and_blobs(value, &self.blobs).map_err(|error| refuse(error.to_string()))
    }
}

/// Version, time, and digits that no other record of this or another process has.
fn unique_id(version: &Version, started: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let unique = lossless::digest(&format!("{} {count} {started} {:?}", std::process::id(), std::time::Instant::now()));
    format!("{version}-{}-{}", clock::compact(started), &unique[..8])
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Here;
    use super::*;

    const FUNCTION: Function = Function::new(
        Here::of("probe::heads", "src/heads.rs", ["probe", "0.1.0", env!("CARGO_MANIFEST_DIR")]),
        "sweep",
        3,
        "fn sweep() {} // all heads",
        "fn sweep ( ) { }",
    );

    pub(in crate::experiment) fn record(layer: usize) -> Record {
        let arguments = Map::from_iter([("layer".to_owned(), layer.into())]);
        let model = ModelFacts { name: "toy".into(), device: "cpu (flex, 2 threads)".into(), ..ModelFacts::default() };
        Record { arguments, model, ..Record::of(&FUNCTION).located(&FUNCTION, "probe::heads::sweep::{{closure}}") }
            .with_version()
    }

    #[test]
    fn the_version_depends_on_the_inputs_and_the_id_on_the_run() {
        let (first, second) = (record(0), record(0));
        assert_eq!(first.version, second.version);
        assert_ne!(first.id, second.id);
        assert_ne!(first.version, record(1).version);
    }

    #[test]
    fn a_changed_record_is_noticed() {
        let mut sealed = Record { outcome: Outcome::Ok(lossless::to_value(&f64::NAN).unwrap()), ..record(0) }.sealed();
        let read = Record::from_json(&serde_json::from_str(&sealed.to_json().to_string()).unwrap()).unwrap();
        assert_eq!(read, sealed);
        assert!(read.is_intact() && read.result::<f64>().unwrap().is_nan());
        sealed.outcome = Outcome::Ok(1.0.into());
        assert!(!sealed.is_intact());
    }

    #[test]
    fn a_value_of_another_type_is_named() {
        let record = record(3);
        assert_eq!(record.argument::<usize>("layer").unwrap(), 3);
        assert_eq!(
            record.argument::<usize>("head").unwrap_err().to_string(),
            "the argument `head` of the record is not a `usize`: the arguments are: layer"
        );
        let failed = Record { outcome: Outcome::Error("no such head".into()), ..record };
        assert_eq!(
            failed.result::<f64>().unwrap_err().to_string(),
            "the result of the record is not a `f64`: the run returned an error: no such head"
        );
    }
}

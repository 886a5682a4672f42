//! The bench: a model, the folder of its runs, and the tools to study it with.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arrakis_models::ground::warnings::warn;
use arrakis_models::{HookedAutoModel, HookedTransformer};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use tempfile::TempDir;

use crate::context::{self, Calls, Handle};
use crate::error::{Error, Result};
use crate::experiment::{Brought, DataFile, Metric, ModelFacts, Record, Remote, Run, Store, Unreadable, Version, json};
use crate::plot::{Pictures, Plotter};
use crate::tools::Tool;

/// The folder of records if none is named, neither here nor by [`DIR_VARIABLE`].
pub(crate) const SAVE_DIR: &str = "experiments";

/// The variable that names the folder of records for programs that name none, and for the command.
pub(crate) const DIR_VARIABLE: &str = "ARRAKIS_DIR";

/// The variable that makes every experiment run, whatever its cache has.
pub(crate) const FORCE_VARIABLE: &str = "ARRAKIS_FORCE";

/// The variable with the folder of all records, whatever the program says: `arrakis rerun` sets it.
pub(crate) const RERUN_VARIABLE: &str = "ARRAKIS_RERUN_DIR";

/// A model and the folder in which its experiments are recorded. Every experiment takes a `&Bench`.
///
/// Threads can share it; the runs of all threads are recorded. A thread that an experiment starts belongs to it inside
/// [`Bench::handle`]. A clone is the same bench: it shares the model and the latest run.
#[derive(Clone)]
pub struct Bench {
    model: Arc<HookedTransformer>,
    store: Store,
    /// The seed that was set.
    seed: Option<u64>,
    /// Unique in this process.
    id: u64,
    plotter: Arc<dyn Plotter>,
    /// Whether no recorded result is used.
    forced: bool,
    facts: Arc<OnceLock<ModelFacts>>,
    last: Arc<Mutex<Option<Run>>>,
    calls: Arc<Calls>,
    /// A temporary save folder that is removed with the last clone.
    _own_folder: Option<Arc<TempDir>>,
}

impl Bench {
    /// A bench for this model. It saves to `experiments`, or the folder that the variable `ARRAKIS_DIR` names, and has seed 0.
    pub fn new(model: HookedTransformer) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self {
            model: Arc::new(model),
            store: Store::new(saved_to(&usual_folder())),
            seed: None,
            id: COUNT.fetch_add(1, Ordering::Relaxed),
            plotter: Arc::new(Pictures),
            forced: false,
            facts: Arc::default(),
            last: Arc::default(),
            calls: Arc::default(),
            _own_folder: None,
        }
    }

    /// A bench for the model that ships with the crate. It saves to a temporary folder that is removed with the bench.
    /// Meant for tests and first steps: it needs no file and no network.
    ///
    /// # Errors
    ///
    /// No device, or no temporary folder.
    pub fn embedded() -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|source| Error::Write { path: std::env::temp_dir(), source })?;
        let bench = Self::new(HookedAutoModel::embedded()?).save_dir(folder.path());
        Ok(Self { _own_folder: Some(Arc::new(folder)), ..bench })
    }

    /// Saves records and figures below this folder, which is created when first needed. A relative path starts at the
    /// folder that is the current one now, also if the program changes it later.
    #[must_use]
    pub fn save_dir(self, folder: impl Into<PathBuf>) -> Self {
        Self { store: self.store.in_folder(saved_to(&folder.into())), ..self }
    }

    /// Records into this place, such as a bucket, by way of the save folder, which should be named before.
    ///
    /// - A call returns after its record is there, with its arrays, figures, metrics and sources. If the place cannot be reached, the call
    ///   is an error, and the record waits in the folder. What waits is sent here, when a bench is opened.
    /// - [`Bench::list_versions`], [`Bench::get_version`], [`Bench::runs`], `#[log_experiment(cache)]` and claims that are registered ask
    ///   the place first and bring the records of that experiment into the folder. [`Bench::store`] answers from the folder as it
    ///   is; [`Store::refresh`] brings all records. Other copies of a record are never replaced, on either side.
    ///
    /// Under `arrakis rerun` nothing is sent. [`Remote`] has an example.
    ///
    /// # Errors
    ///
    /// [`Error::NotSent`] if something waits and still cannot be sent, [`Error::Read`] if the folder cannot be read.
    pub fn remote(self, remote: impl Remote + 'static) -> Result<Self> {
        if rerun_folder().is_some() {
            return Ok(self);
        }
        let bench = Self { store: self.store.with_remote(remote), ..self };
        say_differ(&bench.store.send_waiting()?);
        Ok(bench)
    }

    /// Draws the figures of experiments with this plotter: [`Pictures`] (the default), [`Html`](crate::plot::Html),
    /// [`Terminal`](crate::plot::Terminal), or one of your own.
    pub fn set_plotting_lib(&mut self, plotter: impl Plotter + 'static) {
        self.plotter = Arc::new(plotter);
    }

    /// The seed of experiments that name no seed. An experiment inside another one on the same bench has the other's.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Runs experiments under `#[log_experiment(cache)]` even if a recorded result could be used.
    #[must_use]
    pub fn force(self) -> Self {
        Self { forced: true, ..self }
    }

    /// Writes a number of a step of the experiment that runs on this thread: the loss of a batch, the score of a layer. It is on the
    /// disk beside the record while the run goes on, and `arrakis show`, `diff` and `export` read it.
    ///
    /// ```
    /// # use arrakis::prelude::*;
    /// #[log_experiment]
    /// fn train(bench: &Bench, steps: u64) -> Result<f64> {
    ///     let mut loss = 1.0;
    ///     for step in 0..steps {
    ///         loss /= 2.0;
    ///         bench.metric("loss", step, loss)?;
    ///     }
    ///     Ok(loss)
    /// }
    ///
    /// let bench = Bench::embedded()?;
    /// train(&bench, 3)?;
    /// let record = bench.last().and_then(|run| run.record).expect("it was recorded");
    /// assert_eq!(bench.store().metrics(&record)?["loss"], [(0, 0.5), (1, 0.25), (2, 0.125)]);
    /// # Ok::<(), arrakis::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Value`] outside an experiment that is logged, [`Error::Write`] if the file cannot be written.
    pub fn metric(&self, name: impl Into<String>, step: u64, value: f64) -> Result<()> {
        let name = name.into();
        if context::add_metric(&Metric { name: name.clone(), step, value })? {
            return Ok(());
        }
        let problem = format!(
            "`{name}` is a number of an experiment, and none that is logged runs on this thread: call it in a function under \
             `#[log_experiment]`, on other threads in `bench.handle().within(..)`"
        );
        Err(Error::Value { of: "Bench::metric", problem })
    }

    /// The experiment that runs on this thread, to be carried into threads that it starts.
    pub fn handle(&self) -> Handle {
        Handle::current()
    }

    /// The model.
    pub fn model(&self) -> &HookedTransformer {
        self.calls.used();
        &self.model
    }

    /// The folder of the records.
    pub fn folder(&self) -> &Path {
        self.store.folder()
    }

    /// The records.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The seed of the experiment that runs on this thread, or else the bench's.
    pub fn current_seed(&self) -> u64 {
        self.calls.used();
        self.seed_for(context::seed_here())
    }

    /// Random numbers seeded with [`Bench::current_seed`]: the same numbers on each call.
    pub fn rng(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.current_seed())
    }

    /// Builds a tool for the model.
    ///
    /// # Errors
    ///
    /// An error if the model lacks something the tool needs.
    pub fn tool<T: Tool>(&self) -> Result<T> {
        T::new(self.model())
    }

    /// The versions of an experiment, oldest first: one for each combination of inputs it ran with.
    ///
    /// `name` is the function's name, or its path or the end of it: that of a method ends in `Sweep::run`. A name means
    /// a function of this program first. If two of its functions share the name, give the path.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownExperiment`] naming the nearest, [`Error::AmbiguousExperiment`], [`Error::Read`], [`Error::Remote`].
    pub fn list_versions(&self, name: &str) -> Result<Vec<Version>> {
        say_differ(&self.store.refresh_runs(name)?);
        let (versions, unreadable) = self.store.versions(name)?;
        say_left_out(&unreadable);
        Ok(versions)
    }

    /// The latest run of a version.
    ///
    /// # Errors
    ///
    /// Those of [`Bench::runs`].
    pub fn get_version(&self, name: &str, version: impl AsRef<str>) -> Result<Record> {
        let runs = self.runs(name, version)?;
        Ok(runs.into_iter().next_back().expect("BUG: a version has a run"))
    }

    /// Every run of a version, oldest first.
    ///
    /// # Errors
    ///
    /// Those of [`Bench::list_versions`], and [`Error::UnknownVersion`] or [`Error::BadRecord`].
    pub fn runs(&self, name: &str, version: impl AsRef<str>) -> Result<Vec<Record>> {
        say_differ(&self.store.refresh_runs(name)?);
        let (records, unreadable) = self.store.runs_of(name, version.as_ref())?;
        say_left_out(&unreadable);
        Ok(records)
    }

    /// What the latest call on this bench left, on any thread: its record, figures, verdict and profile.
    ///
    /// An experiment that calls others ends after them. A call that only fills in tools leaves nothing.
    pub fn last(&self) -> Option<Run> {
        self.latest().clone()
    }

    pub(crate) fn facts(&self) -> Result<ModelFacts> {
        if let Some(facts) = self.facts.get() {
            return Ok(facts.clone());
        }
        let facts = facts_of(&self.model)?;
        Ok(self.facts.get_or_init(|| facts).clone())
    }

    /// Its calls that are running.
    pub(crate) fn calls(&self) -> &Arc<Calls> {
        &self.calls
    }

    pub(crate) fn is_forced(&self) -> bool {
        self.forced
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The seed inside a call, given as its bench and seed: the call's, unless this is another bench with a seed of its
    /// own.
    pub(crate) fn seed_for(&self, call: Option<(u64, u64)>) -> u64 {
        match (call, self.seed) {
            (Some((bench, _)), Some(own)) if bench != self.id => own,
            (Some((_, seed)), _) => seed,
            (None, own) => own.unwrap_or(0),
        }
    }

    pub(crate) fn plotter(&self) -> &dyn Plotter {
        &*self.plotter
    }

    pub(crate) fn keep(&self, run: Run) {
        *self.latest() = Some(run);
    }

    fn latest(&self) -> MutexGuard<'_, Option<Run>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it is as an input: its model by its contents, and the seed that was set. The folder is no input.
#[allow(clippy::missing_fields_in_debug, reason = "the others are no input")]
impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench").field("model", &self.model).field("seed", &self.seed).finish()
    }
}

/// As its `Debug`.
impl Serialize for Bench {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Bench", 2)?;
        fields.serialize_field("model", &*self.model)?;
        fields.serialize_field("seed", &self.seed)?;
        fields.end()
    }
}

/// Files that cannot be read as records are reported on stderr and left as they are.
fn say_left_out(unreadable: &[Unreadable]) {
    for file in unreadable {
        warn(format_args!("left out `{}`: {}", file.path.display(), file.problem));
    }
}

/// Files that the place behind the folder has with other contents are reported on stderr and left as they are.
fn say_differ(brought: &Brought) {
    for path in &brought.differ {
        warn(format_args!("`{}` differs from what is behind the folder; neither was changed", path.display()));
    }
}

/// The save folder that is meant, or that of a rerun.
fn saved_to(folder: &Path) -> PathBuf {
    rerun_folder().unwrap_or_else(|| absolute(folder))
}

fn rerun_folder() -> Option<PathBuf> {
    std::env::var_os(RERUN_VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// The folder of records if the program names none.
fn usual_folder() -> PathBuf {
    std::env::var_os(DIR_VARIABLE).filter(|folder| !folder.is_empty()).map_or_else(|| SAVE_DIR.into(), PathBuf::from)
}

/// The path from the root. It stays as it is if there is no current folder.
fn absolute(folder: &Path) -> PathBuf {
    let named = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    std::path::absolute(named).unwrap_or_else(|_| folder.to_owned())
}

fn facts_of(model: &HookedTransformer) -> Result<ModelFacts> {
    let config = json::to_value(model.config()).expect("BUG: a config is plain data");
    Ok(ModelFacts {
        name: model.name().to_owned(),
        fingerprint: model.fingerprint()?,
        config: json::digest(&json::canonical(&config)),
        device: model.device_name().to_owned(),
        dtype: model.dtype(),
        commit: model.commit().map(str::to_owned),
        // A file that has gone since is no input any more: the fingerprint is of what was loaded.
        files: model.files().iter().filter_map(|path| DataFile::of(path).ok()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_save_folder_is_fixed_when_the_bench_is_made() {
        let model = HookedAutoModel::embedded().unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(Bench::new(model.clone()).folder(), here.join("experiments"));
        assert_eq!(Bench::new(model.clone()).save_dir("runs/a").folder(), here.join("runs/a"));
        assert_eq!(Bench::new(model).save_dir("").folder(), here);
    }
}

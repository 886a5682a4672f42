//! One call of an experiment: its tools, its body, and all that is kept of it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrakis_models::files;
use arrakis_models::ground::warnings::warn;

use super::describe::{Seen, panic_message, with_causes};
use super::hypothesis::{self, NullMaker};
use super::show::Shown;
use crate::bench::Bench;
use crate::context::{self, Entered};
use crate::error::{Error, Result};
use crate::experiment::{Draft, Function, Outcome, Record, Run, file_name, program};
use crate::hypothesis::{Alternative, Claim, Null, Sample, Test};
use crate::plot::Figure;
use crate::profile::{self, Profile};

/// Draws of the null where the attribute names no number: enough for α = 0.05.
const DRAWS: usize = 199;

/// The bit of `#[use_tools]`.
const TOOLS: u8 = 1;

/// `#[log_experiment(..)]`.
#[derive(Debug, Default)]
pub struct LogOptions<'a> {
    /// The experiment's name, instead of the function's.
    pub name: Option<&'a str>,
    /// The seed, instead of the bench's.
    pub seed: Option<u64>,
    /// Words to find the record by.
    pub tags: Option<&'a [&'a str]>,
}

/// `#[plot_results(..)]`.
#[derive(Debug, Default)]
pub struct PlotOptions<'a> {
    /// The figure's title.
    pub name: Option<&'a str>,
    /// Where its files go, instead of the save folder.
    pub dir: Option<&'a str>,
}

/// `#[profile_model]`.
#[derive(Debug, Default)]
pub struct ProfileOptions {}

/// `#[test_hypothesis(..)]`, without the null.
#[derive(Debug, Default)]
pub struct HypothesisOptions<'a> {
    /// What is claimed.
    pub claim: Option<&'a str>,
    /// What is measured.
    pub metric: Option<&'a str>,
    /// The null in words.
    pub null_name: Option<&'a str>,
    /// The direction.
    pub alternative: Option<Alternative>,
    /// The accepted chance of a false claim.
    pub alpha: Option<f64>,
    /// The test.
    pub test: Option<Test>,
    /// Draws of the null.
    pub draws: Option<usize>,
    /// The seed of the draws.
    pub seed: Option<u64>,
    /// In how many places one looked.
    pub comparisons: Option<usize>,
    /// The claims corrected together.
    pub family: Option<&'a str>,
    /// How far from the null still counts as equal.
    pub margin: Option<f64>,
    /// The group of each value; see [`HypothesisOptions::groups`].
    pub group_names: Option<Vec<String>>,
}

impl HypothesisOptions<'_> {
    /// The group of each value, as anything that prints.
    #[must_use]
    pub fn groups<G: ToString>(self, groups: impl IntoIterator<Item = G>) -> Self {
        let names = groups.into_iter().map(|group| group.to_string()).collect();
        Self { group_names: Some(names), ..self }
    }
}

/// A claim about a call.
pub struct Hypothesis<'a> {
    /// The claim.
    pub options: HypothesisOptions<'a>,
    /// What it is held against.
    pub null: NullMaker<'a>,
}

/// What the attributes of a function ask for.
pub struct Call<'a> {
    /// The function.
    pub function: &'static Function,
    /// `#[log_experiment]`.
    pub log: Option<LogOptions<'a>>,
    /// `#[use_tools]`.
    pub tools: bool,
    /// `#[plot_results]`.
    pub plot: Option<PlotOptions<'a>>,
    /// `#[profile_model]`.
    pub profile: Option<ProfileOptions>,
    /// `#[test_hypothesis]`.
    pub hypothesis: Option<Hypothesis<'a>>,
}

/// The arguments of a call, by name.
type Inputs = Vec<(&'static str, Shown)>;

/// Runs a function's body with its tools and figure, and keeps what its attributes ask for.
///
/// A body that returns an error or panics is recorded and its error or panic goes on. What fails after
/// the body (an empty figure, a claim that cannot be judged, a record that cannot be saved) is an error
/// here, except after a body that failed itself: then it is said on stderr, and the body's error goes on.
///
/// # Errors
///
/// No bench, a tool that cannot be made, and what fails after the body.
pub fn call<'a, T, R>(
    bench: Result<&'a Bench>,
    call: Call<'a>,
    inputs: Inputs,
    tools: impl FnOnce(&Bench) -> Result<T>,
    body: impl FnOnce(T, &mut Figure) -> R,
    see: impl FnOnce(&R) -> Seen,
) -> Result<R> {
    let running = Running::begin(bench?, call, inputs)?;
    let tools = match tools(running.bench) {
        Ok(tools) => tools,
        Err(error) => return Err(running.failed_before(error)),
    };
    let mut figure = Figure::new(running.title());
    let started = Instant::now();
    let (caught, profile) = running.profiled(|| catch_unwind(AssertUnwindSafe(|| body(tools, &mut figure))));
    let secs = started.elapsed().as_secs_f64();
    match caught {
        Ok(value) => {
            let seen = see(&value);
            running.finish(seen, figure, profile, secs).map(|()| value)
        }
        Err(panic) => {
            let seen = Seen { outcome: Outcome::Panic(panic_message(&*panic)), sample: None };
            running.finish(seen, figure, profile, secs).unwrap_or_else(|error| say(&error));
            resume_unwind(panic)
        }
    }
}

/// A call between its beginning and its end.
struct Running<'a> {
    bench: &'a Bench,
    call: Call<'a>,
    claim: Option<(Claim, Null<'a>)>,
    entered: Entered,
    /// Where this experiment's files go.
    folder: PathBuf,
    id: String,
}

impl<'a> Running<'a> {
    /// Checks the claim, then opens the frame and the record.
    fn begin(bench: &'a Bench, mut call: Call<'a>, inputs: Inputs) -> Result<Self> {
        let claim =
            call.hypothesis.take().map(|hypothesis| registered(hypothesis, call.function, bench)).transpose()?;
        program::note(call.function.module);
        let entered = Entered::new(call.function.path(), attributes(&call, claim.is_some()));
        let log = call.log.as_ref();
        let name = log.and_then(|log| log.name).unwrap_or(call.function.name);
        if call.log.is_some() || entered.frame.borrow().record.is_none() {
            let hidden = |(name, shown): &(&str, Shown)| Some(shown.problem.as_ref()?.of_argument(name));
            let problems = inputs.iter().filter_map(hidden).collect();
            let draft = Draft {
                function: call.function,
                name,
                arguments: inputs.into_iter().map(|(name, shown)| (name.to_owned(), shown.value)).collect(),
                problems,
                model: bench.facts()?,
                seed: log.and_then(|log| log.seed).unwrap_or(bench.own_seed()),
                tags: log.and_then(|log| log.tags).unwrap_or_default().iter().map(ToString::to_string).collect(),
                parents: context::parents(),
            };
            entered.frame.borrow_mut().record = Some(draft.begin());
        }
        let id = {
            let mut frame = entered.frame.borrow_mut();
            frame.logged |= call.log.is_some();
            frame.record.as_ref().map(|record| record.id.clone()).unwrap_or_default()
        };
        let folder = bench.store().folder_of(name);
        Ok(Self { bench, call, claim, entered, folder, id })
    }

    fn title(&self) -> String {
        let name = self.call.plot.as_ref().and_then(|plot| plot.name);
        name.map_or_else(|| self.call.function.name.replace('_', " "), str::to_owned)
    }

    fn profiled<R>(&self, body: impl FnOnce() -> R) -> (R, Option<Profile>) {
        if self.call.profile.is_none() {
            return (body(), None);
        }
        // A failure of the device shows where its result is read.
        let (output, profile) = profile::measure(body, || drop(self.bench.model().device().sync()));
        (output, Some(profile))
    }

    /// Records a failure before the body.
    fn failed_before(self, error: Error) -> Error {
        let outcome = Outcome::Error(with_causes(&error));
        if let Err(second) = self.close(outcome, 0.0) {
            say(&second);
        }
        error
    }

    /// Draws, judges, writes; the first failure is the error.
    fn finish(mut self, seen: Seen, figure: Figure, profile: Option<Profile>, secs: f64) -> Result<()> {
        let good = matches!(seen.outcome, Outcome::Ok(_));
        let mut failures = Vec::new();
        if let Some(profile) = profile {
            failures.extend(self.keep_profile(profile).err());
        }
        if good && self.call.plot.is_some() {
            failures.extend(self.draw(figure).err());
        }
        if let (Some((claim, null)), Some(sample)) = (self.claim.take(), seen.sample) {
            failures.extend(self.judge(&claim, null, sample).err());
        }
        self.entered.frame.borrow_mut().problems.extend(failures.iter().map(|error| with_causes(error)));
        failures.extend(self.close(seen.outcome, secs).err());
        let mut failures = failures.into_iter();
        let first = if good { failures.next() } else { None };
        failures.for_each(|error| say(&error));
        first.map_or(Ok(()), Err)
    }

    fn keep_profile(&self, profile: Profile) -> Result<()> {
        let folder = self.folder.join("profiles");
        let saved = write(&folder, &format!("{}.trace.json", self.id), &profile.to_chrome_trace());
        self.entered.frame.borrow_mut().run.profile = Some(profile);
        saved
    }

    fn draw(&self, figure: Figure) -> Result<()> {
        let folder = self
            .call
            .plot
            .as_ref()
            .and_then(|plot| plot.dir)
            .map_or_else(|| self.folder.join("figures"), PathBuf::from);
        let stem = format!("{}-{}", self.id, file_name(&figure.title.to_lowercase().replace(' ', "_")));
        let files = figure.record(self.id.clone()).save(&folder, &stem)?;
        self.entered.frame.borrow_mut().run.figures.extend(files);
        Ok(())
    }

    fn judge(&self, claim: &Claim, null: Null<'_>, sample: Result<Sample>) -> Result<()> {
        let verdict = claim.judge(sample?, null)?;
        hypothesis::keep(&verdict);
        self.entered.frame.borrow_mut().run.verdict = Some(verdict);
        Ok(())
    }

    /// Leaves the run on the bench and writes its record, where this is the outermost attribute of the call.
    fn close(self, outcome: Outcome, secs: f64) -> Result<()> {
        if !self.entered.opened {
            return Ok(());
        }
        let mut frame = self.entered.frame.borrow_mut();
        let mut run = std::mem::take(&mut frame.run);
        let mut written = Ok(());
        if let Some(mut record) = frame.record.take().filter(|_| frame.logged) {
            record.problems.append(&mut frame.problems);
            let record = self.completed(record, &run, outcome, secs);
            written = self.bench.store().write(&record).map(drop);
            run.record = Some(record);
        }
        // Filling in tools leaves nothing.
        if frame.attributes != TOOLS {
            self.bench.keep(run);
        }
        written
    }

    /// The record with what the call came to and what it left.
    fn completed(&self, record: Record, run: &Run, outcome: Outcome, duration_secs: f64) -> Record {
        let saved = |profile: &Profile| Profile { spans: Vec::new(), ..profile.clone() };
        Record {
            outcome,
            duration_secs,
            figures: run.figures.iter().map(|path| inside(self.bench.folder(), path)).collect(),
            profile: run.profile.as_ref().map(saved),
            verdict: run.verdict.clone(),
            ..record
        }
        .sealed()
    }
}

/// The claim as it stands before anything is measured.
fn registered<'a>(hypothesis: Hypothesis<'a>, function: &Function, bench: &'a Bench) -> Result<(Claim, Null<'a>)> {
    let (options, standard) = (hypothesis.options, Claim::default());
    let claim = Claim {
        statement: options.claim.unwrap_or_default().to_owned(),
        metric: options.metric.unwrap_or(function.name).to_owned(),
        null: options.null_name.unwrap_or(hypothesis.null.words).to_owned(),
        test: options.test.unwrap_or(standard.test),
        alternative: options.alternative.unwrap_or(standard.alternative),
        alpha: options.alpha.unwrap_or(standard.alpha),
        draws: options.draws.unwrap_or(DRAWS),
        seed: options.seed.unwrap_or(standard.seed),
        comparisons: options.comparisons.unwrap_or(standard.comparisons),
        family: options.family.map(str::to_owned),
        margin: options.margin,
        groups: options.group_names,
    };
    claim.validate()?;
    Ok((claim, (hypothesis.null.make)(bench)?))
}

/// Which attributes a call has, one bit each.
fn attributes(call: &Call<'_>, claim: bool) -> u8 {
    let present = [call.tools, call.log.is_some(), call.plot.is_some(), call.profile.is_some(), claim];
    present.iter().enumerate().map(|(bit, present)| u8::from(*present) << bit).sum()
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: path.clone(), source })?;
    Ok(files::write_whole(&path, text)?)
}

/// A path inside the save folder is kept relative to it: the folder can be moved.
fn inside(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned()
}

fn say(error: &Error) {
    warn(with_causes(error));
}

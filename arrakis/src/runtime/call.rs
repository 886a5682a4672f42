//! One call of an experiment: its tools, its body, and everything that is kept of it.

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
use crate::experiment::json::Blobs;
use crate::experiment::{Function, Outcome, Record, Run, file_name, program};
use crate::hypothesis::{Claim, Null, Sample};
use crate::plot::Figure;
use crate::profile::{self, Profile, Threads};

/// The bit of `#[use_tools]`.
const TOOLS: u8 = 1;

/// `#[plot_results(..)]`.
#[derive(Debug, Default)]
pub struct PlotOptions {
    /// The figure's title.
    pub title: Option<String>,
    /// The folder of its files, instead of the save folder.
    pub dir: Option<PathBuf>,
}

/// `#[test_hypothesis(..)]`: a claim about a call.
pub struct Hypothesis<'a> {
    /// The claim.
    pub claim: Claim,
    /// The null it is compared with.
    pub null: NullMaker<'a>,
}

/// The claim of a function before the attribute's options are filled in.
pub fn claim(metric: &str, null: &str) -> Claim {
    Claim { metric: metric.into(), null: null.into(), ..Claim::default() }
}

/// Sets the fields of a record that the options of `#[log_experiment]` name.
type SetOptions<'a> = Box<dyn FnOnce(&mut Record) + 'a>;

/// What the attributes of a function ask for.
pub struct Call<'a> {
    /// The function.
    pub function: &'static Function,
    /// `#[log_experiment(..)]`.
    pub log: Option<SetOptions<'a>>,
    /// `#[use_tools]`.
    pub tools: bool,
    /// `#[plot_results]`.
    pub plot: Option<PlotOptions>,
    /// `#[profile_model]`.
    pub profile: bool,
    /// `#[test_hypothesis]`.
    pub hypothesis: Option<Hypothesis<'a>>,
}

/// The arguments of a call, by name.
type Inputs = Vec<(&'static str, Shown)>;

/// Runs a function's body with its tools and figure, and keeps what its attributes ask for.
///
/// A body that returns an error or panics is recorded, and its error or panic goes on. After the body, an empty figure,
/// a claim that cannot be judged and a record that cannot be saved are errors. If the body itself failed, they are
/// reported on stderr and the body's error goes on.
///
/// # Errors
///
/// No bench, a tool that cannot be built, and failures after the body.
pub fn call<'a, T, R>(
    bench: Result<&'a Bench>,
    call: Call<'a>,
    inputs: Inputs,
    tools: impl FnOnce(&Bench) -> Result<T>,
    body: impl FnOnce(T, &mut Figure) -> R,
    see: impl FnOnce(&R) -> Seen,
) -> Result<R> {
    let running = Running::begin(bench?, call, inputs, std::any::type_name_of_val(&body))?;
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
            let seen = Seen { outcome: Outcome::Panic(panic_message(&*panic)), sample: None, blobs: Blobs::default() };
            running.finish(seen, figure, profile, secs).unwrap_or_else(|error| say(&error));
            resume_unwind(panic)
        }
    }
}

/// A call between its start and its end.
struct Running<'a> {
    bench: &'a Bench,
    call: Call<'a>,
    claim: Option<(Claim, Null<'a>)>,
    entered: Entered,
    _open: Option<context::Running<'a>>,
    /// The folder of this experiment's files.
    folder: PathBuf,
    id: String,
}

impl<'a> Running<'a> {
    /// Checks the claim, then opens the frame and the record. `body` is the type name of the body.
    fn begin(bench: &'a Bench, mut call: Call<'a>, inputs: Inputs, body: &'static str) -> Result<Self> {
        let attributes = attributes(&call);
        let claim = call.hypothesis.take().map(|hypothesis| registered(hypothesis, bench)).transpose()?;
        program::note(call.function.module);
        let entered = Entered::new(body, attributes, bench.id());
        let fill = call.log.take();
        let mut frame = entered.frame();
        frame.logged |= fill.is_some();
        if fill.is_some() || frame.record.is_none() {
            drop(frame);
            let record = begun(bench, Record::of(call.function, body), inputs, fill)?;
            frame = entered.frame();
            frame.begin(record);
        }
        let record = frame.record.as_ref().expect("BUG: a frame has a record");
        let (folder, id) = (bench.store().folder_of(&record.name), record.id.clone());
        drop(frame);
        let open = bench.calls().begin(&entered);
        Ok(Self { bench, call, claim, entered, _open: open, folder, id })
    }

    fn title(&self) -> String {
        let title = self.call.plot.as_ref().and_then(|plot| plot.title.clone());
        title.unwrap_or_else(|| self.call.function.name.replace('_', " "))
    }

    fn profiled<R>(&self, body: impl FnOnce() -> R) -> (R, Option<Profile>) {
        if !self.call.profile {
            return (body(), None);
        }
        // A failure of the device appears where its result is read.
        let threads = Threads::new();
        self.entered.frame().threads = Some(threads.clone());
        let (output, profile) = profile::measure_with(&threads, body, || drop(self.bench.model().device().sync()));
        self.entered.frame().threads = None;
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

    /// Draws, judges and writes. The first failure is the error.
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
        if let Some(record) = &mut self.entered.frame().record {
            record.blobs.extend(seen.blobs);
        }
        self.entered.frame().problems.extend(failures.iter().map(|error| with_causes(error)));
        failures.extend(self.close(seen.outcome, secs).err());
        let mut failures = failures.into_iter();
        let first = if good { failures.next() } else { None };
        failures.for_each(|error| say(&error));
        first.map_or(Ok(()), Err)
    }

    fn keep_profile(&self, profile: Profile) -> Result<()> {
        let folder = self.folder.join("profiles");
        let saved = write(&folder, &format!("{}.trace.json", self.id), &profile.to_chrome_trace());
        self.entered.frame().run.profile = Some(profile);
        saved
    }

    fn draw(&self, figure: Figure) -> Result<()> {
        let named = self.call.plot.as_ref().and_then(|plot| plot.dir.clone());
        let folder = named.unwrap_or_else(|| self.folder.join("figures"));
        let stem = format!("{}-{}", self.id, file_name(&figure.title.to_lowercase().replace(' ', "_")));
        let files = self.bench.plotter().plot(&figure.record(self.id.clone()), &folder, &stem)?;
        self.entered.frame().run.figures.extend(files);
        Ok(())
    }

    fn judge(&self, claim: &Claim, null: Null<'_>, sample: Result<Sample>) -> Result<()> {
        let verdict = claim.judge(sample?, null)?;
        hypothesis::keep(&verdict);
        self.entered.frame().run.verdict = Some(verdict);
        Ok(())
    }

    /// Leaves the run on the bench and writes its record, if this is the outermost attribute of the call.
    fn close(self, outcome: Outcome, secs: f64) -> Result<()> {
        if !self.entered.opened {
            return Ok(());
        }
        let mut frame = self.entered.frame();
        let mut run = std::mem::take(&mut frame.run);
        let mut written = Ok(());
        if let Some(record) = frame.end().filter(|_| frame.logged) {
            let mut record = self.completed(record, &run, outcome, secs);
            written = self.bench.store().write(&record).map(drop);
            if written.is_ok() {
                record.blobs = Blobs::beside(&self.folder);
            }
            run.record = Some(record);
        }
        // A call that only fills in tools leaves nothing.
        if frame.attributes != TOOLS {
            self.bench.keep(run);
        }
        written
    }

    /// The record with the outcome of the call and what it left.
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

/// The record of a call at its start, with the options of `#[log_experiment]`.
fn begun(bench: &Bench, function: Record, inputs: Inputs, fill: Option<SetOptions<'_>>) -> Result<Record> {
    let hidden = |(name, shown): &(&str, Shown)| Some(shown.hidden.as_ref()?.of_argument(name));
    let mut blobs = Blobs::default();
    for (_, shown) in &inputs {
        blobs.extend(shown.blobs.clone());
    }
    let mut record = Record {
        problems: inputs.iter().filter_map(hidden).collect(),
        blobs,
        arguments: inputs.into_iter().map(|(name, shown)| (name.to_owned(), shown.value)).collect(),
        model: bench.facts()?,
        seed: bench.seed_for(context::seed_around()),
        parents: context::parents(),
        ..function
    };
    if let Some(fill) = fill {
        fill(&mut record);
    }
    Ok(record.with_version())
}

/// The claim and its null, before anything is measured.
fn registered<'a>(hypothesis: Hypothesis<'a>, bench: &'a Bench) -> Result<(Claim, Null<'a>)> {
    hypothesis.claim.validate()?;
    Ok((hypothesis.claim, (hypothesis.null.make)(bench)?))
}

/// Which attributes a call has, one bit for each.
fn attributes(call: &Call<'_>) -> u8 {
    let present = [call.tools, call.log.is_some(), call.plot.is_some(), call.profile, call.hypothesis.is_some()];
    present.iter().enumerate().map(|(bit, present)| u8::from(*present) << bit).sum()
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: path.clone(), source })?;
    Ok(files::write_whole(&path, text)?)
}

/// A path inside the save folder is stored relative to it, so that the folder can be moved.
fn inside(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned()
}

fn say(error: &Error) {
    warn(with_causes(error));
}

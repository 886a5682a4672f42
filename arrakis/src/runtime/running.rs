//! A call between its start and its end.

use std::path::{Path, PathBuf};
use std::time::Instant;

use arrakis_models::files;
use arrakis_models::ground::warnings::warn;

use super::asked::{Asked, HYPOTHESIS, LOG, PLOT, PROFILE, TOOLS};
use super::describe::Seen;
use super::hypothesis;
use super::stop::{Stop, catch, caught};
use crate::bench::Bench;
use crate::context::{self, Entered, Listed, Step};
use crate::error::{Error, Result};
use crate::experiment::json::Blobs;
use crate::experiment::{Outcome, Record, Registration, Run, UsedHelper, file_name, program, register};
use crate::hypothesis::{Claim, Noted, Null, Sample};
use crate::plot::Figure;
use crate::profile::{Measuring, Profile};

/// A call whose frame is open.
pub(super) struct Running {
    bench: Bench,
    asked: Asked,
    entered: Entered,
    /// Among the running calls of the bench, while it is on a thread.
    open: Option<context::Running>,
    /// Among the logged calls of the program.
    _listed: Option<Listed>,
    /// The folder of this experiment's files.
    folder: PathBuf,
    id: String,
    /// Seconds in the body.
    secs: f64,
    measuring: Option<Measuring>,
}

impl Running {
    /// Opens the frame and the record. `body` is the type name of the body.
    pub(super) fn begin(bench: Bench, mut asked: Asked, body: &'static str) -> Self {
        program::note(asked.function.here.module);
        context::watch_reads();
        let entered = Entered::new(body, asked.attributes, bench.id());
        let (logs, record) = (asked.has(LOG), std::mem::take(&mut asked.record));
        let mut frame = entered.frame();
        frame.logged |= logs;
        if asked.has(HYPOTHESIS) {
            frame.searches.get_or_insert_default();
        }
        if logs || frame.record.is_none() {
            drop(frame);
            let parents = context::parents();
            let record = Record { parents, ..record }.located(asked.function, body).with_version();
            frame = entered.frame();
            let folder = bench.store().folder_of(&record.name);
            frame.begin(record, &folder);
        }
        let record = frame.record.as_ref().expect("BUG: a frame has a record");
        let (folder, id) = (bench.store().folder_of(&record.name), record.id.clone());
        drop(frame);
        let open = bench.calls().begin(&entered);
        let listed = logs.then(context::list);
        if logs {
            count_code(&asked, body);
        }
        let measuring = asked.has(PROFILE).then(Measuring::new);
        if let Some(measuring) = &measuring {
            entered.frame().threads = Some(measuring.threads());
        }
        Self { bench, asked, entered, open, _listed: listed, folder, id, secs: 0.0, measuring }
    }

    /// Registers the claim of a logged call, before the body runs.
    pub(super) fn register(&self, claim: &Claim) -> Result<(), Stop> {
        let mut frame = self.entered.frame();
        let logged = frame.logged;
        if let Some(record) = frame.record.as_mut().filter(|_| logged) {
            record.registration = Some(register(record, claim, self.bench.store())?);
        }
        Ok(())
    }

    pub(super) fn bench(&self) -> &Bench {
        &self.bench
    }

    pub(super) fn tools<T>(&self, tools: impl FnOnce(&Bench) -> Result<T>) -> Result<T, Stop> {
        Ok(caught(|| tools(&self.bench))??)
    }

    /// The figure with the plots of the attribute, before the body draws on it.
    pub(super) fn figure(&mut self) -> Result<Figure, Stop> {
        let title = self.asked.plot.title.clone();
        let figure = Figure::new(title.unwrap_or_else(|| self.asked.function.name.replace('_', " ")));
        let Some(plots) = self.asked.plots.take() else { return Ok(figure) };
        let panels = caught(|| plots.panels(self.bench.model()))??;
        Ok(panels.into_iter().fold(figure, Figure::with))
    }

    /// Runs the body, or a part of it, and adds its time and its profile.
    pub(super) fn step<R>(&mut self, body: impl FnOnce() -> R) -> Result<R, Stop> {
        let (mut body, mut value) = (Some(body), None);
        self.measured(&mut || value = body.take().map(|body| body()))?;
        Ok(value.expect("BUG: a body that does not panic has a value"))
    }

    fn measured(&mut self, body: &mut dyn FnMut()) -> Result<(), Stop> {
        let started = Instant::now();
        let ended = match &mut self.measuring {
            None => catch(body),
            // A failure of the device appears where its result is read.
            Some(measuring) => measuring.step(|| catch(body), || drop(self.bench.model().device().sync())),
        };
        self.secs += started.elapsed().as_secs_f64();
        ended
    }

    /// Takes the frame off this thread between the steps of the body.
    pub(super) fn leave(&mut self) {
        self.open = None;
        self.entered.leave();
    }

    /// On this thread until the guard is dropped.
    pub(super) fn inside(&self) -> (Option<context::Running>, Step) {
        let step = self.entered.step();
        (self.bench.calls().begin(&self.entered), step)
    }

    /// Records an error or a panic that ended the call. The panic goes on.
    pub(super) fn stopped(self, stop: Stop) -> Error {
        self.ended_early(stop.outcome());
        stop.go_on()
    }

    /// Records a call that came to no result.
    pub(super) fn ended_early(mut self, outcome: Outcome) {
        let failure = self.keep_profile().err();
        failure.into_iter().chain(self.close(outcome).err()).for_each(|error| say(&Stop::Error(error)));
    }

    /// Draws, judges and writes. The first failure is the error.
    pub(super) fn finish(mut self, seen: Seen, figure: Figure, claim: Option<(Claim, Null<'_>)>) -> Result<()> {
        let good = matches!(seen.outcome, Outcome::Ok(_));
        let mut failures: Vec<Stop> = Vec::new();
        failures.extend(self.keep_profile().err().map(Stop::Error));
        if good && self.asked.has(PLOT) {
            failures.extend(stop_of(|| self.draw(figure)));
        }
        if let (Some((claim, null)), Some(sample)) = (claim, seen.sample) {
            failures.extend(stop_of(|| self.judge(&claim, null, sample)));
        }
        if let Some(record) = &mut self.entered.frame().record {
            record.blobs.extend(seen.blobs);
        }
        self.entered.frame().problems.extend(failures.iter().map(Stop::message));
        failures.extend(self.close(seen.outcome).err().map(Stop::Error));
        let mut failures = failures.into_iter();
        let first = if good { failures.next() } else { None };
        failures.for_each(|failure| say(&failure));
        first.map_or(Ok(()), |stop| Err(stop.go_on()))
    }

    fn keep_profile(&mut self) -> Result<()> {
        let Some(profile) = self.measuring.take().map(Measuring::profile) else { return Ok(()) };
        self.entered.frame().threads = None;
        let folder = self.folder.join("profiles");
        let saved = write(&folder, &format!("{}.trace.json", self.id), &profile.to_chrome_trace());
        self.entered.frame().run.profile = Some(profile);
        saved
    }

    fn draw(&self, figure: Figure) -> Result<()> {
        let folder = self.asked.plot.dir.clone().unwrap_or_else(|| self.folder.join("figures"));
        let stem = format!("{}-{}", self.id, file_name(&figure.title.to_lowercase().replace(' ', "_")));
        let files = self.bench.plotter().plot(&figure.record(self.id.clone()), &folder, &stem)?;
        self.entered.frame().run.figures.extend(files);
        Ok(())
    }

    fn judge(&self, claim: &Claim, null: Null<'_>, sample: Result<Sample>) -> Result<()> {
        let sample = sample?;
        self.check_search(claim, &sample)?;
        let mut verdict = claim.judge(sample, null)?;
        let frame = self.entered.frame();
        let registration = frame.record.as_ref().and_then(|record| record.registration.as_ref());
        verdict.notes.extend(registration.and_then(Registration::note));
        drop(frame);
        hypothesis::keep(&verdict);
        self.entered.frame().run.verdict = Some(verdict);
        Ok(())
    }

    /// Refuses a number without an origin that is the score of a place that this call searched for.
    fn check_search(&self, claim: &Claim, sample: &Sample) -> Result<()> {
        let frame = self.entered.frame();
        let found = frame.searches.as_ref().and_then(|searches: &Noted| searches.of(sample.values()));
        match found.filter(|_| sample.origin().is_none()) {
            Some((place, search)) => claim.refuse_hidden(place, search),
            None => Ok(()),
        }
    }

    /// Leaves the run on the bench and writes its record, if this is the outermost attribute of the call.
    fn close(self, outcome: Outcome) -> Result<()> {
        if !self.entered.opened {
            return Ok(());
        }
        let mut frame = self.entered.frame();
        let mut run = std::mem::take(&mut frame.run);
        let mut written = frame.sync_metrics();
        if let Some(record) = frame.end().filter(|_| frame.logged) {
            let mut record = self.completed(record, &run, outcome);
            let saved = self.bench.store().write(&record);
            if saved.is_ok() {
                record.blobs = Blobs::beside(&self.folder);
                record.texts.clear();
            }
            written = saved.map(drop).and(written);
            run.record = Some(record);
        }
        // A call that only fills in tools leaves nothing.
        if frame.attributes != TOOLS {
            self.bench.keep(run);
        }
        written
    }

    /// The record with the outcome of the call and what it left.
    fn completed(&self, record: Record, run: &Run, outcome: Outcome) -> Record {
        let saved = |profile: &Profile| Profile { spans: Vec::new(), ..profile.clone() };
        Record {
            outcome,
            duration_secs: self.secs,
            figures: run.figures.iter().map(|path| inside(self.bench.folder(), path)).collect(),
            profile: run.profile.as_ref().map(saved),
            verdict: run.verdict.clone(),
            ..record
        }
        .sealed()
    }
}

/// Counts the constants that an experiment names as its helpers, and the experiment as one of those around it.
fn count_code(asked: &Asked, body: &str) {
    let function = asked.function;
    context::tell(asked.constants.helpers());
    if context::is_inside_another() {
        context::tell_around([(UsedHelper::of(function, body), function.source.into())]);
    }
}

/// The error or the panic of a step after the body.
fn stop_of(step: impl FnOnce() -> Result<()>) -> Option<Stop> {
    caught(step).map_or_else(Some, |result| result.err().map(Stop::Error))
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

fn say(failure: &Stop) {
    warn(failure.message());
}

//! The running calls of a thread, outermost first.
//!
//! An attribute imported under another name cannot be merged with the others when it is expanded. Both then become
//! nested calls of one function, and the inner call joins the frame of the outer one.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::SystemTime;

use super::read_file::{self, ReadFile};
use super::seen;
use crate::error::Result;
use crate::experiment::{Metric, MetricFile, Record, Run, UsedHelper};
use crate::hypothesis::{Noted, Search};
use crate::profile::Threads;

/// One call of one function.
#[derive(Default)]
pub(crate) struct Frame {
    /// The type name of the body: the function's path, and a `{{closure}}` for each attribute around the body.
    body: &'static str,
    /// Which attributes have joined, one bit for each.
    pub(crate) attributes: u8,
    /// The bench it was called with.
    bench: u64,
    /// The record as of the start of the call; written if the call is logged.
    pub(crate) record: Option<Record>,
    /// The seed of the call.
    seed: Option<u64>,
    /// The id of the record.
    id: String,
    pub(crate) logged: bool,
    /// What the call has left so far.
    pub(crate) run: Run,
    /// What failed after the body.
    pub(crate) problems: Vec<String>,
    /// The profiles of other threads, while the call is profiled.
    pub(crate) threads: Option<Threads>,
    /// The scores that searches chose, if the call makes a claim.
    pub(crate) searches: Option<Noted>,
    /// The folder of the experiment's files.
    folder: PathBuf,
    /// What it has written of its steps.
    metrics: Option<MetricFile>,
    /// The helpers that it used, with their texts.
    pub(super) helpers: BTreeMap<UsedHelper, Cow<'static, str>>,
    /// The files that were read during it.
    pub(super) read: BTreeSet<ReadFile>,
    /// When it began.
    pub(super) began: Option<SystemTime>,
    /// The threads that entered the call by a handle.
    pub(super) inside: Vec<ThreadId>,
    /// What other threads did during the call and not as a part of it.
    pub(super) beside: BTreeSet<String>,
    /// Whether the call has ended.
    pub(super) ended: bool,
}

pub(super) type Shared = Arc<Mutex<Frame>>;

thread_local! {
    static FRAMES: RefCell<Vec<Shared>> = const { RefCell::new(Vec::new()) };
}

/// The frame of a call, and whether this call opened it. Closed when dropped.
pub(crate) struct Entered {
    frame: Shared,
    pub(crate) opened: bool,
}

impl Entered {
    /// Joins the innermost frame if it belongs to the same call and has none of these attributes yet.
    ///
    /// `body` is the type name of the body, and `bench` the id of the bench.
    pub(crate) fn new(body: &'static str, attributes: u8, bench: u64) -> Self {
        FRAMES.with_borrow_mut(|frames| {
            if let Some(top) = frames.last().filter(|top| lock(top).joined(body, attributes)) {
                return Self { frame: Arc::clone(top), opened: false };
            }
            let frame = Arc::new(Mutex::new(Frame { body, attributes, bench, ..Frame::default() }));
            frames.push(Arc::clone(&frame));
            seen::changed(true);
            Self { frame, opened: true }
        })
    }

    /// Takes the frame off this thread. [`Entered::step`] puts it back for a step.
    pub(crate) fn leave(&self) {
        if self.opened {
            take_off(&self.frame);
        }
    }

    /// The frame is on this thread until the guard is dropped. A frame that this call only joined is there already.
    pub(crate) fn step(&self) -> Step {
        if self.opened {
            FRAMES.with_borrow_mut(|frames| frames.push(Arc::clone(&self.frame)));
            seen::changed(true);
        }
        Step(self.opened.then(|| Arc::clone(&self.frame)))
    }

    /// Whether there is no call around this one.
    pub(super) fn is_outermost(&self) -> bool {
        FRAMES.with_borrow(|frames| frames.first().is_some_and(|first| Arc::ptr_eq(first, &self.frame)))
    }

    /// The frame, to be shared with other threads.
    pub(super) fn shared(&self) -> Shared {
        Arc::clone(&self.frame)
    }

    /// The frame.
    pub(crate) fn frame(&self) -> MutexGuard<'_, Frame> {
        lock(&self.frame)
    }
}

impl Frame {
    /// Sets the record as of the start of the call.
    pub(crate) fn begin(&mut self, record: Record, folder: &Path) {
        folder.clone_into(&mut self.folder);
        self.began = Some(SystemTime::now());
        self.seed = Some(record.seed);
        self.id.clone_from(&record.id);
        self.record = Some(record);
    }

    /// Takes the record at the end of the call, with what other threads did during it.
    pub(crate) fn end(&mut self) -> Option<Record> {
        self.ended = true;
        let mut record = self.record.take()?;
        record.use_helpers(std::mem::take(&mut self.helpers));
        let (data, unread) = read_file::digests(std::mem::take(&mut self.read));
        record.use_data(data);
        self.problems.extend(unread);
        record.problems.append(&mut self.problems);
        record.problems.extend(std::mem::take(&mut self.beside));
        let this = std::thread::current().id();
        if self.inside.iter().any(|thread| *thread != this) {
            record
                .problems
                .push("a thread inside the call went on after its end: what it did since is not covered".into());
        }
        Some(record)
    }

    /// Waits until what was written of the steps is on the disk.
    pub(crate) fn sync_metrics(&mut self) -> Result<()> {
        self.metrics.take().map_or(Ok(()), |metrics| metrics.sync())
    }

    fn add_metric(&mut self, metric: &Metric) -> Result<()> {
        let file = match self.metrics.take() {
            Some(file) => file,
            None => MetricFile::open(&self.folder, &self.id)?,
        };
        self.metrics.insert(file).add(metric)
    }

    /// The function, for messages.
    pub(super) fn function(&self) -> &'static str {
        self.body.trim_end_matches("::{{closure}}")
    }

    /// Adds these attributes if the body stands inside this frame's body, with nothing but closures in between.
    fn joined(&mut self, body: &'static str, attributes: u8) -> bool {
        let between = body.strip_prefix(self.body).map(|rest| rest.replace("::{{closure}}", ""));
        let joins =
            body != self.body && between.is_some_and(|rest| rest.is_empty()) && self.attributes & attributes == 0;
        if joins {
            (self.body, self.attributes) = (body, self.attributes | attributes);
        }
        joins
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A step of a call on this thread.
pub(crate) struct Step(Option<Shared>);

impl Drop for Step {
    fn drop(&mut self) {
        self.0.iter().for_each(take_off);
    }
}

fn take_off(frame: &Shared) {
    FRAMES.with_borrow_mut(|frames| {
        frames.retain(|other| !Arc::ptr_eq(other, frame));
        seen::changed(!frames.is_empty());
    });
}

pub(super) fn lock(frame: &Shared) -> MutexGuard<'_, Frame> {
    frame.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ids of the records of the logged calls around the innermost one, outermost first.
pub(crate) fn parents() -> Vec<String> {
    let id = |frame: &Frame| Some(frame.id.clone()).filter(|id| frame.logged && !id.is_empty());
    FRAMES.with_borrow(|frames| {
        let around = &frames[..frames.len().saturating_sub(1)];
        around.iter().filter_map(|frame| id(&lock(frame))).collect()
    })
}

/// Notes a place that a search chose, in every call of this thread that makes a claim: its value, and its value for each
/// prompt.
pub(crate) fn note_search(value: f64, per_prompt: &[f64], place: &str, search: &Arc<Search>) {
    FRAMES.with_borrow(|frames| {
        for frame in frames {
            if let Some(searches) = &mut lock(frame).searches {
                searches.note(&[value], place, search);
                searches.note(per_prompt, place, search);
            }
        }
    });
}

/// Adds a number of a step to the innermost logged call. Returns whether there is one.
pub(crate) fn add_metric(metric: &Metric) -> Result<bool> {
    for frame in here().iter().rev() {
        let mut frame = lock(frame);
        if frame.logged && !frame.ended {
            return frame.add_metric(metric).map(|()| true);
        }
    }
    Ok(false)
}

/// Bench and seed of the innermost call.
pub(crate) fn seed_here() -> Option<(u64, u64)> {
    FRAMES.with_borrow(|frames| frames.last().and_then(|frame| lock(frame).seed()))
}

impl Frame {
    fn seed(&self) -> Option<(u64, u64)> {
        self.seed.map(|seed| (self.bench, seed))
    }
}

/// The frames of this thread, replaced by these; returns those before.
pub(super) fn replace(frames: Vec<Shared>) -> Vec<Shared> {
    seen::changed(!frames.is_empty());
    FRAMES.replace(frames)
}

/// The frames of this thread.
pub(super) fn here() -> Vec<Shared> {
    FRAMES.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_attribute_of_the_same_call_joins_and_a_call_of_the_same_function_does_not() {
        let outer = Entered::new("m::f<u8>::{{closure}}", 1, 0);
        let inner = Entered::new("m::f<u8>::{{closure}}::{{closure}}", 2, 0);
        let recursion = Entered::new("m::f<u8>::{{closure}}", 4, 0);
        let generic = Entered::new("m::f<u16>::{{closure}}::{{closure}}", 2, 0);
        let nested = Entered::new("m::f<u16>::{{closure}}::{{closure}}::f::{{closure}}", 4, 0);
        let opened = [&outer, &inner, &recursion, &generic, &nested].map(|entered| entered.opened);
        assert_eq!(opened, [true, false, true, true, true]);
        assert!(Arc::ptr_eq(&outer.frame, &inner.frame));
        drop((nested, generic, recursion, inner, outer));
        assert!(FRAMES.with_borrow(Vec::is_empty));
    }

    #[test]
    fn a_frame_that_has_left_is_on_the_thread_for_a_step_alone() {
        let call = Entered::new("m::f::{{closure}}", 1, 0);
        call.leave();
        let other = Entered::new("m::g::{{closure}}", 1, 0);
        let on_thread = || here().iter().map(|frame| lock(frame).body).collect::<Vec<_>>();
        assert_eq!(on_thread(), ["m::g::{{closure}}"]);
        let step = call.step();
        assert_eq!(on_thread(), ["m::g::{{closure}}", "m::f::{{closure}}"]);
        drop(step);
        assert_eq!(on_thread(), ["m::g::{{closure}}"]);
        drop((call, other));
        assert!(on_thread().is_empty());
    }
}

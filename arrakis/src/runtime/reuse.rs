//! `#[log_experiment(cache)]`: the result of an earlier run with the same inputs, while its code is fresh.
//!
//! Method lookup chooses how a result is read back, as in [`show`](super::show).

use std::any::type_name_of_val;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::rc::Rc;

use arrakis_models::ground::warnings::warn;
use serde::de::DeserializeOwned;

use super::call::Call;
use super::hypothesis;
use crate::bench::FORCE_VARIABLE;
use crate::context;
use crate::error::Result;
use crate::experiment::{Earlier, Record, Reuse, Run, Sources, UsedHelper};

/// The type that a function returns.
#[derive(Debug)]
pub struct Reader<R>(PhantomData<fn() -> R>);

impl<R> Reader<R> {
    /// Asks about a type.
    #[expect(clippy::new_without_default, reason = "attributes make it, and nobody else")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

/// A way to read the value that a function returned from its record.
#[diagnostic::on_unimplemented(
    message = "a cached result is read back from its record, and `{R}` cannot be",
    label = "not `serde::Deserialize`",
    note = "derive `serde::Deserialize` for the result, or drop `cache`"
)]
pub trait ReadBack<R> {
    /// Reads it.
    fn read(&self, record: &Record) -> Result<R>;
}

/// Reads the value inside a `Result`.
#[derive(Debug)]
pub struct OfResult;

/// Reads the value itself.
#[derive(Debug)]
pub struct OfValue;

/// Reads nothing.
#[derive(Debug)]
pub struct OfNothing;

impl<T: DeserializeOwned, E> ReadBack<std::result::Result<T, E>> for OfResult {
    fn read(&self, record: &Record) -> Result<std::result::Result<T, E>> {
        record.result().map(Ok)
    }
}

impl<T: DeserializeOwned> ReadBack<T> for OfValue {
    fn read(&self, record: &Record) -> Result<T> {
        record.result()
    }
}

/// A `Result` with a value that can be read.
pub trait ReadResult {
    /// The way to read it.
    fn arrakis_reader(&self) -> OfResult;
}

impl<T: DeserializeOwned, E> ReadResult for &&Reader<std::result::Result<T, E>> {
    fn arrakis_reader(&self) -> OfResult {
        OfResult
    }
}

/// Any other value that can be read.
pub trait ReadValue {
    /// The way to read it.
    fn arrakis_reader(&self) -> OfValue;
}

impl<T: DeserializeOwned> ReadValue for &Reader<T> {
    fn arrakis_reader(&self) -> OfValue {
        OfValue
    }
}

/// What cannot be read.
pub trait ReadNothing {
    /// No way to read it.
    fn arrakis_reader(&self) -> OfNothing;
}

impl<T> ReadNothing for Reader<T> {
    fn arrakis_reader(&self) -> OfNothing {
        OfNothing
    }
}

impl<N> Call<N> {
    /// The value of an earlier run with these inputs, if there is one whose code is fresh; otherwise the call goes on. Both are
    /// said on stderr. `ARRAKIS_FORCE=1` and [`Bench::force`](crate::Bench::force) always run the function.
    ///
    /// The type name of `reader`, a closure in the function's body, has the function's path.
    pub fn reused<R, B: ReadBack<R>>(self, reuse: Reuse, reader: impl FnOnce() -> B) -> ControlFlow<R, Self> {
        let Some(record) = self.earlier(reuse, type_name_of_val(&reader)) else { return ControlFlow::Continue(self) };
        match reader().read(&record) {
            Ok(value) => {
                self.hand_out(record);
                ControlFlow::Break(value)
            }
            Err(error) => {
                warn(format_args!("`{}` runs again, its result cannot be read back: {error}", record.name));
                ControlFlow::Continue(self)
            }
        }
    }

    /// The run whose value is used.
    fn earlier(&self, reuse: Reuse, body: &str) -> Option<Record> {
        let bench = self.bench().filter(|bench| !bench.is_forced() && !is_forced())?;
        let call = self.record_so_far(body);
        if let Some(problem) = call.problems.first() {
            warn(format_args!("`{}` runs again: {problem}", call.name));
            return None;
        }
        if let Err(error) = bench.store().refresh_runs(&call.name) {
            warn(format_args!("only the folder is asked for an earlier run of `{}`: {error}", call.name));
        }
        match bench.store().earlier(&call, reuse, &sources(self.function().here.folder)) {
            Ok(Earlier::Run(record)) => Some(*record),
            Ok(Earlier::Refused(record, why)) => {
                warn(format_args!("`{}` runs again, run {} is not used: {why}", record.name, record.short_id()));
                None
            }
            Ok(Earlier::None) => None,
            Err(error) => {
                warn(format_args!("`{}` runs again: {error}", call.name));
                None
            }
        }
    }

    /// What the run of the record left is what this call leaves; the experiments around it depend on its code.
    fn hand_out(&self, record: Record) {
        let Some(bench) = self.bench() else { return };
        eprintln!(
            "note: `{}`: the result is that of run {} of {} (ARRAKIS_FORCE=1 runs it again)",
            record.name,
            record.short_id(),
            record.started
        );
        let store = bench.store();
        let used = record
            .helpers
            .iter()
            .map(|helper| (helper.clone(), store.helper_text(&record, helper).unwrap_or_default().into()));
        let own = UsedHelper { path: record.function.clone(), ..UsedHelper::of(self.function(), "") };
        context::tell_here(used.chain([(own, self.function().source.into())]).collect::<Vec<_>>());
        record.verdict.iter().for_each(hypothesis::keep);
        let figures = record.figures.iter().map(|path| bench.folder().join(path)).collect();
        let (verdict, profile) = (record.verdict.clone(), record.profile.clone());
        bench.keep(Run { record: Some(record), figures, verdict, profile });
    }
}

/// Whether the user wants every experiment to run.
fn is_forced() -> bool {
    std::env::var_os(FORCE_VARIABLE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// The sources of a package as they were when this thread first asked: a program does not change with its sources.
fn sources(folder: &'static str) -> Rc<Sources> {
    thread_local! {
        static KNOWN: RefCell<BTreeMap<&'static str, Rc<Sources>>> = const { RefCell::new(BTreeMap::new()) };
    }
    let read = || Rc::new(Sources::built_by(folder, env!("ARRAKIS_RUSTC")));
    KNOWN.with_borrow_mut(|known| Rc::clone(known.entry(folder).or_insert_with(read)))
}

//! The part of a job that this process does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::number::Shard;
use crate::ground::error::{Error, Result};
use crate::ground::files;

/// The variable by which `arrakis run` tells a program its shard.
pub const SHARD_VARIABLE: &str = "ARRAKIS_SHARD";

/// The variable by which it names the log of this run.
pub const LOG_VARIABLE: &str = "ARRAKIS_SHARD_LOG";

/// The file in the folder of a job with the steps of which all parts are there.
pub const MERGED: &str = "merged.json";

/// What a process does of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The parts of one shard.
    One(Shard),
    /// What is done with the parts of so many shards.
    All(usize),
}

impl Role {
    /// The value of [`SHARD_VARIABLE`]: `2/4` or `all/4`.
    pub fn text(self) -> String {
        match self {
            Self::One(shard) => shard.to_string(),
            Self::All(of) => format!("all/{of}"),
        }
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.strip_prefix("all/").and_then(|of| of.parse().ok()) {
            Some(of) => Ok(Self::All(of)),
            None => text.parse().map(Self::One),
        }
    }
}

/// The part of a job that this process does, and where the parts are.
#[derive(Debug)]
pub struct Parts {
    pub(super) role: Role,
    pub(super) job: PathBuf,
    pub(super) log: PathBuf,
    program: OnceLock<String>,
    /// How often a step with equal inputs was begun.
    begun: Mutex<BTreeMap<String, usize>>,
    paused: AtomicUsize,
}

/// Until it is dropped, nothing in this process is cut.
#[derive(Debug)]
pub struct Paused(Option<Arc<Parts>>);

impl Drop for Paused {
    fn drop(&mut self) {
        if let Some(parts) = &self.0 {
            parts.paused.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

thread_local! {
    static WITHIN: RefCell<Vec<Arc<Parts>>> = const { RefCell::new(Vec::new()) };
}

impl Parts {
    /// A role in the job of a folder. `log` is the file of this run.
    pub fn new(role: Role, job: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Arc<Self> {
        let (job, log) = (job.into(), log.into());
        let (program, begun, paused) = (OnceLock::new(), Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { role, job, log, program, begun, paused })
    }

    /// The same, as of a program that is not the one that runs.
    #[must_use]
    pub fn of_program(self: Arc<Self>, program: &str) -> Arc<Self> {
        self.program.get_or_init(|| program.to_owned());
        self
    }

    /// Runs a function of which each step, on this thread, is cut as this says.
    pub fn within<R>(self: &Arc<Self>, run: impl FnOnce() -> R) -> R {
        struct Left;
        impl Drop for Left {
            fn drop(&mut self) {
                WITHIN.with_borrow_mut(|within| drop(within.pop()));
            }
        }
        WITHIN.with_borrow_mut(|within| within.push(Arc::clone(self)));
        let _left = Left;
        run()
    }

    /// What this process does of a job; `None` if it is not part of one.
    ///
    /// # Errors
    ///
    /// Variables that `arrakis run` does not set so.
    pub fn here() -> Result<Option<Arc<Self>>> {
        static OF_PROCESS: OnceLock<Arc<Parts>> = OnceLock::new();
        if let Some(parts) = WITHIN.with_borrow(|within| within.last().cloned()) {
            return Ok(Some(parts));
        }
        if let Some(parts) = OF_PROCESS.get() {
            return Ok(Some(Arc::clone(parts)));
        }
        let Some(parts) = Self::named(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))? else {
            return Ok(None);
        };
        Ok(Some(Arc::clone(OF_PROCESS.get_or_init(|| parts))))
    }

    /// As [`Parts::here`], unless everything is paused.
    ///
    /// # Errors
    ///
    /// Those of [`Parts::here`].
    pub fn active() -> Result<Option<Arc<Self>>> {
        Ok(Self::here()?.filter(|parts| parts.paused.load(Ordering::SeqCst) == 0))
    }

    /// What variables name.
    fn named(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Arc<Self>>> {
        let Some(role) = variable(SHARD_VARIABLE) else { return Ok(None) };
        let job = |log: &Path, up: usize| log.ancestors().nth(up).map(Path::to_owned);
        let log = variable(LOG_VARIABLE).map(PathBuf::from);
        let role: Role = role.parse()?;
        let up = if matches!(role, Role::One(_)) { 2 } else { 1 };
        match log.as_deref().and_then(|log| Some((log, job(log, up)?))) {
            Some((log, job)) => Ok(Some(Self::new(role, job, log))),
            None => Err(Error::Setting {
                setting: SHARD_VARIABLE,
                value: format!("`{}`", role.text()),
                fix: "a shard is started by `arrakis run --shard I/N -- PROGRAM`, or unset the variable".into(),
            }),
        }
    }

    /// The shard that this process is, for records.
    pub fn shard_here() -> Option<Shard> {
        match Self::here().ok()??.role {
            Role::One(shard) => Some(shard),
            Role::All(_) => None,
        }
    }

    /// Cuts nothing in this process until the guard is dropped: a part of a larger step runs whole.
    pub fn pause() -> Paused {
        let parts = Self::here().ok().flatten();
        if let Some(parts) = &parts {
            parts.paused.fetch_add(1, Ordering::SeqCst);
        }
        Paused(parts)
    }

    /// What it does of the job.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The number of shards.
    pub fn of(&self) -> usize {
        match self.role {
            Role::One(shard) => shard.of,
            Role::All(of) => of,
        }
    }

    /// How often a step with these inputs was begun before.
    pub(super) fn before(&self, inputs: &str) -> usize {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let count = begun.entry(inputs.to_owned()).or_default();
        *count += 1;
        *count - 1
    }

    /// SHA-256 of the program that runs: other code may cut or compute otherwise.
    pub(super) fn program(&self) -> Result<String> {
        if let Some(program) = self.program.get() {
            return Ok(program.clone());
        }
        let unread = |source| Error::Read { path: "the program".into(), source };
        let digest = files::digest(&std::env::current_exe().map_err(unread)?)?;
        Ok(self.program.get_or_init(|| digest).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_name_a_role_and_its_folders() {
        let named = |shard: &'static str, log: Option<&'static str>| {
            Parts::named(move |name| match name {
                SHARD_VARIABLE => Some(shard.to_owned()),
                _ => log.map(str::to_owned),
            })
        };
        let parts = named("1/3", Some("/runs/.shards/ab/1-of-3/7.jsonl")).unwrap().unwrap();
        assert_eq!(
            (parts.role, parts.of(), parts.job.as_path()),
            (Role::One(Shard { index: 1, of: 3 }), 3, Path::new("/runs/.shards/ab"))
        );
        let all = named("all/3", Some("/runs/.shards/ab/7.jsonl")).unwrap().unwrap();
        assert_eq!((all.role.text().as_str(), all.job.as_path()), ("all/3", Path::new("/runs/.shards/ab")));
        assert!(Parts::named(|_| None).unwrap().is_none());
        assert_eq!(
            named("1/3", None).unwrap_err().to_string(),
            "`ARRAKIS_SHARD` is `1/3`: a shard is started by `arrakis run --shard I/N -- PROGRAM`, or unset the variable"
        );
        assert!(named("3/3", Some("/a/b/c")).is_err() && named("all/x", Some("/a/b/c")).is_err());
    }

    #[test]
    fn a_role_holds_on_its_thread_and_ends_with_a_panic() {
        let parts = Parts::new(Role::One(Shard { index: 0, of: 2 }), "/job", "/job/0-of-2/1.jsonl");
        let failed = std::panic::catch_unwind(|| parts.within(|| assert!(Parts::shard_here().is_none())));
        assert!(failed.is_err());
        assert!(WITHIN.with_borrow(Vec::is_empty));
        parts.within(|| {
            let paused = Parts::pause();
            assert!(Parts::active().unwrap().is_none() && Parts::here().unwrap().is_some());
            drop(paused);
            assert!(Parts::active().unwrap().is_some());
        });
    }
}

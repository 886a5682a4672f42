//! A job: a command cut into so many shards, and its folder below that of the records.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use arrakis_models::files;
use arrakis_models::ground::shard::{LOG_VARIABLE, Line, Role, SHARD_VARIABLE, Shard, add_line};
use serde::{Deserialize, Serialize};

use crate::bench::DIR_VARIABLE;
use crate::error::{Error, Result};
use crate::experiment::json;

/// The folder of all jobs, below that of the records.
pub(super) const JOBS: &str = ".shards";

/// The file with what a job is.
const PLAN: &str = "job.json";

/// What a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// The number of shards.
    pub(super) of: usize,
}

/// A job and its folder.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) plan: Plan,
    /// The folder of the records.
    pub(super) dir: PathBuf,
    pub(super) id: String,
}

impl Job {
    /// The job of a command. Equal commands with equally many shards are one job.
    pub(super) fn new(dir: &Path, command: &[String], of: usize) -> Self {
        let plan = Plan { command: command.to_vec(), of };
        let id = json::digest(&serde_json::to_string(&plan).expect("BUG: a plan is plain data"))[..12].to_owned();
        Self { plan, dir: std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()), id }
    }

    /// The jobs of a folder of records.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the folder cannot be read.
    pub(super) fn all(dir: &Path) -> Result<Vec<Self>> {
        let folder = dir.join(JOBS);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && dir.is_dir() => return Ok(Vec::new()),
            Err(source) => return Err(Error::Read { path: folder, source }),
        };
        let plan = |path: &Path| serde_json::from_str(&std::fs::read_to_string(path.join(PLAN)).ok()?).ok();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let jobs = paths.filter_map(|path| plan(&path).map(|plan: Plan| Self::new(dir, &plan.command, plan.of)));
        Ok(jobs.collect())
    }

    /// Its folder.
    pub(super) fn folder(&self) -> PathBuf {
        self.dir.join(JOBS).join(&self.id)
    }

    /// The same job below another folder of records.
    pub(super) fn below(&self, dir: &Path) -> Self {
        Self::new(dir, &self.plan.command, self.plan.of)
    }

    /// Starts a run of a shard, or of what is done with all of them, with a log of its own.
    pub(super) fn start(&self, role: Role) -> Result<PathBuf> {
        let folder = match role {
            Role::One(shard) => self.folder().join(shard.folder()),
            Role::All(_) => self.folder(),
        };
        std::fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
        let plan = serde_json::to_string_pretty(&self.plan).expect("BUG: a plan is plain data");
        files::write_whole(&self.folder().join(PLAN), plan)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let log = folder.join(format!("{now:020}-{}.jsonl", std::process::id()));
        let folder = std::env::current_dir().unwrap_or_default();
        add_line(&log, &Line::Started { command: self.plan.command.clone(), folder })?;
        Ok(log)
    }

    /// The command in this role. It writes its records below the job's folder of records, unless it names another.
    pub(super) fn command(&self, role: Role, log: &Path) -> Command {
        let mut command = Command::new(&self.plan.command[0]);
        command.args(&self.plan.command[1..]);
        command.env(SHARD_VARIABLE, role.text()).env(LOG_VARIABLE, log).env(DIR_VARIABLE, &self.dir);
        command
    }

    /// The command line that runs a shard alone.
    pub(super) fn alone(&self, shard: Shard) -> String {
        let command: Vec<String> = self.plan.command.iter().map(|word| quoted(word)).collect();
        format!("arrakis run --dir {} --shard {shard} -- {}", quoted(&self.dir.to_string_lossy()), command.join(" "))
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_a_command_and_a_number() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let job = Job::new(Path::new("/runs"), &words("study --all"), 4);
        assert_eq!(job.id, Job::new(Path::new("/other"), &words("study --all"), 4).id);
        assert_ne!(job.id, Job::new(Path::new("/runs"), &words("study --all"), 5).id);
        assert_ne!(job.id, Job::new(Path::new("/runs"), &words("study"), 4).id);
        let shard = Shard { index: 2, of: 4 };
        assert_eq!(job.alone(shard), "arrakis run --dir /runs --shard 2/4 -- study --all");
        let odd = Job::new(Path::new("/my runs"), &["a'b".into(), String::new(), "$x".into()], 4);
        assert_eq!(odd.alone(shard), r"arrakis run --dir '/my runs' --shard 2/4 -- 'a'\''b' '' '$x'");
    }
}

//! A step that is cut: its own part, or all of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::log::{Line, add_line};
use super::number::Shard;
use super::parts::{MERGED, Parts, Role};
use crate::ground::error::{Error, Result};
use crate::ground::files;

/// A step of a program that several processes share out.
#[derive(Debug)]
pub struct Step {
    parts: Arc<Parts>,
    id: String,
    what: String,
}

/// What is to be done for a step.
#[derive(Debug)]
pub enum Next {
    /// To compute the part of this shard, and [keep](Step::keep) it.
    Own(Shard),
    /// To join these parts, those of shard 0 first.
    All(Vec<Vec<u8>>),
}

/// The file with the part of a shard.
pub fn part_path(job: &Path, shard: Shard, step: &str) -> PathBuf {
    job.join(shard.folder()).join("parts").join(format!("{step}.part"))
}

/// The next step of this process, if it is cut. `what` names it in words, `inputs` is everything that its value depends on
/// besides the program.
///
/// # Errors
///
/// Those of `inputs`, and a program whose file cannot be read.
pub fn begin(what: impl FnOnce() -> String, inputs: impl FnOnce() -> Result<String>) -> Result<Option<Step>> {
    let Some(parts) = Parts::active()? else { return Ok(None) };
    let inputs = inputs()?;
    let (program, before) = (parts.program()?, parts.before(&inputs));
    let id = id_of([program.as_bytes(), inputs.as_bytes(), &before.to_le_bytes()]);
    let what = what();
    add_line(&parts.log, &Line::Begun { step: id.clone(), what: what.clone(), program })?;
    Ok(Some(Step { parts, id, what }))
}

impl Step {
    /// What is to be done.
    ///
    /// # Errors
    ///
    /// - [`Error::Part`] if this shard's part is kept already: an earlier run of it came this far
    /// - [`Error::Unmerged`] in a merged run if not all shards ran the step
    /// - a part that cannot be read
    pub fn next(&self) -> Result<Next> {
        match self.parts.role {
            Role::All(of) => self.all(of),
            Role::One(shard) if self.is_merged() => self.all(shard.of),
            Role::One(shard) => match self.read(shard)? {
                Some(part) => Err(self.kept(shard, &part)?),
                None => Ok(Next::Own(shard)),
            },
        }
    }

    /// Keeps the part of this shard, and returns the error that ends the step.
    pub fn keep(self, part: &[u8]) -> Error {
        let Role::One(shard) = self.parts.role else { return self.unmerged() };
        self.write(shard, part).unwrap_or_else(|error| error)
    }

    fn write(&self, shard: Shard, part: &[u8]) -> Result<Error> {
        let path = part_path(&self.parts.job, shard, &self.id);
        let folder = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        files::write_whole(&path, part)?;
        self.kept(shard, part)
    }

    /// Says in the log that the part is there.
    fn kept(&self, shard: Shard, part: &[u8]) -> Result<Error> {
        add_line(&self.parts.log, &Line::Kept { step: self.id.clone(), digest: digest(part) })?;
        Ok(Error::Part { index: shard.index, of: shard.of, what: self.what.clone() })
    }

    /// Whether `arrakis merge` has seen all of its parts.
    fn is_merged(&self) -> bool {
        let text = std::fs::read_to_string(self.parts.job.join(MERGED)).unwrap_or_default();
        serde_json::from_str::<Vec<String>>(&text).is_ok_and(|steps| steps.contains(&self.id))
    }

    fn all(&self, of: usize) -> Result<Next> {
        let parts: Option<Vec<_>> = Shard::all(of).map(|shard| self.read(shard)).collect::<Result<_>>()?;
        if let Some(parts) = parts {
            return Ok(Next::All(parts));
        }
        add_line(&self.parts.log, &Line::Wanted { what: self.what.clone() })?;
        Err(self.unmerged())
    }

    fn unmerged(&self) -> Error {
        Error::Unmerged { what: self.what.clone(), of: self.parts.of() }
    }

    fn read(&self, shard: Shard) -> Result<Option<Vec<u8>>> {
        let path = part_path(&self.parts.job, shard, &self.id);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// The error of a part that is not what the step keeps.
    pub fn unreadable(&self, problem: impl std::fmt::Display) -> Error {
        Error::Setting {
            setting: "part",
            value: format!("not one of {}: {problem}", self.what),
            fix: format!(
                "remove the parts `{}.part` below `{}` and run the shards again",
                self.id,
                self.parts.job.display()
            ),
        }
    }
}

/// SHA-256 of a part, in hex, as logs have it.
pub fn digest(part: &[u8]) -> String {
    format!("{:x}", Sha256::digest(part))
}

/// The id of a step.
fn id_of(texts: [&[u8]; 3]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
    format!("{:x}", digest.finalize())[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::log::read_log;
    use super::*;

    /// A program of one step: its parts are texts, its value is all of them.
    fn program(inputs: &str) -> Result<String> {
        let Some(step) = begin(|| "a list".into(), || Ok(inputs.to_owned()))? else { return Ok("alone".into()) };
        match step.next()? {
            Next::Own(shard) => Err(step.keep(format!("<{shard}>").as_bytes())),
            Next::All(parts) => Ok(String::from_utf8(parts.concat()).unwrap()),
        }
    }

    struct Job(tempfile::TempDir);

    impl Job {
        fn parts(&self, role: Role, run: usize) -> Arc<Parts> {
            let folder = match role {
                Role::One(shard) => self.0.path().join(shard.folder()),
                Role::All(_) => self.0.path().to_owned(),
            };
            std::fs::create_dir_all(&folder).unwrap();
            Parts::new(role, self.0.path(), folder.join(format!("{run}.jsonl"))).of_program("test")
        }

        fn shard(&self, index: usize, inputs: &str) -> Result<String> {
            self.parts(Role::One(Shard { index, of: 2 }), 0).within(|| program(inputs))
        }
    }

    #[test]
    fn parts_are_kept_and_joined_in_order() {
        let job = Job(tempfile::tempdir().unwrap());
        assert_eq!(program("x").unwrap(), "alone");
        let said = job.shard(1, "x").unwrap_err().to_string();
        assert_eq!(
            said,
            "this is shard 1/2: its part of a list is kept, and `arrakis merge` goes on when all shards are done"
        );
        let all = || job.parts(Role::All(2), 0).within(|| program("x"));
        assert_eq!(
            all().unwrap_err().to_string(),
            "not all 2 shards ran a list: run each of them, then `arrakis merge`"
        );
        assert!(matches!(
            read_log(&job.0.path().join("0.jsonl")).unwrap().as_slice(),
            [Line::Begun { .. }, Line::Wanted { .. }]
        ));
        assert!(job.shard(0, "x").is_err() && job.shard(0, "x").is_err());
        assert_eq!(all().unwrap(), "<0/2><1/2>");
        let paused = || {
            let _paused = Parts::pause();
            program("x")
        };
        assert_eq!(job.parts(Role::All(2), 1).within(paused).unwrap(), "alone");
    }

    /// A step with equal inputs is another one the second time, and with another program.
    #[test]
    fn steps_are_told_apart() {
        let job = Job(tempfile::tempdir().unwrap());
        let ids = |log: &Path| {
            let lines = read_log(log).unwrap();
            lines
                .into_iter()
                .filter_map(|line| if let Line::Begun { step, .. } = line { Some(step) } else { None })
                .collect::<Vec<_>>()
        };
        let parts = job.parts(Role::One(Shard { index: 0, of: 2 }), 0);
        parts.within(|| assert!(["x", "x", "y"].map(program).iter().all(Result::is_err)));
        let first = ids(&parts.log);
        assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
        let again = job.parts(Role::One(Shard { index: 0, of: 2 }), 1);
        again.within(|| assert!(["x", "x", "y"].map(program).iter().all(Result::is_err)));
        assert_eq!(ids(&again.log), first);
        let other = Parts::new(again.role, &again.job, again.log.with_extension("other")).of_program("other");
        other.within(|| program("x").unwrap_err());
        assert_ne!(ids(&other.log)[0], first[0]);
    }

    /// A shard goes on with what `arrakis merge` has seen whole, and only with that.
    #[test]
    fn a_second_round_has_the_whole_of_the_first() {
        let job = Job(tempfile::tempdir().unwrap());
        (0..2).for_each(|index| drop(job.shard(index, "x").unwrap_err()));
        assert!(matches!(job.shard(0, "x"), Err(Error::Part { .. })));
        let lines = read_log(&job.0.path().join("0-of-2/0.jsonl")).unwrap();
        let Line::Begun { step, .. } = &lines[0] else { panic!("{lines:?}") };
        std::fs::write(job.0.path().join(MERGED), serde_json::to_string(&[step]).unwrap()).unwrap();
        assert_eq!(job.shard(0, "x").unwrap(), "<0/2><1/2>");
    }
}

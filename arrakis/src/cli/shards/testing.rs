//! A job without processes: what its shards would leave.

use std::path::{Path, PathBuf};

use arrakis_models::ground::shard::{self, Line, Next, Parts, Role, Shard, add_line};

use super::job::Job;
use crate::cli::run;

/// The job of `study` in four shards.
pub(super) struct Lab(tempfile::TempDir);

impl Lab {
    pub(super) fn new() -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(lab.dir("a")).unwrap();
        std::fs::create_dir(lab.dir("b")).unwrap();
        lab
    }

    /// A folder of records.
    pub(super) fn dir(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn job(&self, dir: &str) -> Job {
        Job::new(&self.dir(dir), &["study".into()], 4)
    }

    /// A run of a shard that keeps this part of a step with these inputs, as a program; it ends unless it is killed.
    pub(super) fn ran(&self, dir: &str, index: usize, inputs: &str, part: &str, program: &str, ends: bool) -> PathBuf {
        let (job, role) = (self.job(dir), Role::One(Shard { index, of: 4 }));
        let log = job.start(role).unwrap();
        Parts::new(role, job.folder(), &log).of_program(program).within(|| {
            let step = shard::begin(|| "a sweep".into(), || Ok(inputs.to_owned())).unwrap().unwrap();
            match step.next() {
                Ok(Next::Own(_)) if ends => drop(step.keep(part.as_bytes())),
                Ok(_) => {}
                Err(kept) => assert!(kept.to_string().contains("is kept"), "{kept}"),
            }
        });
        if ends {
            add_line(&log, &Line::Ended { status: 1 }).unwrap();
        }
        log
    }

    /// A run as it should be.
    pub(super) fn well(&self, dir: &str, index: usize) -> PathBuf {
        self.ran(dir, index, "x", &format!("part {index}"), "p", true)
    }

    /// The answer of `arrakis merge --check` and the error.
    pub(super) fn checked(&self, dirs: &[&str]) -> (u8, String, String) {
        let dirs: Vec<String> = dirs.iter().map(|dir| self.dir(dir).display().to_string()).collect();
        asked(&[&["merge", "--check"], dirs.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat())
    }

    /// The files of parts below a folder of records, with their texts.
    pub(super) fn parts(&self, dir: &str) -> Vec<String> {
        let folder = self.job(dir).folder();
        let files = Shard::all(4)
            .flat_map(|shard| std::fs::read_dir(folder.join(shard.folder()).join("parts")).into_iter().flatten());
        let mut texts: Vec<String> = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        texts.sort();
        texts
    }
}

/// The exit status, the answer and the error of a command.
pub(super) fn asked(args: &[&str]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run([&["arrakis"], args].concat(), &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// The path of a folder as text.
pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}

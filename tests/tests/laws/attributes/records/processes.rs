//! Nothing that differs between two processes with equal inputs enters a version.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::ptr::NonNull;
use std::rc::{Rc, Weak};
use std::thread::ThreadId;

use serde::{Serialize, Serializer};

use super::*;

#[derive(Serialize)]
#[serde(transparent)]
struct Transparent(HashSet<String>);

#[derive(Serialize)]
struct Flat {
    name: &'static str,
    #[serde(flatten)]
    rest: HashMap<String, HashSet<u32>>,
}

/// Written by hand, item by item of an iterator over a set.
struct Mapped(HashSet<u32>);

impl Serialize for Mapped {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|item| item + 1))
    }
}

#[derive(Debug)]
#[allow(dead_code, clippy::type_complexity, reason = "read by Debug, nested as users nest")]
struct Debugged {
    sets: Vec<HashSet<String>>,
    maps: (HashMap<String, u32>, Option<Rc<HashMap<u32, u32>>>),
}

#[derive(Debug)]
struct Watching(#[allow(dead_code, reason = "read by Debug")] Weak<u8>);

#[log_experiment]
fn collections(_bench: &Bench, transparent: Transparent, flat: Flat, mapped: &Mapped, debugged: Debugged) -> usize {
    transparent.0.len() + flat.rest.len() + mapped.0.len() + debugged.sets.len() + flat.name.len()
}

#[log_experiment]
fn handles(
    _bench: &Bench,
    nonnull: NonNull<u8>,
    called: &dyn Fn() -> u8,
    file: &File,
    thread: ThreadId,
    weak: &Watching,
    other: &Bench,
) -> bool {
    let _ = (nonnull, called(), file, weak, other);
    thread == std::thread::current().id()
}

#[log_experiment]
#[allow(clippy::used_underscore_binding, reason = "the folder is no input")]
fn files(_bench: &Bench, _folder: &std::path::Path) -> usize {
    let set = |name: &str| arrakis::prompts::PromptSet::from_json_lines(_folder.join(name)).unwrap().prompts.len();
    set("b.jsonl") + set("a.jsonl")
}

/// The test below runs this in separate processes.
#[test]
fn in_a_process() {
    let Ok(folder) = std::env::var("ARRAKIS_TEST_PROCESS") else {
        return;
    };
    let bench = Bench::new(model()).save_dir(&folder);
    let words = || (0..30).map(|i| format!("{i} apples"));
    let flat = Flat { name: "flat", rest: words().map(|word| (word, (0..30).collect())).collect() };
    let debugged = Debugged {
        sets: vec![words().collect(), words().collect()],
        maps: (words().zip(0..).collect(), Some(Rc::new((0..30).map(|i| (i, i)).collect()))),
    };
    collections(&bench, Transparent(words().collect()), flat, &Mapped((0..30).collect()), debugged);

    // Equal files in another folder.
    let elsewhere = tempfile::tempdir().unwrap();
    for (name, answer) in [("a.jsonl", "blue"), ("b.jsonl", "grey")] {
        let line = format!(r#"{{"clean": "a", "corrupted": "b", "answer": " {answer}", "wrong": " red"}}"#);
        std::fs::write(elsewhere.path().join(name), line).unwrap();
    }
    files(&bench, elsewhere.path());

    // Another file and another thread come first in every process.
    let before = std::process::id() % 7;
    let _files: Vec<File> = (0..before).map(|_| File::open("Cargo.toml").unwrap()).collect();
    (0..before).for_each(|_| std::thread::spawn(|| ()).join().unwrap());
    let file = File::open("Cargo.toml").unwrap();
    std::thread::spawn(move || {
        let other = Bench::embedded().unwrap();
        let nonnull = NonNull::from(&*Box::leak(Box::new(3_u8)));
        handles(&bench, nonnull, &|| before as u8, &file, std::thread::current().id(), &Watching(Weak::new()), &other);
    })
    .join()
    .unwrap();
}

#[test]
fn processes_with_equal_inputs_agree_on_the_version() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let mut process = Command::new(std::env::current_exe().unwrap());
        process
            .args(["--exact", "attributes::records::processes::in_a_process"])
            .env("ARRAKIS_TEST_PROCESS", folder.path());
        assert!(process.stdout(std::process::Stdio::null()).status().unwrap().success());
    }
    let store = arrakis::experiment::Store::new(folder.path());
    let runs = |name: &str| {
        let runs = store.runs(name).unwrap();
        assert_eq!((runs.records.len(), runs.versions().len()), (3, 1), "{name}");
        runs.records
    };
    assert_eq!(runs("collections")[0].problems, [] as [String; 0]);
    let read = &runs("files")[0];
    assert_eq!((read.data.len(), &read.problems), (2, &Vec::new()));
    let problems = &runs("handles")[0].problems;
    let named: Vec<&str> = problems.iter().map(|problem| problem.split('`').nth(1).unwrap()).collect();
    assert_eq!(named, ["nonnull", "called", "file", "thread", "weak"]);
}

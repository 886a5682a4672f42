//! The files that are read while calls are running.

use std::path::{Path, PathBuf};
use std::sync::Once;

use arrakis_models::ground::files;

use super::frames::{Shared, here, lock};
use super::read_file::ReadFile;
use super::stacks;

/// From the first call on, the running calls are told which files are read.
pub(crate) fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| files::observe(note));
}

/// Tells the running calls of this thread. A thread of rayon has none of its own: it works for the only one.
fn note(path: &Path) {
    let mut frames = here();
    if frames.is_empty() && rayon::current_thread_index().is_some() {
        frames = stacks::only().unwrap_or_default();
    }
    add(&frames, path);
}

fn add(frames: &[Shared], path: &Path) {
    if frames.is_empty() {
        return;
    }
    let folder = if path.is_absolute() { PathBuf::new() } else { std::env::current_dir().unwrap_or_default() };
    let written = std::fs::metadata(path).and_then(|facts| facts.modified());
    let read = ReadFile { path: path.to_owned(), folder };
    for frame in frames {
        let mut frame = lock(frame);
        // What a run wrote itself is no input.
        let is_own = written.as_ref().is_ok_and(|written| frame.began.is_some_and(|began| *written >= began));
        if !is_own {
            frame.read.insert(read.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::Entered;
    use std::time::SystemTime;

    use super::*;
    use crate::experiment::{DataFile, Record};

    #[test]
    fn what_is_read_inside_a_call_is_data_and_what_is_written_there_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let hour = std::time::Duration::from_hours(1);
        for (name, ago) in [("before", hour), ("within", std::time::Duration::ZERO)] {
            std::fs::write(path(name), name).unwrap();
            let file = std::fs::File::options().append(true).open(path(name)).unwrap();
            file.set_modified(SystemTime::now() + std::time::Duration::from_mins(1) - ago).unwrap();
        }
        drop(files::open(&path("before")).unwrap());
        watch();
        let call = Entered::new("m::f::{{closure}}", 1, 0);
        call.frame().begin(Record::default(), Path::new(""));
        assert_eq!(call.frame().read.len(), 0, "it was read before the call");
        for name in ["before", "within", "before"] {
            drop(files::open(&path(name)).unwrap());
        }
        files::note(&path("gone"));
        let record = call.frame().end().unwrap();
        let names: Vec<&str> = record.data.iter().map(DataFile::name).collect();
        assert_eq!(names, ["before"]);
        let gone = path("gone");
        let problem = format!("a file that the run read is not in its version: cannot read `{}`: ", gone.display());
        assert!(record.problems.len() == 1 && record.problems[0].starts_with(&problem), "{:?}", record.problems);
        assert_eq!(record.version, record.version_of_inputs());
        assert_ne!(record.version, Record::default().version_of_inputs());
    }
}

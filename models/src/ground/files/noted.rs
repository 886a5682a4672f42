//! Who is told which files are read.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static OBSERVER: OnceLock<fn(&Path)> = OnceLock::new();

thread_local! {
    static COLLECTED: RefCell<Option<Vec<PathBuf>>> = const { RefCell::new(None) };
}

/// From now on, this function is told of every file that [`open`](super::open) opens, on the thread that opens it. The first one
/// stays.
pub fn observe(observer: fn(&Path)) {
    OBSERVER.get_or_init(|| observer);
}

/// Tells that a file is read here, by other means than [`open`](super::open).
pub fn note(path: &Path) {
    COLLECTED.with_borrow_mut(|collected| {
        if let Some(collected) = collected {
            collected.push(path.to_owned());
        }
    });
    if let Some(observer) = OBSERVER.get() {
        observer(path);
    }
}

/// Runs `work`, and returns the files that it opened on this thread, sorted, each once, from the root of the disk.
pub(crate) fn collected<R>(work: impl FnOnce() -> R) -> (R, Vec<PathBuf>) {
    let before = COLLECTED.replace(Some(Vec::new()));
    let result = work();
    let mut found = COLLECTED.replace(before).unwrap_or_default();
    COLLECTED.with_borrow_mut(|around| around.iter_mut().for_each(|around| around.extend(found.iter().cloned())));
    for path in &mut found {
        if let Ok(absolute) = std::path::absolute(&path) {
            *path = absolute;
        }
    }
    found.sort();
    found.dedup();
    (result, found)
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;

    #[test]
    fn what_is_opened_is_collected_once_also_by_those_around() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, "x").unwrap();
            path
        };
        let (a, b) = (path("a"), path("b"));
        let (((), inner), outer) = collected(|| {
            drop((open(&b), open(&b), open(&folder.path().join("none"))));
            collected(|| drop(open(&a)))
        });
        assert_eq!((inner, outer), (vec![a.clone()], vec![a, b]));
        assert_eq!(collected(|| ()).1, [] as [PathBuf; 0]);
    }
}

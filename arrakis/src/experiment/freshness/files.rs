//! Whether the files of a record are as they were. Each state of a file is hashed once.

use std::path::{Path, PathBuf};

use arrakis_models::files;

use super::super::{DataFile, ModelFacts, Record};
use super::Cause;

/// What was changed of the files that a run read.
pub(super) fn data(record: &Record, root: &Path) -> Vec<Cause> {
    let cause = |file: &DataFile| {
        Some(match state(file, root) {
            State::Same => return None,
            State::Other(file) => Cause::Data { file },
            State::Gone(file) => Cause::NoFile { of: "the data".into(), file },
        })
    };
    record.data.iter().filter_map(cause).collect()
}

/// What was changed of a model. The Hub's commit stands for the files of its cache, which need not be there.
pub(super) fn model(model: &ModelFacts, root: &Path) -> Vec<Cause> {
    let mut causes: Vec<Cause> = moved(model).into_iter().collect();
    for file in &model.files {
        causes.extend(match state(file, root) {
            State::Same => None,
            State::Other(file) => Some(Cause::Model { model: model.name.clone(), file }),
            State::Gone(_) if model.commit.is_some() => None,
            State::Gone(file) => Some(Cause::NoFile { of: format!("the model `{}`", model.name), file }),
        });
    }
    causes
}

enum State {
    Same,
    Other(String),
    Gone(String),
}

/// A file where it was; a relative one also below the root of the sources.
fn state(file: &DataFile, root: &Path) -> State {
    let places = [file.place(), root.join(&file.path)];
    let Some(place) = places.iter().find(|place| place.is_file()) else { return State::Gone(shown(&places[0])) };
    match files::digest(place) {
        Ok(sha256) if sha256 == file.sha256 => State::Same,
        Ok(_) => State::Other(shown(place)),
        Err(_) => State::Gone(shown(place)),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Whether the revision that a model was asked for is at another commit now, by the Hub's cache.
fn moved(model: &ModelFacts) -> Option<Cause> {
    let before = model.commit.as_ref()?;
    let of_cache = |file: &DataFile| -> Option<PathBuf> {
        let snapshot = file.place().ancestors().find(|folder| folder.ends_with(before))?.to_owned();
        Some(snapshot.parent()?.parent()?.join("refs"))
    };
    let refs = model.files.iter().find_map(of_cache)?;
    let revision = model.name.split_once('@').map_or("main", |(_, revision)| revision);
    let after = std::fs::read_to_string(refs.join(revision)).ok()?.trim().to_owned();
    (after != *before).then(|| Cause::Commit { model: model.name.clone(), before: before.clone(), after })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::super::record::tests::record;
    use super::super::{Freshness, Sources};
    use super::*;

    struct Study {
        folder: tempfile::TempDir,
        record: Record,
    }

    impl Study {
        /// A record of a package in a folder, with a corpus and a model.
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let write = |path: &str, text: &str| {
                let path = folder.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, text).unwrap();
                path
            };
            write("src/heads.rs", "fn sweep() {}");
            let weights = write("model/model.safetensors", "weights");
            write("corpus.txt", "a text");
            let mut record = Record { file: "src/heads.rs".into(), versions: [].into(), ..record(0) };
            record.model.files = vec![DataFile::of(&weights).unwrap()];
            record.use_data(vec![DataFile::named(Path::new("corpus.txt"), folder.path()).unwrap()]);
            Self { folder, record }
        }

        fn said(&self) -> (Freshness, Vec<String>) {
            let assessment = Sources::new(self.folder.path()).assess(&self.record);
            let folder = format!("{}/", self.folder.path().display());
            let said = assessment.causes.iter().map(|cause| cause.to_string().replace(&folder, ""));
            (assessment.freshness, said.collect())
        }
    }

    #[test]
    fn a_changed_corpus_or_model_is_stale_and_named() {
        let study = Study::new();
        let write = |path: &str, text: &str| fs::write(study.folder.path().join(path), text).unwrap();
        assert_eq!(study.said(), (Freshness::Fresh, vec![]));
        write("corpus.txt", "a test");
        let data = "the data were changed: corpus.txt".to_owned();
        assert_eq!(study.said(), (Freshness::Stale, vec![data.clone()]));
        write("model/model.safetensors", "weightz");
        let model = "the model `toy` was changed: model/model.safetensors".to_owned();
        assert_eq!(study.said(), (Freshness::Stale, vec![data.clone(), model]));
        fs::remove_file(study.folder.path().join("model/model.safetensors")).unwrap();
        let gone = "model/model.safetensors of the model `toy` is not there".to_owned();
        assert_eq!(study.said(), (Freshness::Stale, vec![data, gone.clone()]), "what is known counts");
        write("corpus.txt", "a text");
        assert_eq!(study.said(), (Freshness::Unverifiable, vec![gone]));
        fs::remove_file(study.folder.path().join("corpus.txt")).unwrap();
        assert_eq!(study.said().1[0], "corpus.txt of the data is not there");
    }

    #[test]
    fn a_repository_that_has_moved_on_is_stale_and_a_cleared_cache_is_not() {
        let mut study = Study::new();
        let cache = study.folder.path().join("models--toy");
        let (then, now) = ("1".repeat(40), "2".repeat(40));
        let snapshot = cache.join("snapshots").join(&then);
        fs::create_dir_all(&snapshot).unwrap();
        fs::create_dir_all(cache.join("refs")).unwrap();
        fs::write(cache.join("refs/main"), &then).unwrap();
        fs::write(snapshot.join("config.json"), "{}").unwrap();
        study.record.model.files = vec![DataFile::of(&snapshot.join("config.json")).unwrap()];
        study.record.model.commit = Some(then);
        assert_eq!(study.said(), (Freshness::Fresh, vec![]));
        fs::write(cache.join("refs/main"), now).unwrap();
        let moved = "the model `toy` was at commit 11111111 and is at 22222222".to_owned();
        assert_eq!(study.said(), (Freshness::Stale, vec![moved]));
        study.record.model.name = "toy@v1".into();
        assert_eq!(study.said(), (Freshness::Fresh, vec![]), "another revision was asked for");
        fs::remove_dir_all(cache).unwrap();
        assert_eq!(study.said(), (Freshness::Fresh, vec![]), "a commit does not change");
    }
}

//! One commit of a repository: its files, from the Hub or its cache.

use std::path::{Path, PathBuf};

use hf_hub::Cache;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};

use super::id::{Id, is_commit, is_plain};
use super::settings::Settings;
use super::told::{is_absent, is_beyond_the_end, told};
use crate::ground::files::MORE_TEMPLATES;
use crate::ground::warnings::warn;

/// How often a download that breaks off goes on by itself. The client's own retries may start at the wrong byte.
const RETRIES: usize = 2;

/// The commit of a folder in the Hub's cache.
pub(crate) fn commit_of(folder: &Path) -> Option<String> {
    let of_cache = folder.parent()?.file_name()? == "snapshots";
    let name = folder.file_name()?.to_str()?;
    (of_cache && is_commit(name)).then(|| name.to_owned())
}

/// The client.
pub(super) fn api(settings: &Settings, progress: bool) -> Result<Api, ApiError> {
    ApiBuilder::from_cache(Cache::new(settings.cache.clone()))
        .with_endpoint(settings.endpoint.clone())
        .with_token(settings.token.clone())
        .with_progress(progress)
        .build()
}

/// The folder of a revision in the cache.
pub(super) fn snapshot_in_cache(settings: &Settings, id: &Id) -> Option<PathBuf> {
    let folder = settings.cache.join(id.folder());
    let commit = if id.is_commit() {
        id.revision.clone()
    } else {
        std::fs::read_to_string(folder.join("refs").join(&id.revision)).ok()?.trim().to_owned()
    };
    Some(folder.join("snapshots").join(is_commit(&commit).then_some(commit)?))
}

/// One commit of a repository.
pub(super) struct Snapshot<'a> {
    pub(super) repo: ApiRepo,
    pub(super) commit: Option<String>,
    pub(super) id: &'a Id,
    pub(super) settings: &'a Settings,
}

impl Snapshot<'_> {
    /// A file, from the cache or the Hub.
    pub(super) fn get(&self, file: &str) -> Result<PathBuf, ApiError> {
        let mut left = RETRIES;
        loop {
            match self.repo.get(file) {
                Err(error) if is_beyond_the_end(&error) && left > 0 => self.forget_parts(),
                Err(ApiError::IoError(_)) if left > 0 => {}
                other => return other,
            }
            left -= 1;
        }
    }

    /// Removes parts of files. One that is whole, but was not renamed, cannot go on.
    fn forget_parts(&self) {
        let blobs = self.settings.cache.join(self.id.folder()).join("blobs");
        for entry in std::fs::read_dir(blobs).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "part") {
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }

    /// The problem of an answer about a file.
    pub(super) fn told(&self, error: &ApiError, file: &str) -> String {
        told(error, file, self.id, self.settings)
    }

    /// A file of which the repository may have none. That it has none is noted in the cache, as in Python.
    pub(super) fn if_there(&self, file: &str) -> Result<Option<PathBuf>, ApiError> {
        if self.has_note(file) {
            return Ok(None);
        }
        match self.get(file) {
            Ok(path) => Ok(Some(path)),
            Err(error) if is_absent(&error) => {
                self.note(file);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Where the cache notes that there is no file of this name.
    fn note_of(&self, file: &str) -> Option<PathBuf> {
        let folder = self.settings.cache.join(self.id.folder()).join(".no_exist");
        self.commit.as_ref().map(|commit| folder.join(commit).join(file))
    }

    fn has_note(&self, file: &str) -> bool {
        self.note_of(file).is_some_and(|note| note.is_file())
    }

    /// Without the note, it is asked for again.
    fn note(&self, file: &str) {
        if let Some(note) = self.note_of(file) {
            drop(note.parent().map(std::fs::create_dir_all));
            drop(std::fs::write(note, ""));
        }
    }

    /// The named chat templates, whose names only a list of the repository's files has. The note that their folder is no file
    /// says that all are there.
    pub(super) fn more_templates(&self) {
        if self.has_note(MORE_TEMPLATES) {
            return;
        }
        let listed = self.repo.info().map(|info| templates(info.siblings.into_iter().map(|file| file.rfilename)));
        let fetched = listed.and_then(|files| files.iter().try_for_each(|file| self.if_there(file).map(drop)));
        match fetched {
            Ok(()) => self.note(MORE_TEMPLATES),
            Err(error) => {
                warn(format_args!("{} is loaded without {}", self.id.repo, self.told(&error, MORE_TEMPLATES)));
            }
        }
    }

    /// Whether a file that a model can do without is there.
    pub(super) fn optional(&self, file: &str) -> bool {
        self.if_there(file)
            .unwrap_or_else(|error| {
                warn(format_args!("{} is loaded without {}", self.id.repo, self.told(&error, file)));
                None
            })
            .is_some()
    }
}

/// Of the files of a repository, the named chat templates.
pub(super) fn templates(files: impl Iterator<Item = String>) -> Vec<String> {
    let is_template = |file: &String| {
        let name = file.strip_prefix(MORE_TEMPLATES).and_then(|rest| rest.strip_prefix('/')?.strip_suffix(".jinja"));
        name.is_some_and(is_plain)
    };
    files.filter(is_template).collect()
}

//! Where a dictionary lies, and what its path says.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::{Map, Value};

use super::tensors::Tensors;
use crate::error::{Error, Result};
use crate::ground::files;

/// A folder, or one file, with what it is called.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// On this machine.
    pub(super) path: PathBuf,
    /// What the user wrote: a path, or an id with the folder in its repository. Some formats say only there what the
    /// dictionary is of.
    pub(super) name: String,
    /// Where the tensors go.
    pub(super) device: Device,
    /// Whether files that are pickles may be parsed.
    pub(super) pickles: bool,
    /// How many latents stay, where the files do not say it.
    pub(super) top_k: Option<usize>,
}

impl Place {
    /// A file of the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A JSON object in the folder.
    pub(super) fn object(&self, name: &str) -> Result<Map<String, Value>> {
        object(&self.file(name))
    }

    /// The same, if the file is there.
    pub(super) fn object_if_there(&self, name: &str) -> Result<Option<Map<String, Value>>> {
        let path = self.file(name);
        if files::is_there(&path)? { object(&path).map(Some) } else { Ok(None) }
    }

    /// The tensors of a file in the folder. Pickles are refused unless they were asked for.
    pub(super) fn tensors(&self, name: &str) -> Result<Tensors> {
        self.tensors_of(self.file(name))
    }

    /// The same for a path.
    pub(super) fn tensors_of(&self, path: PathBuf) -> Result<Tensors> {
        let pickle = path.extension().is_some_and(|extension| ["pt", "pth", "bin"].iter().any(|own| extension == *own));
        if pickle && !self.pickles {
            let problem = "it is a pickle, which may hold more than tensors; set `DictionaryOptions { pickles: true, .. }` to parse it \
                           (no code in it is run), or save its tensors as safetensors";
            return Err(Error::file(&path, problem));
        }
        Tensors::open(path, &self.device)
    }

    /// The number after a word in the name: 20 of `layer_20/width_16k` for `layer_`. The last one counts.
    pub(super) fn number_after(&self, word: &str) -> Option<usize> {
        let mut found = self.name.rmatch_indices(word).map(|(at, _)| &self.name[at + word.len()..]);
        let digits = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse().ok();
        found.find_map(digits)
    }
}

fn object(path: &Path) -> Result<Map<String, Value>> {
    match files::read_config(path)? {
        Value::Object(map) => Ok(map),
        _ => Err(Error::file(path, "it holds no JSON object; download it again")),
    }
}

/// A whole number of a JSON object.
pub(super) fn size(map: &Map<String, Value>, key: &str, path: &Path) -> Result<usize> {
    let found = map.get(key).and_then(Value::as_u64).filter(|size| *size > 0);
    found.map(|size| size as usize).ok_or_else(|| {
        let value = map.get(key).map_or("missing".to_owned(), ToString::to_string);
        Error::file(path, format!("`{key}` is {value}: give a whole number above 0"))
    })
}

/// A truth value of a JSON object, if it is there and not null.
pub(super) fn flag(map: &Map<String, Value>, key: &str, path: &Path) -> Result<Option<bool>> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(Error::file(path, format!("`{key}` is {other}: give true or false"))),
    }
}

//! The weight files of a folder: safetensors or PyTorch, whole or in shards, read lazily.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};

use super::entry::Entry;
use super::pytorch_file::PytorchFile;
use super::safetensors_file::SafetensorsFile;
use crate::error::{Error, Result};
use crate::ground::files::{is_there, read_json};

/// Limits on a tensor's name, in bytes, and on its axes. No architecture exceeds them.
const LONGEST_NAME: usize = 1_000;
const MOST_AXES: usize = 8;

/// Number of elements compared at a time. A PyTorch file reads the whole tensor each time.
const COMPARED: usize = 8 << 20;

/// All tensors in a folder: names, shapes, and numbers that are read when needed.
pub struct Checkpoint {
    folder: PathBuf,
    stores: Vec<(PathBuf, Store)>,
    index: BTreeMap<String, (usize, Entry)>,
    /// The shard in which the index says each tensor is.
    promised: BTreeMap<String, String>,
}

enum Store {
    Safetensors(SafetensorsFile),
    Pytorch(PytorchFile),
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checkpoint({}, {} tensors)", self.folder.display(), self.index.len())
    }
}

impl Checkpoint {
    /// Opens the weight files of a folder. Only headers are read.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if there are none, a shard is missing or outside the folder, or a header is broken.
    pub fn open(folder: &Path) -> Result<Self> {
        let (files, promised) = weight_files(folder)?;
        let mut checkpoint = Self { folder: folder.to_owned(), stores: Vec::new(), index: BTreeMap::new(), promised };
        files.iter().try_for_each(|path| checkpoint.add(path))?;
        Ok(checkpoint)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every tensor by name, with its entry in the header.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.index.iter().map(|(name, (_, held))| (name.as_str(), held))
    }

    /// The header's entry for a tensor, if there is one of that name.
    pub fn tensor(&self, name: &str) -> Option<&Entry> {
        self.index.get(name).map(|(_, held)| held)
    }

    /// The shard in which the index says a tensor is.
    pub(super) fn promised(&self, name: &str) -> Option<&str> {
        self.promised.get(name).map(String::as_str)
    }

    /// Reads one tensor as `f32`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it is missing, is not a float tensor, or its bytes are broken.
    pub fn read(&mut self, name: &str) -> Result<TensorData> {
        let shape = self.held(name)?.1.shape.clone();
        let (bytes, _, dtype) = self.part(name, 0..shape.iter().product())?.into_parts();
        Ok(TensorData::from_bytes(bytes, shape, dtype))
    }

    /// Whether two float tensors have the same shape and, as `f32`, the same numbers.
    pub(super) fn are_equal(&mut self, one: &str, other: &str) -> Result<bool> {
        let shape = self.held(one)?.1.shape.clone();
        if self.held(other)?.1.shape != shape {
            return Ok(false);
        }
        let count: usize = shape.iter().product();
        for start in (0..count).step_by(COMPARED) {
            let elements = start..count.min(start + COMPARED);
            let (a, b) = (self.part(one, elements.clone())?, self.part(other, elements)?);
            // NaNs are equal if their bits are. Zeros of either sign are equal.
            if a.as_bytes() != b.as_bytes() && a.as_slice::<f32>().ok() != b.as_slice::<f32>().ok() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A range of a float tensor's elements as `f32`.
    fn part(&mut self, name: &str, elements: Range<usize>) -> Result<TensorData> {
        let dtype = self.float(name)?;
        let mut bytes = vec![0; elements.len() * dtype.size()];
        self.read_into(name, elements.start, &mut bytes)?;
        Ok(TensorData::from_bytes_vec(bytes, [elements.len()], dtype).convert::<f32>())
    }

    /// Fills the bytes with a float tensor's elements as they are stored, in row-major order from element `first`.
    pub(super) fn read_into(&mut self, name: &str, first: usize, bytes: &mut [u8]) -> Result<()> {
        let (dtype, (file, _)) = (self.float(name)?, self.held(name)?);
        let (path, store) = &mut self.stores[file];
        store.read_into(name, first * dtype.size(), bytes).map_err(|problem| Error::file(path, problem))?;
        if cfg!(target_endian = "big") {
            bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
        }
        Ok(())
    }

    /// A tensor's element type, which must be a float type.
    fn float(&self, name: &str) -> Result<DType> {
        let (_, held) = self.held(name)?;
        let float = held.dtype.filter(DType::is_float);
        float.ok_or_else(|| Error::file(&self.folder, not_float(name, held)))
    }

    fn held(&self, name: &str) -> Result<(usize, &Entry)> {
        let found = self.index.get(name).map(|(file, held)| (*file, held));
        found.ok_or_else(|| Error::file(&self.folder, format!("no tensor `{name}`")))
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let store = Store::open(path)?;
        let listed = store.list();
        let file = self.stores.len();
        for (name, held) in listed {
            if let Some(problem) = implausible(&name, held.shape.len()) {
                return Err(Error::file(path, format!("{problem}; download it again")));
            }
            if self.index.insert(name.clone(), (file, held)).is_some() {
                return Err(Error::file(
                    path,
                    format!("`{name}` is also in another shard; download both again, or keep one of the two"),
                ));
            }
        }
        self.stores.push((path.to_owned(), store));
        Ok(())
    }
}

impl Store {
    fn open(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            return Ok(Self::Safetensors(SafetensorsFile::open(path)?));
        }
        Ok(Self::Pytorch(PytorchFile::open(path)?))
    }

    fn list(&self) -> Vec<(String, Entry)> {
        match self {
            Self::Safetensors(file) => file.list(),
            Self::Pytorch(file) => file.list(),
        }
    }

    fn read_into(&mut self, name: &str, offset: usize, bytes: &mut [u8]) -> Result<(), String> {
        match self {
            Self::Safetensors(file) => file.read_into(name, offset, bytes),
            Self::Pytorch(file) => file.read_into(name, offset, bytes),
        }
    }
}

/// The message about a tensor that does not hold weights.
pub(super) fn not_float(name: &str, held: &Entry) -> String {
    format!(
        "not readable as weights: `{name}` holds {}, but only F64, F32, F16 and BF16 are read; a quantised checkpoint must be widened first",
        held.stored_as
    )
}

/// Why a tensor with this name and this many axes cannot be a weight.
fn implausible(name: &str, axes: usize) -> Option<String> {
    let start: String = name.chars().take(40).collect();
    if name.len() > LONGEST_NAME || name.contains(char::is_control) {
        let length = name.len();
        let what = if length > LONGEST_NAME {
            format!("a name of {length} bytes, more than any model's")
        } else {
            "control characters in its name".into()
        };
        return Some(format!("a tensor has {what}, `{}`", start.escape_debug()));
    }
    (axes > MOST_AXES).then(|| format!("the tensor `{name}` has {axes} axes, more than any weight"))
}

/// The files that hold a folder's weights, and where an index says each tensor is.
type Located = (Vec<PathBuf>, BTreeMap<String, String>);

/// One file, or the shards an index names.
fn weight_files(folder: &Path) -> Result<Located> {
    for single in ["model.safetensors", "pytorch_model.bin"] {
        let (path, index) = (folder.join(single), folder.join(format!("{single}.index.json")));
        if is_there(&path)? {
            return Ok((vec![path], BTreeMap::new()));
        }
        if is_there(&index)? {
            return shards(folder, &index);
        }
    }
    Err(Error::file(
        folder,
        "no weights here: it needs model.safetensors, model.safetensors.index.json with its shards, or pytorch_model.bin",
    ))
}

/// The distinct files of an index, which must all exist.
fn shards(folder: &Path, index: &Path) -> Result<Located> {
    let promised = promised(index)?;
    let names: BTreeSet<&String> = promised.values().collect();
    let mut files = Vec::new();
    for name in names {
        let path = folder.join(name);
        if !is_there(&path)? {
            return Err(Error::file(index, format!("the shard `{name}` is missing; download it beside the index")));
        }
        files.push(path);
    }
    Ok((files, promised))
}

/// The `weight_map` of an index, from tensors to files. The names of the files must be plain.
pub(super) fn promised(index: &Path) -> Result<BTreeMap<String, String>> {
    let value = read_json(index)?;
    let map = value
        .get("weight_map")
        .and_then(|map| map.as_object())
        .ok_or_else(|| Error::file(index, "it has no `weight_map` from tensors to files; download it again"))?;
    let pairs = map.iter().map(|(tensor, file)| {
        let name = file.as_str().filter(|name| is_plain(name)).ok_or_else(|| {
            Error::file(index, format!("it says that `{tensor}` is in {file}, which is not a file of this folder"))
        })?;
        Ok((tensor.clone(), name.to_owned()))
    });
    pairs.collect()
}

/// Whether a name stays in its folder on every operating system.
fn is_plain(name: &str) -> bool {
    let within = !name.contains(['/', '\\']) && !name.contains(char::is_control);
    within && Path::new(name).file_name().is_some_and(|last| last == name)
}

//! The weight files of a model: safetensors or PyTorch, whole or in shards, or GGUF; read lazily.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{DType, TensorData};

use super::adapter::Change;
use super::entry::Entry;
use super::gguf::{GgufFile, is_gguf};
use super::hooked::{self, Made};
use super::language::{reads_no_text, text_name};
use super::located::weight_files;
use super::npz_file::NpzFile;
use super::pytorch_file::PytorchFile;
use super::safetensors_file::SafetensorsFile;
use crate::error::{Error, Result};
use crate::transformer::TransformerConfig;

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
    /// Tensors that an adapter changes, with their entries after that.
    changes: BTreeMap<String, (Entry, Arc<Change>)>,
    /// Tensors that are read from another of the file, by its name.
    repeated: BTreeMap<String, String>,
    /// What the tensors of `HookedTransformer` tell of its config.
    told: Vec<hooked::Told>,
}

enum Store {
    Safetensors(SafetensorsFile),
    Pytorch(PytorchFile),
    Gguf(GgufFile),
    Npz(NpzFile),
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checkpoint({}, {} tensors)", self.folder.display(), self.index.len())
    }
}

impl Checkpoint {
    /// Opens the weight files of a folder, or a GGUF file. Only headers are read.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if there are none, a shard is missing or outside the folder, or a header is broken.
    pub fn open(folder: &Path) -> Result<Self> {
        if folder.is_file() {
            return Self::of_file(folder);
        }
        let (files, promised) = weight_files(folder)?;
        Self::of(folder, &files, promised)
    }

    /// Opens one weight file. Only its header is read.
    pub(crate) fn of_file(path: &Path) -> Result<Self> {
        Self::of(path, &[path.to_owned()], BTreeMap::new())
    }

    fn of(folder: &Path, files: &[PathBuf], promised: BTreeMap<String, String>) -> Result<Self> {
        let mut checkpoint = Self {
            folder: folder.to_owned(),
            stores: Vec::new(),
            index: BTreeMap::new(),
            promised,
            changes: BTreeMap::new(),
            repeated: BTreeMap::new(),
            told: Vec::new(),
        };
        files.iter().try_for_each(|path| checkpoint.add(path))?;
        checkpoint.keep_text();
        checkpoint.lay_heads_out()?;
        Ok(checkpoint)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every tensor by name, with its entry in the header.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Entry)> {
        let changed = |name: &str| self.changes.get(name).map(|(held, _)| held);
        self.index.iter().map(move |(name, (_, held))| (name.as_str(), changed(name).unwrap_or(held)))
    }

    /// The header's entry for a tensor, if there is one of that name.
    pub fn tensor(&self, name: &str) -> Option<&Entry> {
        let changed = self.changes.get(name).map(|(held, _)| held);
        changed.or_else(|| self.index.get(name).map(|(_, held)| held))
    }

    /// Changes a tensor whenever it is read. It is in single precision then.
    pub(super) fn change(&mut self, name: &str, change: Change) {
        let Some((_, held)) = self.index.get(name) else { return };
        let bytes = 4 * held.shape.iter().product::<usize>() as u64;
        let entry = Entry { shape: held.shape.clone(), dtype: Some(DType::F32), stored_as: "F32".into(), bytes };
        self.changes.insert(name.to_owned(), (entry, Arc::new(change)));
    }

    /// Adds a tensor that is read from another.
    pub(super) fn repeat(&mut self, name: &str, again: &str) {
        let Some(held) = self.index.get(name).cloned() else { return };
        let stored = self.repeated.get(name).map_or(name, String::as_str).to_owned();
        self.index.insert(again.to_owned(), held);
        self.repeated.insert(again.to_owned(), stored);
    }

    /// Whether a matrix of a GGUF file is `[out, in]`, though transformers has `[in, out]`.
    pub(super) fn is_turned(&self, name: &str) -> bool {
        let stored = self.repeated.get(name).map_or(name, String::as_str);
        let file = self.index.get(name).map(|(file, _)| &self.stores[*file].1);
        matches!(file, Some(Store::Gguf(file)) if file.is_turned(stored))
    }

    /// A line for each number of a config of `HookedTransformer` that the stored shapes contradict.
    pub(super) fn contradictions(&self, config: &TransformerConfig) -> Vec<String> {
        hooked::contradictions(&self.told, config)
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
        let shape = self.entry(name)?.shape.clone();
        let (bytes, _, dtype) = self.part(name, 0..shape.iter().product())?.into_parts();
        Ok(TensorData::from_bytes(bytes, shape, dtype))
    }

    /// Reads one tensor of integers; none if it holds others, or does not exist.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if its bytes are broken.
    pub(crate) fn integers(&mut self, name: &str) -> Result<Vec<i64>> {
        let held = self.index.get(name).and_then(|(file, held)| Some((*file, held.dtype?, held.bytes)));
        let Some((file, dtype, bytes)) = held.filter(|(_, dtype, _)| dtype.is_int() || dtype.is_uint()) else {
            return Ok(Vec::new());
        };
        let mut bytes = vec![0; bytes as usize];
        let count = bytes.len() / dtype.size();
        let (path, store) = &mut self.stores[file];
        store.read_into(name, 0, &mut bytes).map_err(|problem| Error::file(path, problem))?;
        let data = TensorData::from_bytes_vec(bytes, [count], dtype).convert::<i64>();
        Ok(data.as_slice().map(<[i64]>::to_vec).unwrap_or_default())
    }

    /// Whether two float tensors have the same shape and, as `f32`, the same numbers.
    pub(super) fn are_equal(&mut self, one: &str, other: &str) -> Result<bool> {
        let shape = self.entry(one)?.shape.clone();
        if self.entry(other)?.shape != shape {
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

    /// Fills the bytes with a float tensor's elements, in row-major order from element `first`: as they are stored, or
    /// as an adapter makes them.
    pub(super) fn read_into(&mut self, name: &str, first: usize, bytes: &mut [u8]) -> Result<()> {
        let Some(change) = self.changes.get(name).map(|(_, change)| Arc::clone(change)) else {
            return self.stored_into(name, first, bytes);
        };
        let mut values = vec![0.0; bytes.len() / size_of::<f32>()];
        if change.reads_base() {
            self.stored_values(name, first, &mut values)?;
        }
        change.apply(first, &mut values);
        bytes.copy_from_slice(bytemuck::cast_slice(&values));
        Ok(())
    }

    /// A row of a matrix as it is stored, as `f32`.
    pub(super) fn stored_row(&mut self, name: &str, row: usize, values: &mut [f32]) -> Result<()> {
        self.stored_values(name, row * values.len(), values)
    }

    fn stored_values(&mut self, name: &str, first: usize, values: &mut [f32]) -> Result<()> {
        let (_, held) = self.held(name)?;
        let dtype = held.float().ok_or_else(|| Error::file(&self.folder, not_float(name, held)))?;
        let mut bytes = vec![0; values.len() * dtype.size()];
        self.stored_into(name, first, &mut bytes)?;
        let data = TensorData::from_bytes_vec(bytes, [values.len()], dtype).convert::<f32>();
        values.copy_from_slice(data.as_slice().expect("BUG: it was converted"));
        Ok(())
    }

    fn stored_into(&mut self, name: &str, first: usize, bytes: &mut [u8]) -> Result<()> {
        let (file, held) = self.held(name)?;
        let dtype = held.float().ok_or_else(|| Error::file(&self.folder, not_float(name, held)))?;
        let stored = self.repeated.get(name).map_or(name, String::as_str);
        let (path, store) = &mut self.stores[file];
        store.read_into(stored, first * dtype.size(), bytes).map_err(|problem| Error::file(path, problem))?;
        if cfg!(target_endian = "big") {
            bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
        }
        Ok(())
    }

    /// A tensor's element type, which must be a float type.
    fn float(&self, name: &str) -> Result<DType> {
        let held = self.entry(name)?;
        held.float().ok_or_else(|| Error::file(&self.folder, not_float(name, held)))
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.tensor(name).ok_or_else(|| self.lacks(name))
    }

    fn held(&self, name: &str) -> Result<(usize, &Entry)> {
        let found = self.index.get(name).map(|(file, held)| (*file, held));
        found.ok_or_else(|| self.lacks(name))
    }

    fn lacks(&self, name: &str) -> Error {
        Error::file(&self.folder, format!("no tensor `{name}`"))
    }

    /// Of a model that also reads images, the language model alone is kept, under the names it has alone.
    fn keep_text(&mut self) {
        self.index.retain(|name, _| !reads_no_text(name));
        let inner: Vec<String> = self.index.keys().filter(|name| text_name(name).is_some()).cloned().collect();
        for name in inner {
            let Some(alone) = text_name(&name) else { continue };
            if !self.index.contains_key(&alone) {
                self.repeat(&name, &alone);
                self.index.remove(&name);
            }
        }
    }

    /// Of a checkpoint of `HookedTransformer`, the tensors are laid out as matrices.
    fn lay_heads_out(&mut self) -> Result<()> {
        let held: BTreeMap<String, Entry> =
            self.tensors().map(|(name, held)| (name.to_owned(), held.clone())).collect();
        self.told = hooked::told(&held);
        let made = hooked::made(&held);
        let mut results = Vec::new();
        for (name, entry, how) in made {
            let mut values = vec![0.0; entry.shape.iter().product()];
            match how {
                Made::Reshaped(from) => self.stored_values(&from, 0, &mut values)?,
                Made::SideBySide(from) => {
                    self.stored_values(&from, 0, &mut values)?;
                    if let [heads, d_model, d_head] = *held[&from].shape {
                        values = hooked::side_by_side(&values, [heads, d_model, d_head]);
                    }
                }
            }
            results.push((name, entry, values));
        }
        if !results.is_empty() {
            self.index.retain(|name, _| !name.contains(".attn._"));
        }
        for (name, entry, values) in results {
            self.index.insert(name.clone(), (0, entry.clone()));
            self.changes.insert(name, (entry, Arc::new(Change::Replaced(values))));
        }
        Ok(())
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
        if is_gguf(path) {
            return Ok(Self::Gguf(GgufFile::open(path)?));
        }
        if path.extension().is_some_and(|extension| extension == "npz") {
            return Ok(Self::Npz(NpzFile::open(path)?));
        }
        Ok(Self::Pytorch(PytorchFile::open(path)?))
    }

    fn list(&self) -> Vec<(String, Entry)> {
        match self {
            Self::Safetensors(file) => file.list(),
            Self::Pytorch(file) => file.list(),
            Self::Gguf(file) => file.list(),
            Self::Npz(file) => file.list(),
        }
    }

    fn read_into(&mut self, name: &str, offset: usize, bytes: &mut [u8]) -> Result<(), String> {
        match self {
            Self::Safetensors(file) => file.read_into(name, offset, bytes),
            Self::Pytorch(file) => file.read_into(name, offset, bytes),
            Self::Gguf(file) => file.read_into(name, offset, bytes),
            Self::Npz(file) => file.read_into(name, offset, bytes),
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

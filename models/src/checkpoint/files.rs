//! The weight files of a folder: safetensors or PyTorch, whole or in shards, read lazily.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};
use burn_store::ModuleStore;
use burn_store::pytorch::PytorchStore;
use safetensors::tensor::Dtype;

use super::safetensors_file::SafetensorsFile;
use crate::error::{Error, Result};

/// Names, shapes and lazily read numbers of all tensors in a folder.
pub struct Checkpoint {
    folder: PathBuf,
    stores: Vec<(PathBuf, Store)>,
    index: BTreeMap<String, (usize, Vec<usize>, DType)>,
}

enum Store {
    Safetensors(SafetensorsFile),
    Pytorch(Box<PytorchStore>),
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checkpoint({}, {} tensors)", self.folder.display(), self.index.len())
    }
}

impl Checkpoint {
    /// Opens the weight files of a folder; reads headers only.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when there are none, a shard is missing or outside the folder, or a header is broken.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut checkpoint = Self { folder: folder.to_owned(), stores: Vec::new(), index: BTreeMap::new() };
        for path in weight_files(folder)? {
            checkpoint.add(&path)?;
        }
        Ok(checkpoint)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every tensor's name, shape and stored element type.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize], DType)> {
        self.index.iter().map(|(name, (_, shape, dtype))| (name.as_str(), shape.as_slice(), *dtype))
    }

    /// The shape of a tensor, where there is one of that name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.index.get(name).map(|(_, shape, _)| shape.as_slice())
    }

    /// The stored element type of a tensor, where there is one of that name.
    pub fn dtype(&self, name: &str) -> Option<DType> {
        self.index.get(name).map(|(.., dtype)| *dtype)
    }

    /// Reads one tensor as `f32`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when it is not there, is no float tensor, or its bytes are broken.
    pub fn read(&mut self, name: &str) -> Result<TensorData> {
        let (file, _, dtype) =
            self.index.get(name).ok_or_else(|| Error::file(&self.folder, format!("no tensor `{name}`")))?;
        if !dtype.is_float() {
            return Err(Error::file(&self.folder, format!("`{name}` holds {dtype:?}, not floating point numbers")));
        }
        let (path, store) = &mut self.stores[*file];
        let data = store.read(name).map_err(|problem| Error::file(path, problem))?;
        Ok(if data.dtype() == DType::F32 { data } else { data.convert::<f32>() })
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let mut store = Store::open(path)?;
        let listed = store.list().map_err(|problem| Error::file(path, problem))?;
        let file = self.stores.len();
        for (name, shape, dtype) in listed {
            if self.index.insert(name.clone(), (file, shape, dtype)).is_some() {
                return Err(Error::file(path, format!("`{name}` is also in another shard")));
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
        Ok(Self::Pytorch(Box::new(PytorchStore::from_file(path))))
    }

    fn list(&mut self) -> Result<Vec<(String, Vec<usize>, DType)>, String> {
        match self {
            Self::Safetensors(file) => Ok(file.list()),
            Self::Pytorch(store) => {
                let tensors = store.get_all_tensors().map_err(|error| error.to_string())?;
                Ok(tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.to_vec(), tensor.dtype)).collect())
            }
        }
    }

    fn read(&mut self, name: &str) -> Result<TensorData, String> {
        match self {
            Self::Safetensors(file) => file.read(name),
            Self::Pytorch(store) => {
                let tensor = store
                    .get_tensor(name)
                    .map_err(|error| error.to_string())?
                    .ok_or_else(|| format!("no tensor `{name}`"))?;
                burn_store::bridge::to_data(tensor).map_err(|error| error.to_string())
            }
        }
    }
}

/// The files that hold a folder's weights: one, or the shards its index names.
fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    for single in ["model.safetensors", "pytorch_model.bin"] {
        let (path, index) = (folder.join(single), folder.join(format!("{single}.index.json")));
        if path.is_file() {
            return Ok(vec![path]);
        }
        if index.is_file() {
            return shards(folder, &index);
        }
    }
    Err(Error::file(
        folder,
        "no weights here: it needs model.safetensors, model.safetensors.index.json with its shards, or pytorch_model.bin",
    ))
}

/// The distinct files of `weight_map`, which must be plain names inside the folder.
fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>> {
    let value = super::load::read_json(index)?;
    let map = value
        .get("weight_map")
        .and_then(|map| map.as_object())
        .ok_or_else(|| Error::file(index, "it has no `weight_map`"))?;
    let mut files: Vec<PathBuf> = Vec::new();
    for (tensor, file) in map {
        let name = file.as_str().unwrap_or_default();
        let plain = !name.is_empty() && Path::new(name).file_name().is_some_and(|last| last == name);
        if !plain {
            return Err(Error::file(
                index,
                format!("`{tensor}` is said to be in `{name}`, which is not a file of this folder"),
            ));
        }
        let path = folder.join(name);
        if !path.is_file() {
            return Err(Error::file(index, format!("the shard `{name}` is missing; download it beside the index")));
        }
        if !files.contains(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Little-endian bytes of a float type as `f32`; `None` for other types.
pub fn widen(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    match dtype {
        Dtype::F32 => Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
        Dtype::F64 => {
            Some(bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap_or_default()) as f32).collect())
        }
        Dtype::F16 => Some(bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
        Dtype::BF16 => Some(bytes.chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
        _ => None,
    }
}

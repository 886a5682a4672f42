//! A reference file: named tensors of numbers and ids, and the notes in the JSON file next to it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use arrakis_models::files::read_json;
use arrakis_models::ground::dtype::widen;
use arrakis_models::tokens::Tokens;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

use crate::error::{Error, Result};

/// A tensor of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

/// A tensor of whole numbers: ids, masks, positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<i64>,
}

/// Numbers that another program computed for one checkpoint.
#[derive(Clone, Debug)]
pub struct Reference {
    path: PathBuf,
    numbers: BTreeMap<String, Numbers>,
    ids: BTreeMap<String, Ids>,
    /// Tensors of other types, with a description of their content.
    other: BTreeMap<String, String>,
    info: Value,
}

impl Reference {
    /// Reads a safetensors file, and the `.json` file of the same name next to it if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if it does not exist, [`models::Error::File`](arrakis_models::Error::File) if either file is
    /// broken.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| {
            broken(path, format!("it is not a readable reference: {error}; make or download it again"))
        })?;
        let notes = path.with_extension("json");
        let info = if notes.is_file() { read_json(&notes)? } else { Value::Null };
        let mut reference = Self {
            path: path.to_owned(),
            numbers: BTreeMap::new(),
            ids: BTreeMap::new(),
            other: BTreeMap::new(),
            info,
        };
        for (name, view) in file.tensors() {
            reference.add(name, &view);
        }
        Ok(reference)
    }

    fn add(&mut self, name: String, view: &TensorView<'_>) {
        let shape = view.shape().to_vec();
        if let Some(values) = widen(view.dtype(), view.data()) {
            self.numbers.insert(name, Numbers { shape, values });
        } else if let Some(values) = whole(view.dtype(), view.data()) {
            self.ids.insert(name, Ids { shape, values });
        } else {
            self.other.insert(name, format!("it contains {:?} values", view.dtype()));
        }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The notes next to it; `null` if there are none.
    pub fn info(&self) -> &Value {
        &self.info
    }

    /// The tensor of numbers with this name, if there is one.
    pub fn numbers(&self, name: &str) -> Option<&Numbers> {
        self.numbers.get(name)
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().chain(self.ids.keys()).chain(self.other.keys()).map(String::as_str)
    }

    /// The names of the tensors of numbers.
    pub(super) fn number_names(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().map(String::as_str)
    }

    pub(super) fn ids(&self, name: &str) -> Option<&Ids> {
        self.ids.get(name)
    }

    pub(super) fn other(&self, name: &str) -> Option<&str> {
        self.other.get(name).map(String::as_str)
    }

    /// Rows of token ids; a single row if the tensor has one axis.
    ///
    /// # Errors
    ///
    /// [`models::Error::File`](arrakis_models::Error::File) for a number that is not a token id.
    pub fn tokens(&self, name: &str) -> Result<Option<Tokens>> {
        let tokens = |ids: &Ids| Ok(Tokens::new(self.rows_of_ids(name, ids)?)?);
        self.ids(name).map(tokens).transpose()
    }

    /// An error about the content of the file.
    pub(super) fn broken(&self, problem: impl Display) -> Error {
        broken(&self.path, problem)
    }

    fn rows_of_ids(&self, name: &str, ids: &Ids) -> Result<Vec<Vec<u32>>> {
        let id = |value: &i64| {
            u32::try_from(*value)
                .map_err(|_| self.broken(format!("`{name}` contains {value}, which is not a token id")))
        };
        ids.rows().into_iter().map(|row| row.iter().map(id).collect()).collect()
    }

    /// The token ids of a single row.
    pub(super) fn row(&self, name: &str) -> Result<Option<Vec<u32>>> {
        let Some(ids) = self.ids(name) else { return Ok(None) };
        Ok(self.rows_of_ids(name, ids)?.into_iter().next())
    }
}

fn broken(path: &Path, problem: impl Display) -> Error {
    arrakis_models::Error::File { path: path.to_owned(), problem: problem.to_string() }.into()
}

impl Ids {
    /// The rows along the last axis.
    pub(super) fn rows(&self) -> Vec<Vec<i64>> {
        let width = self.shape.last().copied().unwrap_or(1).max(1);
        self.values.chunks(width).map(<[i64]>::to_vec).collect()
    }
}

/// Little-endian bytes of a signed type as `i64`; `None` for other types.
fn whole(dtype: Dtype, bytes: &[u8]) -> Option<Vec<i64>> {
    match dtype {
        Dtype::I64 => {
            Some(bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap_or_default())).collect())
        }
        Dtype::I32 => Some(
            bytes.chunks_exact(4).map(|b| i64::from(i32::from_le_bytes(b.try_into().unwrap_or_default()))).collect(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, dtype: Dtype, shape: Vec<usize>, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reference.safetensors");
        let view = TensorView::new(dtype, shape, bytes).unwrap();
        std::fs::write(&path, safetensors::serialize([(name, view)], None).unwrap()).unwrap();
        (folder, path)
    }

    #[test]
    fn ids_are_rows_of_tokens() {
        let bytes: Vec<u8> = [3_i64, 4, 5, 6].iter().flat_map(|id| id.to_le_bytes()).collect();
        let (_folder, path) = file("input_ids", Dtype::I64, vec![2, 2], &bytes);
        let reference = Reference::open(&path).unwrap();
        assert_eq!(reference.tokens("input_ids").unwrap().unwrap().ids(), [[3, 4], [5, 6]]);
        assert!(reference.tokens("absent").unwrap().is_none());
    }

    #[test]
    fn a_negative_id_is_named() {
        let (_folder, path) = file("input_ids", Dtype::I64, vec![1], &(-1_i64).to_le_bytes());
        let error = Reference::open(&path).unwrap().tokens("input_ids").unwrap_err();
        assert!(error.to_string().contains("`input_ids` contains -1, which is not a token id"), "{error}");
    }

    #[test]
    fn a_truncated_file_is_named() {
        let (_folder, path) = file("logits", Dtype::F32, vec![2], &[0; 8]);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let error = Reference::open(&path).unwrap_err().to_string();
        assert!(error.contains("reference.safetensors") && error.contains("make or download it again"), "{error}");
    }
}

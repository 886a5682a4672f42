//! A safetensors file, read range by range, so memory holds only what is asked for.
//!
//! Mapping the file instead would hold its pages beside the tensors made from them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use burn::tensor::DType;
use safetensors::tensor::{Dtype, TensorInfo};

use super::entry::Entry;
use super::header;
use crate::error::Result;

/// An open file whose header has been checked.
pub(super) struct SafetensorsFile {
    file: File,
    /// The offset of the numbers.
    start: u64,
    tensors: BTreeMap<String, TensorInfo>,
}

impl SafetensorsFile {
    /// Opens and checks a file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (file, start, tensors) = header::read(path)?;
        Ok(Self { file, start, tensors: tensors.into_iter().collect() })
    }

    /// Every tensor by name, with its entry in the header.
    pub(super) fn list(&self) -> Vec<(String, Entry)> {
        let held = |info: &TensorInfo| Entry {
            shape: info.shape.clone(),
            dtype: dtype(info.dtype),
            stored_as: format!("{:?}", info.dtype),
            bytes: (info.data_offsets.1 - info.data_offsets.0) as u64,
        };
        self.tensors.iter().map(|(name, info)| (name.clone(), held(info))).collect()
    }

    /// Fills the bytes with those of a tensor, from `offset` on.
    pub(super) fn read_into(&mut self, name: &str, offset: usize, bytes: &mut [u8]) -> Result<(), String> {
        let info = self.tensors.get(name).ok_or_else(|| format!("no tensor `{name}`"))?;
        let at = SeekFrom::Start(self.start + (info.data_offsets.0 + offset) as u64);
        let read = self.file.seek(at).and_then(|_| self.file.read_exact(bytes));
        read.map_err(|error| format!("`{name}` cannot be read: {error}"))
    }
}

/// Burn's element type, if it has it.
fn dtype(stored: Dtype) -> Option<DType> {
    Some(match stored {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::I8 => DType::I8,
        Dtype::U64 => DType::U64,
        Dtype::U32 => DType::U32,
        Dtype::U16 => DType::U16,
        Dtype::U8 => DType::U8,
        _ => return None,
    })
}

//! Large arrays beside a record: safetensors files that are named by their SHA-256 and written once.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrakis_models::files;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::mark::{self, Mark};
use super::numbers::Numbers;

/// The folder of the files, beside the records.
pub(crate) const FOLDER: &str = "blobs";

/// The name of the tensor in a file.
const TENSOR: &str = "values";

/// The names of the files of every array that is marked in a value.
pub(crate) fn files_of(value: &Value) -> Vec<String> {
    mark::marked_blobs(value).iter().map(|mark| file_name(&mark.sha256)).collect()
}

/// A shape and its numbers, row-major.
pub(crate) type Shaped = (Vec<usize>, Vec<f64>);

/// The shape and the numbers of an array or of one number, wherever its numbers are. `None` for anything else.
pub(crate) fn numbers_of(value: &Value, blobs: &Blobs) -> Option<Result<Shaped, String>> {
    if let Some(mark) = mark::marked_blob(value) {
        return Some(blobs.load(&mark).map(|numbers| (numbers.shape.clone(), numbers.to_f64())));
    }
    let number = |value: &Value| value.as_f64().or_else(|| mark::marked_float(value));
    if let Some(number) = number(value) {
        return Some(Ok((Vec::new(), vec![number])));
    }
    let items = value.as_array().filter(|items| !items.is_empty())?;
    let numbers: Option<Vec<f64>> = items.iter().map(number).collect();
    if let Some(numbers) = numbers {
        return Some(Ok((vec![items.len()], numbers)));
    }
    let rows: Vec<Shaped> =
        items.iter().map(|row| row.as_array().and_then(|_| numbers_of(row, blobs))?.ok()).collect::<Option<_>>()?;
    let inner = rows[0].0.clone();
    let is_even = rows.iter().all(|(shape, _)| *shape == inner);
    let shape = std::iter::once(rows.len()).chain(inner).collect();
    is_even.then(|| Ok((shape, rows.into_iter().flat_map(|(_, numbers)| numbers).collect())))
}

/// One array as its file.
#[derive(Debug)]
struct Blob {
    sha256: String,
    file: Vec<u8>,
}

/// The arrays of a record: those of a call in memory, those of a saved record in its folder.
///
/// They say nothing that their marks in the record do not, so any two are equal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blobs {
    held: Vec<Arc<Blob>>,
    folder: Option<PathBuf>,
}

impl PartialEq for Blobs {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Blobs {
    /// The arrays of the records in a folder.
    pub(crate) fn beside(records: &Path) -> Self {
        Self { held: Vec::new(), folder: Some(records.join(FOLDER)) }
    }

    /// Adds the arrays of another value.
    pub(crate) fn extend(&mut self, other: Self) {
        self.held.extend(other.held);
    }

    /// Keeps an array; returns what stands for it in the JSON.
    pub(super) fn keep(&mut self, numbers: &Numbers) -> Value {
        let view = TensorView::new(numbers.dtype, numbers.shape.clone(), &numbers.bytes)
            .expect("BUG: the bytes fit the shape");
        let file = safetensors::serialize([(TENSOR, view)], None).expect("BUG: one tensor has a header");
        let sha256 = hex(&file);
        if !self.held.iter().any(|held| held.sha256 == sha256) {
            self.held.push(Arc::new(Blob { sha256: sha256.clone(), file }));
        }
        mark::blob(&Mark { sha256, dtype: numbers.dtype, shape: numbers.shape.clone() })
    }

    /// Writes the files that are not there yet into the folder of a record.
    pub(crate) fn save(&self, records: &Path) -> io::Result<()> {
        let folder = records.join(FOLDER);
        for blob in &self.held {
            fs::create_dir_all(&folder)?;
            let path = folder.join(file_name(&blob.sha256));
            match files::write_new(&path, &blob.file) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                written => written?,
            }
        }
        Ok(())
    }

    /// Reads every array that is marked in a value.
    ///
    /// # Errors
    ///
    /// Names the file that is missing or was changed.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        mark::marked_blobs(value).iter().try_for_each(|mark| self.load(mark).map(drop))
    }

    /// The array that a mark stands for.
    pub(super) fn load(&self, mark: &Mark) -> Result<Numbers, String> {
        if let Some(held) = self.held.iter().find(|held| held.sha256 == mark.sha256) {
            return read(&held.file, mark);
        }
        let name = file_name(&mark.sha256);
        let folder = self.folder.as_deref().ok_or_else(|| {
            format!("it is in the file `{FOLDER}/{name}` beside the record; read the record from its store")
        })?;
        let path = folder.join(name);
        let file = fs::read(&path)
            .map_err(|error| format!("cannot read its array `{}`: {error}; restore the file", path.display()))?;
        if hex(&file) != mark.sha256 {
            return Err(format!("its array `{}` was changed after it was written; restore the file", path.display()));
        }
        read(&file, mark)
    }
}

fn read(file: &[u8], mark: &Mark) -> Result<Numbers, String> {
    let tensors = SafeTensors::deserialize(file).map_err(|error| error.to_string())?;
    let view = tensors.tensor(TENSOR).map_err(|error| error.to_string())?;
    let numbers = Numbers::new(view.dtype(), view.shape().to_vec(), view.data().to_vec());
    let fits = |numbers: &Numbers| numbers.dtype == mark.dtype && numbers.shape == mark.shape;
    numbers.filter(fits).ok_or_else(|| {
        format!("its array has {:?} {:?}, not {:?} {:?}", view.dtype(), view.shape(), mark.dtype, mark.shape)
    })
}

fn file_name(sha256: &str) -> String {
    // The digest comes from a file: it must not lead out of the folder.
    let digits: String = sha256.chars().filter(char::is_ascii_hexdigit).collect();
    format!("{digits}.safetensors")
}

fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

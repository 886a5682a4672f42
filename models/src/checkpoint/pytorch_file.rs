//! A PyTorch file, read tensor by tensor. Code in a pickle is never run; the objects it would build are only named.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use burn::tensor::TensorData;
use burn_store::bridge;
use burn_store::pytorch::PytorchReader;
use burn_store::pytorch_reader::{PickleValue, Tensor};
use zip::ZipArchive;

use super::entry::Entry;
use crate::error::{Error, Result};
use crate::ground::bytes::human_bytes;
use crate::ground::files;

/// The fix, which also makes the file safe for everybody to read.
const FIX: &str = "nothing in the file was run; save its tensors as model.safetensors";

/// Limit on the bytes of the pickle that lists a file's tensors. Thirty thousand tensors need fewer. One byte of it may
/// take ninety in memory.
const LISTED: u64 = 4 << 20;

/// The reader's name for a tensor in a pickle it has interpreted.
const TENSOR: &str = "torch.Tensor";

/// The tensors of a file that has been parsed.
pub(super) struct PytorchFile {
    tensors: BTreeMap<String, Tensor>,
    last: Option<(String, TensorData)>,
}

impl PytorchFile {
    /// Parses a file; no numbers are read.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let broken = |problem: String| Error::file(path, problem);
        let listed = pickle_bytes(files::open(path)?).unwrap_or_default();
        if listed > LISTED {
            let problem = format!("the list of its tensors takes {}, more than any model's", human_bytes(listed));
            return Err(broken(format!("{problem}; {FIX}, or download it again")));
        }
        let failed = |error: &dyn std::fmt::Display| {
            broken(format!("{}; {FIX}, or download it again", error.to_string().trim_end_matches('.')))
        };
        let tensors: BTreeMap<String, Tensor> =
            PytorchReader::new(path).map_err(|error| failed(&error))?.into_tensors().into_iter().collect();
        let root = PytorchReader::read_pickle_data(path, None).map_err(|error| failed(&error))?;
        match object(&root) {
            Some((place, class)) => Err(broken(format!("`{place}` is a `{class}`, not a tensor; {FIX}"))),
            None => Ok(Self { tensors, last: None }),
        }
    }

    /// Every tensor by name, with its entry in the file.
    pub(super) fn list(&self) -> Vec<(String, Entry)> {
        let listed = self.tensors.iter().map(|(name, tensor)| {
            let (stored_as, bytes) = (format!("{:?}", tensor.dtype()), tensor.byte_len() as u64);
            let tensor = bridge::from_pytorch(tensor.clone());
            (name.clone(), Entry { shape: tensor.shape.to_vec(), dtype: Some(tensor.dtype), stored_as, bytes })
        });
        listed.collect()
    }

    /// Fills the bytes with those of a tensor, from `offset` on. The file gives a tensor whole, so the last one is kept
    /// for the next read.
    pub(super) fn read_into(&mut self, name: &str, offset: usize, bytes: &mut [u8]) -> Result<(), String> {
        if self.last.as_ref().is_none_or(|(last, _)| last != name) {
            self.last = None;
            self.last = Some((name.to_owned(), self.whole(name)?));
        }
        let whole = self.last.as_ref().map_or(&[][..], |(_, whole)| whole.as_bytes());
        let part = whole.get(offset..offset + bytes.len());
        bytes.copy_from_slice(
            part.ok_or_else(|| format!("`{name}` holds fewer numbers than its shape needs; download it again"))?,
        );
        Ok(())
    }

    fn whole(&self, name: &str) -> Result<TensorData, String> {
        let tensor = self.tensors.get(name).ok_or_else(|| format!("no tensor `{name}`"))?;
        bridge::to_data(&bridge::from_pytorch(tensor.clone())).map_err(|error| format!("{error}; download it again"))
    }
}

/// The uncompressed length of the pickle in a zipped file, according to the file. `None` for other files.
fn pickle_bytes(file: File) -> Option<u64> {
    let mut archive = ZipArchive::new(BufReader::new(file)).ok()?;
    let entries = (0..archive.len()).filter_map(|index| {
        let entry = archive.by_index_raw(index).ok()?;
        entry.name_raw().ends_with(b"data.pkl").then(|| entry.size())
    });
    entries.max()
}

/// The place and class of the first object that only code could build. Tensors, numbers, strings, and lists and tables
/// of them are data.
fn object(value: &PickleValue) -> Option<(String, &str)> {
    let inside = |(name, value)| object(value).map(|(place, class)| (joined(name, &place), class));
    match value {
        PickleValue::Unsupported(class) => (class != TENSOR).then(|| (String::new(), class.as_str())),
        PickleValue::Dict(entries) => {
            let entries: BTreeMap<&str, &PickleValue> =
                entries.iter().map(|(name, value)| (name.as_str(), value)).collect();
            entries.into_iter().find_map(inside)
        }
        PickleValue::List(items) => items.iter().map(|item| ("", item)).find_map(inside),
        _ => None,
    }
}

/// The texts and whole numbers in a PyTorch file by path, such as `activation_state_dict.k`. No code in it is run.
///
/// # Errors
///
/// [`Error::File`] if it cannot be parsed.
pub(crate) fn plain_values(path: &Path) -> Result<BTreeMap<String, String>> {
    PytorchFile::open(path)?;
    let root = PytorchReader::read_pickle_data(path, None).map_err(|error| Error::file(path, error))?;
    let mut found = BTreeMap::new();
    plain("", &root, &mut found);
    Ok(found)
}

fn plain(place: &str, value: &PickleValue, found: &mut BTreeMap<String, String>) {
    match value {
        PickleValue::String(text) => _ = found.insert(place.to_owned(), text.clone()),
        PickleValue::Int(number) => _ = found.insert(place.to_owned(), number.to_string()),
        PickleValue::Dict(entries) => {
            let entries: BTreeMap<&str, &PickleValue> =
                entries.iter().map(|(name, value)| (name.as_str(), value)).collect();
            for (name, value) in entries {
                plain(&joined(place, name), value, found);
            }
        }
        _ => {}
    }
}

fn joined(outer: &str, inner: &str) -> String {
    [outer, inner].into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_pickle_that_unpacks_to_too_much_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pytorch_model.bin");
        let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
        archive.start_file("archive/data.pkl", zip::write::SimpleFileOptions::default()).unwrap();
        let megabyte = vec![b'N'; 1 << 20];
        for _ in 0..5 {
            archive.write_all(&megabyte).unwrap();
        }
        archive.finish().unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < 1 << 20, "it is deflated");
        let said = PytorchFile::open(&path).map(drop).unwrap_err().to_string();
        assert!(
            said.contains("the list of its tensors takes 5.2 MB, more than any model's; nothing in the file"),
            "{said}"
        );
    }

    #[test]
    fn objects_are_found_wherever_they_are() {
        let class = |name: &str| PickleValue::Unsupported(name.into());
        let table = |entries: Vec<(&str, PickleValue)>| {
            PickleValue::Dict(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        };
        let plain =
            table(vec![("w", class(TENSOR)), ("step", PickleValue::Int(3)), ("more", PickleValue::List(vec![]))]);
        assert_eq!(object(&plain), None);
        let hidden = PickleValue::List(vec![PickleValue::None, class("posix.system")]);
        let deep = table(vec![("z", class("last")), ("a", plain), ("b", table(vec![("c", hidden)]))]);
        assert_eq!(object(&deep), Some(("b.c".to_owned(), "posix.system")));
    }
}

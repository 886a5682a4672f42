//! `NumPy`'s `.npz`: a zip of `.npy` files, one a tensor.
//!
//! Headers are checked before anything is allocated; numbers are unpacked tensor by tensor. Format:
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use burn::tensor::DType;
use zip::ZipArchive;
use zip::read::ZipFile;

use super::entry::Entry;
use crate::error::{Error, Result};
use crate::ground::files;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Limit on the bytes of a header. `NumPy`'s have 128.
const HEADER: usize = 4096;

/// Limit on how many bytes one compressed byte unpacks to: deflate has 1032 at most.
const RATIO: u64 = 1100;

/// An open file whose headers have been checked.
pub(super) struct NpzFile {
    archive: ZipArchive<BufReader<File>>,
    tensors: BTreeMap<String, (usize, Entry)>,
    last: Option<(String, Vec<u8>)>,
}

impl NpzFile {
    /// Opens a file; only headers are read.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let broken = |problem: String| Error::file(path, format!("{problem}; download it again"));
        let mut archive = ZipArchive::new(BufReader::new(files::open(path)?))
            .map_err(|error| broken(format!("it is no .npz file, which is a zip archive: {error}")))?;
        let mut tensors = BTreeMap::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).map_err(|error| broken(error.to_string()))?;
            let name = file.name().map_err(|error| broken(error.to_string()))?.into_owned();
            let Some(name) = name.strip_suffix(".npy").map(str::to_owned) else { continue };
            let entry = header(&mut file).map_err(|problem| broken(format!("`{name}`: {problem}")))?;
            tensors.insert(name, (index, entry));
        }
        Ok(Self { archive, tensors, last: None })
    }

    /// Every tensor by name, with its entry.
    pub(super) fn list(&self) -> Vec<(String, Entry)> {
        self.tensors.iter().map(|(name, (_, entry))| (name.clone(), entry.clone())).collect()
    }

    /// Fills the bytes with those of a tensor, from `offset` on. A tensor is unpacked whole, so the last one is kept for the
    /// next read.
    pub(super) fn read_into(&mut self, name: &str, offset: usize, bytes: &mut [u8]) -> Result<(), String> {
        if self.last.as_ref().is_none_or(|(last, _)| last != name) {
            self.last = None;
            self.last = Some((name.to_owned(), self.whole(name)?));
        }
        let whole = self.last.as_ref().map_or(&[][..], |(_, whole)| whole.as_slice());
        let part = whole.get(offset..offset + bytes.len());
        bytes.copy_from_slice(part.ok_or_else(|| format!("`{name}` is cut short; download it again"))?);
        Ok(())
    }

    fn whole(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let (index, entry) = self.tensors.get(name).ok_or_else(|| format!("no tensor `{name}`"))?;
        let mut file = self.archive.by_index(*index).map_err(|error| error.to_string())?;
        header(&mut file)?;
        let mut whole = Vec::with_capacity(entry.bytes as usize);
        let read = file.take(entry.bytes).read_to_end(&mut whole);
        read.map_err(|error| format!("`{name}` cannot be unpacked: {error}; download it again"))?;
        Ok(whole)
    }
}

/// What the header of a `.npy` says, read up to its numbers.
fn header(file: &mut ZipFile<'_, BufReader<File>>) -> Result<Entry, String> {
    let all = file.size();
    let mut start = [0; 8];
    let cut = |_| "its header is cut short".to_owned();
    file.read_exact(&mut start).map_err(cut)?;
    if !start.starts_with(MAGIC) {
        return Err("it is no NumPy array".into());
    }
    let (length, before) = if start[6] == 1 {
        let mut length = [0; 2];
        file.read_exact(&mut length).map_err(cut)?;
        (usize::from(u16::from_le_bytes(length)), 10)
    } else {
        let mut length = [0; 4];
        file.read_exact(&mut length).map_err(cut)?;
        (u32::from_le_bytes(length) as usize, 12)
    };
    if length > HEADER {
        return Err(format!("its header has {length} bytes, more than any array's"));
    }
    let mut text = vec![0; length];
    file.read_exact(&mut text).map_err(cut)?;
    let entry = entry(&String::from_utf8_lossy(&text))?;
    let held = all.saturating_sub((before + length) as u64);
    if all / RATIO > file.compressed_size() {
        return Err(format!("it says that {} bytes unpack to {all}", file.compressed_size()));
    }
    if held != entry.bytes {
        return Err(format!("its shape {:?} needs {} bytes, it holds {held}", entry.shape, entry.bytes));
    }
    Ok(entry)
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn entry(text: &str) -> Result<Entry, String> {
    let after =
        |key: &str| text.split_once(key).map(|(_, rest)| rest.trim_start().trim_start_matches(':').trim_start());
    let stored_as = after("'descr'")
        .and_then(|rest| rest.strip_prefix('\'')?.split_once('\'').map(|(descr, _)| descr.to_owned()))
        .ok_or("its header does not say its element type")?;
    if !after("'fortran_order'").is_some_and(|rest| rest.starts_with("False")) {
        return Err("it is stored column by column; save it with `np.ascontiguousarray`".into());
    }
    let inside = after("'shape'").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let (inside, _) = inside.ok_or("its header does not say its shape")?;
    let lengths = inside.split(',').map(str::trim).filter(|length| !length.is_empty());
    let shape: Vec<usize> =
        lengths.map(str::parse).collect::<Result<_, _>>().map_err(|_| "its shape is no list of lengths")?;
    let (dtype, size) = match stored_as.as_str() {
        "<f8" => (Some(DType::F64), 8),
        "<f4" => (Some(DType::F32), 4),
        "<f2" => (Some(DType::F16), 2),
        "<i8" => (Some(DType::I64), 8),
        "<i4" => (Some(DType::I32), 4),
        other => return Err(format!("its element type is `{other}`: only little-endian floats and integers are read")),
    };
    let count = shape.iter().try_fold(size as u64, |bytes, length| bytes.checked_mul(*length as u64));
    let bytes = count.ok_or("its shape is larger than any memory")?;
    Ok(Entry { shape, dtype, stored_as, bytes })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn npy(header: &str, numbers: &[f32]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
        bytes
    }

    fn opened(parts: &[(&str, Vec<u8>)]) -> Result<NpzFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("params.npz");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, bytes) in parts {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        NpzFile::open(&path)
    }

    const PLAIN: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";

    #[test]
    fn numbers_are_read_from_any_place() {
        let mut file = opened(&[
            ("w.npy", npy(PLAIN, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
            ("b.npy", npy(&PLAIN.replace("(2, 3)", "(1,)"), &[7.0])),
            ("note.txt", b"x".to_vec()),
        ])
        .unwrap();
        let listed = file.list();
        assert_eq!(listed.len(), 2);
        assert_eq!((listed[1].0.as_str(), listed[1].1.shape.clone()), ("w", vec![2, 3]));
        let mut bytes = [0; 8];
        file.read_into("w", 16, &mut bytes).unwrap();
        assert_eq!(bytemuck::cast_slice::<u8, f32>(&bytes), [5.0, 6.0]);
        file.read_into("b", 0, &mut bytes[..4]).unwrap();
        assert_eq!(bytes[..4], 7.0_f32.to_le_bytes());
        assert!(file.read_into("w", 20, &mut bytes).unwrap_err().contains("`w` is cut short"));
    }

    #[test]
    fn arrays_that_lie_are_refused() {
        for (header, said) in [
            (PLAIN.replace("(2, 3)", "(2, 4)"), "its shape [2, 4] needs 32 bytes, it holds 24"),
            (PLAIN.replace("(2, 3)", "(99999999999, 99999999999)"), "its shape is larger than any memory"),
            (PLAIN.replace("(2, 3)", "(-2, 3)"), "its shape is no list of lengths"),
            (PLAIN.replace("False", "True"), "it is stored column by column"),
            (PLAIN.replace("<f4", "|O"), "its element type is `|O`: only little-endian"),
            ("{}".into(), "its header does not say its element type"),
        ] {
            let error = opened(&[("w.npy", npy(&header, &[0.0; 6]))]).err().unwrap().to_string();
            assert!(error.contains(said) && error.contains("`w`: ") && error.ends_with("download it again"), "{error}");
        }
        let error = opened(&[("w.npy", b"short".to_vec())]).err().unwrap().to_string();
        assert!(error.contains("its header is cut short"), "{error}");
    }
}

//! The header of a safetensors file. Its lengths are checked before they are used; no numbers are read.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::TensorInfo;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::error::{Error, Result};
use crate::ground::files;

/// Limit on the length of a header in bytes, which the format sets.
const LIMIT: u64 = 100_000_000;

/// An open file, the offset of its numbers, and its tensors in file order.
type Opened = (File, u64, Vec<(String, TensorInfo)>);

/// Checks that a file is what its header says: every tensor is as long as its shape, and they follow one another to the
/// end.
///
/// # Errors
///
/// [`Error::Read`] if it cannot be read, [`Error::File`] if its lengths do not fit.
pub(super) fn read(path: &Path) -> Result<Opened> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let mut file = files::open(path)?;
    let size = file.metadata().map_err(read)?.len();
    let (start, tensors) = read_from(path, &mut file, size)?;
    Ok((file, start, tensors))
}

/// Checks the header of a safetensors file in memory, and returns the names of its tensors.
///
/// # Errors
///
/// [`Error::File`] if its lengths do not fit.
pub fn check_bytes(mut bytes: &[u8]) -> Result<Vec<String>> {
    let size = bytes.len() as u64;
    let (_, tensors) = read_from(Path::new("<memory>"), &mut bytes, size)?;
    Ok(tensors.into_iter().map(|(name, _)| name).collect())
}

/// The offset of the numbers, and the tensors in file order.
fn read_from(path: &Path, file: &mut impl Read, size: u64) -> Result<(u64, Vec<(String, TensorInfo)>)> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let mut length = [0; 8];
    if size < 8 {
        return Err(Error::file(
            path,
            format!("it has {size} bytes, too few for a safetensors file; download it again"),
        ));
    }
    file.read_exact(&mut length).map_err(read)?;
    let header = u64::from_le_bytes(length);
    if let Some(problem) = files::pointer_length(length) {
        return Err(Error::file(path, problem));
    }
    if header > size - 8 || header > LIMIT {
        return Err(Error::file(
            path,
            format!(
                "it says its header has {header} bytes, but the file has {size}; it is truncated or not a safetensors file, download it again"
            ),
        ));
    }
    let mut bytes = Vec::new();
    file.take(header).read_to_end(&mut bytes).map_err(read)?;
    let broken = |problem: String| Error::file(path, format!("its header is broken: {problem}; download it again"));
    let tensors = tensors(&bytes).map_err(broken)?;
    let needed = contiguous(&tensors).map_err(broken)?.saturating_add(8 + header);
    if needed != size {
        return Err(Error::file(
            path,
            format!(
                "its header describes {needed} bytes, the file has {size}; {} download it again",
                unequal(needed, size)
            ),
        ));
    }
    Ok((8 + header, tensors))
}

fn unequal(needed: u64, size: u64) -> &'static str {
    if needed > size { "it is truncated," } else { "something was added at its end," }
}

/// Every tensor in the header, in file order.
fn tensors(header: &[u8]) -> Result<Vec<(String, TensorInfo)>, String> {
    let Entries(mut tensors) = serde_json::from_slice(header).map_err(|error| error.to_string())?;
    tensors.sort_by(|(a, left), (b, right)| left.data_offsets.cmp(&right.data_offsets).then(a.cmp(b)));
    let mut names = BTreeSet::new();
    match tensors.iter().find(|(name, _)| !names.insert(name)) {
        Some((name, _)) => Err(format!("`{name}` is listed twice")),
        None => Ok(tensors),
    }
}

/// The header's map without `__metadata__`, read straight into its final form. A JSON tree would take ten times the
/// memory of the text.
struct Entries(Vec<(String, TensorInfo)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Entries {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of tensors")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<Self, M::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
            } else {
                let info = map.next_value().map_err(|error| M::Error::custom(format!("`{name}`: {error}")))?;
                self.0.push((name, info));
            }
        }
        Ok(self)
    }
}

/// Bytes of all tensors, which must follow one another.
fn contiguous(tensors: &[(String, TensorInfo)]) -> Result<u64, String> {
    let mut end = 0;
    for (name, info) in tensors {
        let (start, stop) = info.data_offsets;
        if start != end || stop < start {
            return Err(format!(
                "`{name}` is listed at bytes {start} to {stop}, but the tensor before it ends at {end}"
            ));
        }
        if bytes_of(info) != Some(stop - start) {
            return Err(format!(
                "`{name}` has {} bytes, which do not fit its shape {:?} of {:?}",
                stop - start,
                info.shape,
                info.dtype
            ));
        }
        end = stop;
    }
    Ok(end as u64)
}

/// The number of bytes of a shape; `None` if it overflows or is not whole.
fn bytes_of(info: &TensorInfo) -> Option<usize> {
    let numbers = info.shape.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis))?;
    let bits = numbers.checked_mul(info.dtype.bitsize())?;
    bits.is_multiple_of(8).then_some(bits / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(header: &str, data: usize) -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat();
        std::fs::write(&path, bytes).unwrap();
        read(&path).map(drop)
    }

    #[test]
    fn a_whole_file_passes() {
        checked(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]}}"#, 14).unwrap();
        checked("{}", 0).unwrap();
    }

    #[test]
    fn a_broken_header_says_what_is_wrong() {
        for (header, data, problem) in [
            (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 5, "it is truncated"),
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
                12,
                "`b` is listed at bytes 4 to 12",
            ),
            (r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8, "`a` has 8 bytes"),
            (r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#, 8, "`a` has 8 bytes"),
            (
                r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}"#,
                8,
                "`a` is listed twice",
            ),
            (r#"{"a":{"dtype":"F31","shape":[],"data_offsets":[0,4]}}"#, 4, "`a`: unknown variant `F31`"),
            ("not json", 0, "its header is broken"),
        ] {
            let error = checked(header, data).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("download it again"), "{error}");
        }
    }
}

//! The header of a safetensors file, checked before anything trusts its lengths; no numbers are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use safetensors::tensor::TensorInfo;
use serde_json::Value;

use crate::error::{Error, Result};

/// A header beyond this is refused, as the format itself does.
const LIMIT: u64 = 100_000_000;

/// An open file, where its numbers start, and its tensors in the order they lie.
type Opened = (File, u64, Vec<(String, TensorInfo)>);

/// Checks that a file is what its header says: every tensor as long as its shape, one behind the other, up to the end.
///
/// # Errors
///
/// [`Error::Read`] when it cannot be read, [`Error::File`] when its lengths do not fit.
pub(super) fn read(path: &Path) -> Result<Opened> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(read)?;
    let size = file.metadata().map_err(read)?.len();
    let mut length = [0; 8];
    if size < 8 {
        return Err(Error::file(path, format!("{size} bytes are no safetensors file; download it again")));
    }
    file.read_exact(&mut length).map_err(read)?;
    let header = u64::from_le_bytes(length);
    if header > size - 8 || header > LIMIT {
        return Err(Error::file(
            path,
            format!(
                "its header is said to be {header} bytes long in a file of {size}; it is truncated or no safetensors file, download it again"
            ),
        ));
    }
    let mut bytes = Vec::new();
    (&mut file).take(header).read_to_end(&mut bytes).map_err(read)?;
    let broken = |problem: String| Error::file(path, format!("its header is broken: {problem}; download it again"));
    let tensors = tensors(&bytes).map_err(broken)?;
    let needed = contiguous(&tensors).map_err(broken)?.saturating_add(8 + header);
    if needed != size {
        return Err(Error::file(
            path,
            format!("its header describes {needed} bytes, the file has {size}; it is truncated, download it again"),
        ));
    }
    Ok((file, 8 + header, tensors))
}

/// Every tensor as the header has it, in the order of the file.
fn tensors(header: &[u8]) -> Result<Vec<(String, TensorInfo)>, String> {
    let mut entries: BTreeMap<String, Value> = serde_json::from_slice(header).map_err(|error| error.to_string())?;
    entries.remove("__metadata__");
    let one = |(name, entry): (String, Value)| match serde_json::from_value::<TensorInfo>(entry) {
        Ok(info) => Ok((name, info)),
        Err(error) => Err(format!("`{name}`: {error}")),
    };
    let mut tensors = entries.into_iter().map(one).collect::<Result<Vec<_>, _>>()?;
    tensors.sort_by(|(a, left), (b, right)| left.data_offsets.cmp(&right.data_offsets).then(a.cmp(b)));
    Ok(tensors)
}

/// Bytes of all tensors, which must lie one behind the other.
fn contiguous(tensors: &[(String, TensorInfo)]) -> Result<u64, String> {
    let mut end = 0;
    for (name, info) in tensors {
        let (start, stop) = info.data_offsets;
        if start != end || stop < start {
            return Err(format!(
                "`{name}` is said to lie at bytes {start} to {stop}, but the tensor before it ends at {end}"
            ));
        }
        if bytes_of(info) != Some(stop - start) {
            return Err(format!(
                "`{name}` has {} bytes, its shape {:?} of {:?} does not fit that",
                stop - start,
                info.shape,
                info.dtype
            ));
        }
        end = stop;
    }
    Ok(end as u64)
}

/// Bytes a shape takes; `None` when that overflows or is no whole number.
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
    fn what_is_wrong_is_said() {
        for (header, data, problem) in [
            (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 5, "it is truncated"),
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
                12,
                "`b` is said to lie at bytes 4 to 12",
            ),
            (r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8, "`a` has 8 bytes"),
            (r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#, 8, "`a` has 8 bytes"),
            ("not json", 0, "its header is broken"),
        ] {
            let error = checked(header, data).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("download it again"), "{error}");
        }
    }
}

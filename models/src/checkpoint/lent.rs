//! Weights that outlive this program: laid out once in memory that `arrakis watch` holds, and mapped by each run.
//!
//! The memory is a file without a place on a disk (`memfd`). It is sealed when it is complete: the kernel then refuses
//! every change, by anyone, for ever. That is what makes it sound to read a mapping of it as ordinary numbers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use burn::tensor::{AllocationProperty, Bytes, DType, Device, Tensor, TensorData};
use memfd::{FileSeal, Memfd, MemfdOptions};
use safe_mmap::ImmutableFd;
use serde::{Deserialize, Serialize};

use super::load::{Parameters, Reading, each_parameter};
use super::origin::Origin;
use crate::error::{Error, Result};
use crate::ground::files;
use crate::ground::watcher::{Message, Reply, Watcher};
use crate::transformer::{Transformer, TransformerConfig};

/// Parameters start at multiples of this, so that a core reads whole cache lines.
const ALIGNED: u64 = 64;

/// Where a parameter is.
#[derive(Serialize, Deserialize)]
struct Place {
    dtype: DType,
    shape: [usize; 2],
    start: usize,
    bytes: usize,
}

/// What is in the memory.
#[derive(Serialize, Deserialize)]
struct Index {
    /// The files that were read.
    files: Vec<PathBuf>,
    /// The parameters, by our paths.
    parameters: BTreeMap<String, Place>,
}

/// The network from memory that the watcher holds. If it holds none yet, the weights are read into such memory first. Who observes reading is
/// told of the files in both cases. `None` if the system gives none, or the watcher does not answer.
///
/// # Errors
///
/// Those of [`super::load_net`].
pub(crate) fn lent_net(
    watcher: &Watcher,
    reading: &Reading<'_>,
    origin: &Origin,
    label: &str,
    device: &Device,
) -> Result<Option<Transformer>> {
    let name = origin.name("lent 2");
    match watcher.ask(&Message::Take { name: name.clone() }) {
        None => return Ok(None),
        Some(Reply::At(path)) => {
            if let Some(net) = File::open(path).ok().and_then(|file| mapped(file, reading.config, device)) {
                return Ok(Some(net));
            }
        }
        Some(Reply::Ok) => {}
    }
    let Some(memory) = written(reading)? else { return Ok(None) };
    let (path, bytes) = (format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd()), memory.metadata());
    let bytes = bytes.map_or(0, |found| found.len());
    watcher.ask(&Message::Keep { name, label: label.to_owned(), bytes, path: path.into() });
    Ok(mapped(memory, reading.config, device))
}

/// Reads the weights into new memory and seals it. Parameters come first, then their index, then its length.
fn written(reading: &Reading<'_>) -> Result<Option<File>> {
    let Ok(memory) = MemfdOptions::default().allow_sealing(true).create("arrakis-weights") else { return Ok(None) };
    let (read, files) = files::collected(|| copied(reading, memory.as_file()));
    let (mut file, parameters) = (memory.as_file(), read?);
    // A path that is no text cannot be told to the next run.
    let Ok(index) = serde_json::to_vec(&Index { files, parameters }) else { return Ok(None) };
    file.write_all(&index).and_then(|()| file.write_all(&(index.len() as u64).to_le_bytes())).map_err(unwritten)?;
    Ok(sealed(memory))
}

/// Reads the weights into a file.
fn copied(reading: &Reading<'_>, mut file: &File) -> Result<BTreeMap<String, Place>> {
    let mut parameters = BTreeMap::new();
    each_parameter(reading, &mut |name, data| {
        let start = file.stream_position().map_err(unwritten)?.next_multiple_of(ALIGNED);
        file.seek(std::io::SeekFrom::Start(start)).map_err(unwritten)?;
        file.write_all(data.as_bytes()).map_err(unwritten)?;
        let place = Place {
            dtype: data.dtype(),
            shape: data.shape().dims(),
            start: start as usize,
            bytes: data.as_bytes().len(),
        };
        parameters.insert(name.to_owned(), place);
        Ok(())
    })?;
    Ok(parameters)
}

fn unwritten(source: std::io::Error) -> Error {
    Error::Write { path: "the memory for lent weights".into(), source }
}

fn sealed(memory: Memfd) -> Option<File> {
    memory.add_seals(&[FileSeal::SealGrow, FileSeal::SealShrink, FileSeal::SealWrite, FileSeal::SealSeal]).ok()?;
    Some(memory.into_file())
}

/// The network whose parameters are in sealed memory. `None` if it is not sealed or does not hold this network.
///
/// The mapping stays until the program ends. It costs addresses, not memory: the watcher holds the pages anyway.
fn mapped(memory: File, config: &TransformerConfig, device: &Device) -> Option<Transformer> {
    let mapping = ImmutableFd::from_sealed_memfd(memory).ok()?.mmap().ok()?;
    let bytes: &'static [u8] = Box::leak(Box::new(mapping)).as_bytes();
    let (rest, length) = bytes.split_last_chunk::<8>()?;
    let start = rest.len().checked_sub(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let index: Index = serde_json::from_slice(&rest[start..]).ok()?;
    let tensor = |place: Place| -> Option<Tensor<2>> {
        let own = bytes.get(place.start..place.start.checked_add(place.bytes)?)?;
        let own = Bytes::from_shared(bytes::Bytes::from_static(own), AllocationProperty::File);
        let data = TensorData::try_from_bytes(own, place.shape, place.dtype).ok()?;
        Some(Tensor::from_data(data, (device, place.dtype)))
    };
    let parameters: Option<BTreeMap<_, _>> =
        index.parameters.into_iter().map(|(name, place)| Some((name, tensor(place)?))).collect();
    let mut parameters = Parameters::of(parameters?);
    let net = Transformer::build(&mut parameters, config);
    let net = parameters.fit().then_some(net)?;
    index.files.iter().for_each(|path| files::note(path));
    Some(net)
}

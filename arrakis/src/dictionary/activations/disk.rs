//! Chunks on the disk: a safetensors file each, named after everything that decides what is in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use arrakis_models::device;
use arrakis_models::files::write_whole;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use sha2::{Digest, Sha256};

use super::chunk::Chunk;
use super::{Activations, refuse};
use crate::error::{Error, Result};

/// The folder of a stream's chunks.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    /// The start of each file's name: a digest of the model, the corpus, the settings and the sites.
    key: String,
    sites: Vec<String>,
}

const NEXT: &str = "next";

impl Disk {
    pub(super) fn new(folder: &Path, of: &Activations<'_>, capacity: usize) -> Result<Self> {
        let said = format!("{} {:?} {capacity}", of.pass.key()?, of.sites);
        let key = format!("{:x}", Sha256::digest(said))[..16].to_owned();
        Ok(Self { folder: folder.to_owned(), key, sites: of.sites.clone() })
    }

    fn path(&self, chunk: u64) -> PathBuf {
        self.folder.join(format!("{}-{chunk:06}.safetensors", self.key))
    }

    /// A chunk; `None` if it is not kept.
    pub(super) fn read(&self, chunk: u64, device: &Device) -> Result<Option<Chunk>> {
        let path = self.path(chunk);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Read { path, source }),
        };
        self.parse(&bytes, device).map(Some).ok_or_else(|| {
            refuse(format!("`{}` is not a chunk of activations; delete it to have it made again", path.display()))
        })
    }

    fn parse(&self, bytes: &[u8], device: &Device) -> Option<Chunk> {
        let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
        let next = serde_json::from_str(header.metadata().as_ref()?.get(NEXT)?).ok()?;
        let file = SafeTensors::deserialize(bytes).ok()?;
        let tensor = |site: &String| {
            let view = file.tensor(site).ok().filter(|view| view.dtype() == Dtype::F32)?;
            let [rows, width] = view.shape().try_into().ok()?;
            let numbers =
                view.data().chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
            Some(Tensor::from_data(TensorData::new(numbers.collect::<Vec<_>>(), [rows, width]), device))
        };
        Some(Chunk { sites: self.sites.iter().map(tensor).collect::<Option<_>>()?, next })
    }

    /// Keeps a chunk.
    pub(super) fn write(&self, chunk: u64, made: &Chunk) -> Result<()> {
        let unsaved = |error: safetensors::SafeTensorError| refuse(format!("a chunk cannot be saved: {error}"));
        let mut parts = Vec::new();
        for (site, tensor) in self.sites.iter().zip(&made.sites) {
            let bytes: Vec<u8> = device::read(tensor.clone())?.into_iter().flat_map(f32::to_le_bytes).collect();
            parts.push((site, tensor.dims().to_vec(), bytes));
        }
        let views = parts.iter().map(|(site, dims, bytes)| {
            let view = TensorView::new(Dtype::F32, dims.clone(), bytes).map_err(unsaved)?;
            Ok((*site, view))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        let next = serde_json::to_string(&made.next).expect("BUG: a place is plain data");
        let header = HashMap::from([(NEXT.to_owned(), next)]);
        let bytes = serialize(views, Some(header)).map_err(unsaved)?;
        let unwritten = |source| Error::Write { path: self.folder.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(unwritten)?;
        Ok(write_whole(&self.path(chunk), bytes)?)
    }
}

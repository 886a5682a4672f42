//! The tensors of one file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::ground::files;

/// An open file, and which of its tensors have been taken.
pub(in crate::dictionary) struct Tensors {
    path: PathBuf,
    checkpoint: Checkpoint,
    device: Device,
    taken: BTreeSet<String>,
}

impl Tensors {
    /// Opens a file. Only its header is read.
    pub(in crate::dictionary) fn open(path: PathBuf, device: &Device) -> Result<Self> {
        if !files::is_there(&path)? {
            return Err(Error::file(&path, "the weights are not there; download them beside the config"));
        }
        let checkpoint = Checkpoint::of_file(&path)?;
        Ok(Self { path, checkpoint, device: device.clone(), taken: BTreeSet::new() })
    }

    /// The file.
    pub(in crate::dictionary) fn path(&self) -> &Path {
        &self.path
    }

    /// The shape of a tensor, if it is there.
    pub(in crate::dictionary) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.checkpoint.tensor(name).map(|held| held.shape.as_slice())
    }

    /// Whether a tensor is there.
    pub(in crate::dictionary) fn has(&self, name: &str) -> bool {
        self.checkpoint.tensor(name).is_some()
    }

    /// A matrix as it is stored.
    pub(in crate::dictionary) fn matrix(&mut self, name: &str) -> Result<Tensor<2>> {
        self.tensor(name)
    }

    /// A matrix, transposed.
    pub(in crate::dictionary) fn turned(&mut self, name: &str) -> Result<Tensor<2>> {
        let turned = self.tensor::<2>(name)?.transpose();
        // A view would keep the rows of the file, which products read in strides.
        Ok(Tensor::from_data(turned.into_data(), &self.device))
    }

    /// A vector.
    pub(in crate::dictionary) fn vector(&mut self, name: &str) -> Result<Tensor<1>> {
        self.tensor(name)
    }

    /// A vector, or `n` times the one number that a scalar holds.
    pub(in crate::dictionary) fn spread(&mut self, name: &str, n: usize) -> Result<Tensor<1>> {
        if self.shape(name).is_some_and(|shape| shape.iter().product::<usize>() == 1 && n != 1) {
            return Ok(Tensor::full([n], self.scalar(name)?, &self.device));
        }
        self.vector(name)
    }

    /// The one number of a tensor, of any float or integer type.
    pub(in crate::dictionary) fn scalar(&mut self, name: &str) -> Result<f32> {
        self.integers(name)?.first().copied().map_or_else(
            || {
                let data = self.data(name)?;
                let values = data.as_slice::<f32>().map_err(|_| self.lacks(name))?;
                values.first().copied().filter(|_| values.len() == 1).ok_or_else(|| self.lacks(name))
            },
            |whole| Ok(whole as f32),
        )
    }

    /// The numbers of a tensor of integers; none if it holds others.
    pub(in crate::dictionary) fn integers(&mut self, name: &str) -> Result<Vec<i64>> {
        self.taken.insert(name.to_owned());
        self.checkpoint.integers(name)
    }

    /// Refuses tensors that nothing was made of: they may change what the dictionary computes.
    pub(in crate::dictionary) fn all_taken(&self, format: &str) -> Result<()> {
        let mut left = self.checkpoint.tensors().map(|(name, _)| name).filter(|name| !self.taken.contains(*name));
        match left.next() {
            None => Ok(()),
            Some(name) => Err(Error::file(
                &self.path,
                format!(
                    "`{name}` is not part of a {format} dictionary of this architecture; is the config that of these weights?"
                ),
            )),
        }
    }

    /// Notes a tensor that is not needed.
    pub(in crate::dictionary) fn ignore(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }

    /// The numbers as `f32`.
    pub(in crate::dictionary) fn data(&mut self, name: &str) -> Result<TensorData> {
        self.taken.insert(name.to_owned());
        if !self.has(name) {
            return Err(self.lacks(name));
        }
        self.checkpoint.read(name)
    }

    fn tensor<const D: usize>(&mut self, name: &str) -> Result<Tensor<D>> {
        if self.shape(name).is_some_and(|shape| shape.contains(&0)) {
            return Err(Error::file(&self.path, format!("`{name}` is empty; download it again")));
        }
        let data = self.data(name)?;
        if data.shape().len() == D {
            return Ok(Tensor::from_data(data, &self.device));
        }
        let shape: Vec<usize> = data.shape().to_vec();
        Err(Error::file(
            &self.path,
            format!("`{name}` has shape {shape:?}, but should have {D} axes; download it again"),
        ))
    }

    fn lacks(&self, name: &str) -> Error {
        let known: Vec<&str> = self.checkpoint.tensors().map(|(name, _)| name).collect();
        Error::file(&self.path, format!("it has no tensor `{name}`; it has {}", known.join(", ")))
    }
}

//! A vector along the last axis of a site.

use std::sync::OnceLock;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::numbers;

/// A vector as long as the last axis of a site: numbers, a tensor, or an activation, which stays on its device. All
/// axes before the last must have length one. A record stores its numbers.
#[derive(Clone, Debug)]
pub struct Vector {
    values: Activation,
    /// Cached: read from the device once.
    norm: OnceLock<f64>,
}

impl Vector {
    fn new(values: &Activation) -> Self {
        Self { values: values.detached(), norm: OnceLock::new() }
    }

    /// Checks that it is as long as the last axis of a tensor of these dims.
    pub(super) fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        let width = dims.last().copied().unwrap_or(0);
        let own = self.values.dims();
        if own.last() == Some(&width) && own.iter().product::<usize>() == width {
            return Ok(());
        }
        Err(Error::EditShape { site: at.site.to_owned(), expected: vec![width], actual: own.to_vec() })
    }

    /// The vector as `[1, width]`, on a device.
    pub(super) fn row(&self, device: &Device) -> Result<Tensor<2>> {
        let flat = self.values.to_device(device)?.to_flat()?;
        let [width] = flat.dims();
        Ok(flat.reshape([1, width]))
    }

    /// Its Euclidean norm.
    pub(super) fn norm(&self) -> Result<f64> {
        if let Some(norm) = self.norm.get() {
            return Ok(*norm);
        }
        let norm = self.values.to_vec()?.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        Ok(*self.norm.get_or_init(|| norm))
    }
}

impl From<Vec<f32>> for Vector {
    fn from(values: Vec<f32>) -> Self {
        Self::from(Tensor::<1>::from_floats(values.as_slice(), &Device::flex()))
    }
}

impl<const D: usize> From<Tensor<D>> for Vector {
    fn from(tensor: Tensor<D>) -> Self {
        Self::new(&Activation::new(tensor))
    }
}

impl<const D: usize> From<&Tensor<D>> for Vector {
    fn from(tensor: &Tensor<D>) -> Self {
        Self::from(tensor.clone())
    }
}

impl From<Activation> for Vector {
    fn from(values: Activation) -> Self {
        Self::new(&values)
    }
}

impl From<&Activation> for Vector {
    fn from(values: &Activation) -> Self {
        Self::new(values)
    }
}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        numbers::many::serialize(&self.values.to_vec().map_err(serde::ser::Error::custom)?, serializer)
    }
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        numbers::many::deserialize(deserializer).map(Self::from)
    }
}

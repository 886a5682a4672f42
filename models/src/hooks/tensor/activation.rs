//! A tensor whose rank is known only at run time. Sites pass it on and caches keep it.

use burn::backend::{BackendTensor, DispatchTensorKind, TensorMetadata as _};
use burn::tensor::{DType, Device, DispatchTensor, Gradients, Tensor, TensorData};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// Evaluates an expression with the tensor at its own rank; `$otherwise` for ranks that sites do not have.
macro_rules! ranked {
    ($activation:expr, |$tensor:ident| $value:expr, $otherwise:expr) => {
        ranked!(@ $activation, $tensor, $value, $otherwise, 1 2 3 4 5 6)
    };
    (@ $activation:expr, $tensor:ident, $value:expr, $otherwise:expr, $($rank:literal)*) => {
        match $activation.dims.len() {
            $($rank => {
                let $tensor = Tensor::<$rank>::from_dispatch($activation.tensor.clone());
                $value
            })*
            _ => $otherwise,
        }
    };
}

/// A float tensor of any rank, with its dims. Cloning copies a handle, not the numbers.
#[derive(Clone, Debug)]
pub struct Activation {
    tensor: DispatchTensor,
    dims: Vec<usize>,
    dtype: DType,
    device: Device,
}

impl Activation {
    /// Wraps a tensor of a known rank.
    pub fn new<const D: usize>(tensor: Tensor<D>) -> Self {
        let (dims, dtype, device) = (tensor.dims().to_vec(), tensor.dtype(), tensor.device());
        Self { tensor: tensor.into_dispatch(), dims, dtype, device }
    }

    /// The length of each axis, in the order of the site table.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// Size of the numbers in bytes.
    pub fn bytes(&self) -> usize {
        self.dims.iter().product::<usize>() * self.dtype.size()
    }

    /// Address and size in bytes of the memory that the numbers are in, if it is the CPU's. Views have their tensor's.
    pub(crate) fn memory(&self) -> Option<(usize, usize)> {
        match &self.tensor.kind {
            DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => {
                Some((tensor.bytes().as_ptr().addr(), tensor.bytes().len()))
            }
            _ => None,
        }
    }

    /// The device that holds the numbers.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The tensor, with rank `D`.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] when the tensor has another number of axes.
    pub fn tensor<const D: usize>(&self) -> Result<Tensor<D>> {
        if self.dims.len() != D {
            return Err(Error::Rank { asked: D, dims: self.dims.clone() });
        }
        Ok(Tensor::from_dispatch(self.tensor.clone()))
    }

    /// The numbers, read from the device, as `f32` in row-major order.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] when the device fails. GPU failures of earlier operations appear here.
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        crate::device::read(self.to_flat()?)
    }

    /// The numbers with shape and element type, read from the device.
    pub fn to_data(&self) -> Result<TensorData> {
        let values = self.to_vec()?;
        Ok(TensorData::new(values, self.dims.clone()))
    }

    /// As one axis, row-major.
    pub fn to_flat(&self) -> Result<Tensor<1>> {
        let len = self.dims.iter().product::<usize>();
        ranked!(self, |tensor| Ok(tensor.reshape([len])), Err(Error::Rank { asked: 1, dims: self.dims.clone() }))
    }

    /// From values in row-major order.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] for a rank outside 1 to 6, [`Error::Count`] when the number of values does not fit the dims.
    pub fn from_vec(values: Vec<f32>, dims: &[usize], device: &Device) -> Result<Self> {
        if values.len() != dims.iter().product::<usize>() {
            return Err(Error::Count {
                what: format!("values for an activation of shape {dims:?}"),
                expected: dims.iter().product(),
                actual: values.len(),
            });
        }
        macro_rules! by_rank {
            ($($rank:literal)*) => {
                match dims.len() {
                    $($rank => Ok(Self::new(Tensor::<$rank>::from_data(TensorData::new(values, dims.to_vec()), device))),)*
                    _ => Err(Error::Rank { asked: 1, dims: dims.to_vec() }),
                }
            };
        }
        by_rank!(1 2 3 4 5 6)
    }

    /// Applies a function of any rank: the tensor is flattened to `[len]`, mapped, and reshaped to its dims.
    pub(crate) fn map_flat(&self, map: impl FnOnce(Tensor<1>) -> Tensor<1>) -> Result<Self> {
        let flat = map(self.to_flat()?);
        Self::shaped(flat, &self.dims)
    }

    /// A flat tensor reshaped to the given dims.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] for a rank outside 1 to 6, [`Error::Count`] when the number of values does not fit the dims.
    pub fn shaped(flat: Tensor<1>, dims: &[usize]) -> Result<Self> {
        let ([actual], expected) = (flat.dims(), dims.iter().product());
        if actual != expected {
            return Err(Error::Count { what: format!("values for an activation of shape {dims:?}"), expected, actual });
        }
        macro_rules! by_rank {
            ($($rank:literal)*) => {
                match dims.len() {
                    $($rank => {
                        let mut shape = [0; $rank];
                        shape.copy_from_slice(dims);
                        Ok(Self::new(flat.reshape(shape)))
                    })*
                    _ => Err(Error::Rank { asked: 1, dims: dims.to_vec() }),
                }
            };
        }
        by_rank!(1 2 3 4 5 6)
    }

    /// Applies a function of rows: the tensor is reshaped to `[.., last axis]`, mapped, and reshaped to its dims.
    pub(crate) fn map_last(&self, map: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Result<Self> {
        let width = self.dims.last().copied().unwrap_or(1).max(1);
        let rows = self.dims.iter().product::<usize>() / width;
        let mapped = map(self.to_flat()?.reshape([rows, width]));
        Self::shaped(mapped.reshape([rows * width]), &self.dims)
    }

    /// A range of one axis.
    pub(crate) fn narrow(&self, axis: usize, start: usize, len: usize) -> Result<Self> {
        let outer: usize = self.dims[..axis].iter().product();
        let inner: usize = self.dims[axis + 1..].iter().product();
        let cut = self.to_flat()?.reshape([outer, self.dims[axis], inner]).narrow(1, start, len);
        let mut dims = self.dims.clone();
        dims[axis] = len;
        Self::shaped(cut.reshape([outer * len * inner]), &dims)
    }

    /// Some indices of one axis, in the given order.
    pub(crate) fn select(&self, axis: usize, indices: &[usize]) -> Result<Self> {
        let outer: usize = self.dims[..axis].iter().product();
        let inner: usize = self.dims[axis + 1..].iter().product();
        let flat: Vec<i64> = indices.iter().map(|index| *index as i64).collect();
        let flat = Tensor::from_data(TensorData::new(flat, [indices.len()]), &self.device);
        let picked = self.to_flat()?.reshape([outer, self.dims[axis], inner]).select(1, flat);
        let mut dims = self.dims.clone();
        dims[axis] = indices.len();
        Self::shaped(picked.reshape([outer * indices.len() * inner]), &dims)
    }

    /// Joins tensors along the batch axis. All other axes must be equal.
    pub(crate) fn cat(parts: &[Self]) -> Result<Self> {
        let flat = parts.iter().map(Self::to_flat).collect::<Result<Vec<_>>>()?;
        let mut dims = parts.first().map(|part| part.dims.clone()).unwrap_or_default();
        dims[0] = parts.iter().map(|part| part.dims[0]).sum();
        Self::shaped(Tensor::cat(flat, 0), &dims)
    }

    /// The same numbers on another device, without a gradient graph.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] for a rank outside 1 to 6, [`Error::Device`] when the numbers cannot be read.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        if self.device == *device {
            return Ok(self.clone());
        }
        if self.device.clone().inner() == device.clone().inner() {
            return self.map_flat(|flat| flat.to_device(device));
        }
        // Burn passes on a GPU's buffer unread and reads it at first use, when later operations may already have
        // overwritten it. Reading the numbers now makes it a copy.
        Self::from_vec(self.to_vec()?, &self.dims, device)
    }

    /// The gradient that a backward pass left for this tensor, if it is a leaf that was reached.
    pub(crate) fn gradient(&self, gradients: &Gradients) -> Option<Self> {
        ranked!(self, |tensor| tensor.grad(gradients).map(Self::new), None)
    }

    /// The same numbers as a constant, on the same device.
    pub(in crate::hooks) fn untracked(&self) -> Self {
        ranked!(self, |tensor| Self::new(tensor.detach()), self.clone())
    }

    /// Whether it is part of a gradient graph.
    pub(in crate::hooks) fn is_tracked(&self) -> bool {
        ranked!(self, |tensor| tensor.is_tracked(), false)
    }

    /// A tensor of this shape filled with NaN.
    pub(in crate::hooks) fn no_numbers(&self) -> Self {
        ranked!(self, |tensor| Self::new(tensor * f32::NAN), self.clone())
    }

    /// Wraps a tensor of Burn's backends.
    pub(in crate::hooks) fn from_dispatch(tensor: DispatchTensor) -> Self {
        let (dims, dtype) = (tensor.shape().to_vec(), tensor.dtype());
        let device = Tensor::<1>::from_dispatch(tensor.clone()).device();
        Self { tensor, dims, dtype, device }
    }

    /// Unwraps it for Burn's backends.
    pub(in crate::hooks) fn into_dispatch(self) -> DispatchTensor {
        self.tensor
    }

    /// The numbers alone, without a gradient graph.
    #[must_use]
    pub fn detached(&self) -> Self {
        if !self.device.is_autodiff() {
            return self.clone();
        }
        ranked!(self, |tensor| Self::new(tensor.inner()), self.clone())
    }
}

impl<const D: usize> From<Tensor<D>> for Activation {
    fn from(tensor: Tensor<D>) -> Self {
        Self::new(tensor)
    }
}

/// Its form in records: the dims and the numbers in row-major order.
#[derive(Serialize, Deserialize)]
struct Plain {
    dims: Vec<usize>,
    #[serde(with = "super::numbers::many")]
    values: Vec<f32>,
}

impl Serialize for Activation {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let values = self.to_vec().map_err(serde::ser::Error::custom)?;
        Plain { dims: self.dims.clone(), values }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Activation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let plain = Plain::deserialize(deserializer)?;
        Self::from_vec(plain.values, &plain.dims, &Device::flex()).map_err(serde::de::Error::custom)
    }
}

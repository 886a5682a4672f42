//! Our own layout of weights in memory: parameters by our paths, `[in, out]`, f32.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::error::{Error, Result};
use crate::ground::dtype::widen;
use crate::hooks::Activation;
use crate::transformer::{Init, Source, Transformer, TransformerConfig};

/// A network from the bytes of a `model.safetensors` in our own layout. Messages name it by `path`.
///
/// # Errors
///
/// [`Error::File`] if they are not a safetensors file, [`Error::Weights`] listing every tensor that does not fit.
pub fn net_from_bytes(path: &Path, bytes: &[u8], config: &TransformerConfig, device: &Device) -> Result<Transformer> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| Error::file(path, error))?;
    let mut source = BytesSource { file, device, problems: Vec::new() };
    let net = Transformer::build(&mut source, config);
    if source.problems.is_empty() {
        Ok(net)
    } else {
        Err(Error::Weights { path: path.to_owned(), problems: source.problems })
    }
}

/// Gives each parameter by our own name. A parameter that does not fit becomes zeros, and its problem is recorded.
struct BytesSource<'a> {
    file: SafeTensors<'a>,
    device: &'a Device,
    problems: Vec<String>,
}

impl BytesSource<'_> {
    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let view = self.file.tensor(name).map_err(|_| format!("missing: `{name}`"))?;
        if view.shape() != shape {
            return Err(format!("wrong shape: `{name}` is {:?}, the config asks for {shape:?}", view.shape()));
        }
        widen(view.dtype(), view.data())
            .ok_or_else(|| format!("`{name}` holds {:?}, not floating point numbers", view.dtype()))
    }
}

impl Source for BytesSource<'_> {
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], _init: Init) -> Tensor<D> {
        match self.values(name, &shape) {
            Ok(values) => Tensor::from_data(TensorData::new(values, shape), self.device),
            Err(problem) => {
                self.problems.push(problem);
                Tensor::zeros(shape, self.device)
            }
        }
    }
}

/// The bytes of a `model.safetensors` in our own layout: parameters by our paths, `[in, out]`, f32. Messages name it by
/// `path`.
///
/// # Errors
///
/// [`Error::Device`] if the parameters cannot be read from their device.
pub(crate) fn bytes_of_parameters(parameters: &[(String, Activation)], path: &Path) -> Result<Vec<u8>> {
    let mut raw = Vec::new();
    for (name, tensor) in parameters {
        let bytes: Vec<u8> = tensor.to_vec()?.iter().flat_map(|value| value.to_le_bytes()).collect();
        raw.push((name, tensor.dims().to_vec(), bytes));
    }
    let mut views = Vec::new();
    for (name, dims, bytes) in &raw {
        views.push((
            name.as_str(),
            TensorView::new(Dtype::F32, dims.clone(), bytes).map_err(|error| Error::file(path, error))?,
        ));
    }
    let metadata = HashMap::from([("format".to_owned(), "arrakis".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| Error::file(path, error))
}

//! Loads a checkpoint's tensors into a network: renamed, cut and transposed as the family says. Every misfit is
//! reported.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{DType, Device, Tensor, TensorData};
use half::{bf16, f16};

use super::adapter::Adapter;
use super::files::Checkpoint;
use super::fit::Fit;
use super::merge::merge;
use super::place::placed;
use crate::error::{Error, Result};
use crate::families::{Family, Weight};
use crate::ground::dtype::widened;
use crate::transformer::{Init, Source, Transformer, TransformerConfig};

/// What is read, and how.
pub(crate) struct Reading<'a> {
    /// The folder with the weights.
    pub(crate) folder: &'a Path,
    /// Whose names they have.
    pub(crate) family: &'a Family,
    /// The architecture.
    pub(crate) config: &'a TransformerConfig,
    /// Whether matrices that are stored in half precision stay in it; each product widens its own matrix then.
    pub(crate) keep_half: bool,
    /// An adapter to merge.
    pub(crate) adapter: Option<&'a Adapter>,
    /// Told the number of tensors that were read, and of all.
    pub(crate) progress: &'a dyn Fn(usize, usize),
}

/// Reads the weights of a folder into a network of this architecture, in single precision or as they are stored.
///
/// # Errors
///
/// [`Error::Weights`] listing the missing and unexpected tensors and those of the wrong shape; [`Error::File`] for
/// broken files, quantised weights, and an adapter that does not fit.
pub(crate) fn load_net(reading: &Reading<'_>, device: &Device) -> Result<Transformer> {
    let mut parameters = BTreeMap::new();
    each_parameter(reading, &mut |name, data| {
        let dtype = data.dtype();
        parameters.insert(name.to_owned(), Tensor::from_data(data, (device, dtype)));
        Ok(())
    })?;
    let mut parameters = Parameters::of(parameters);
    let net = Transformer::build(&mut parameters, reading.config);
    assert!(parameters.fit(), "BUG: the fit was checked");
    Ok(net)
}

/// Reads one parameter after another and hands it over, in the precision in which it is kept.
pub(super) fn each_parameter(
    reading: &Reading<'_>,
    keep: &mut dyn FnMut(&str, TensorData) -> Result<()>,
) -> Result<()> {
    let mut checkpoint = Checkpoint::open(reading.folder)?;
    let map = (reading.family.weights)(reading.config);
    if let Some(adapter) = reading.adapter {
        merge(&mut checkpoint, adapter, &map)?;
    }
    let mut fit = Fit::of(&checkpoint, &map, reading.config);
    if fit.misfits.is_empty() {
        fit.misfits = contradictions(&mut checkpoint, &fit)?;
    }
    if !fit.misfits.is_empty() {
        return Err(Error::Weights { path: reading.folder.to_owned(), problems: fit.told() });
    }
    let weights = largest_first(&checkpoint, &fit);
    for (index, weight) in weights.iter().enumerate() {
        (reading.progress)(index + 1, weights.len());
        keep(&weight.ours, parameter(&mut checkpoint, weight, reading.keep_half)?)?;
    }
    Ok(())
}

/// The order in which to read, with the parts of one tensor together. A PyTorch file gives a tensor whole, so memory
/// holds it beside the parts that are kept. The largest come first, while there is most room.
fn largest_first<'f>(checkpoint: &Checkpoint, fit: &'f Fit) -> Vec<&'f Weight> {
    let bytes = |weight: &Weight| -> u64 {
        weight.theirs.iter().filter_map(|theirs| checkpoint.tensor(theirs)).map(|held| held.bytes).sum()
    };
    let mut weights: Vec<&Weight> = fit.found.values().collect();
    weights.sort_by_key(|weight| (Reverse(bytes(weight)), &weight.theirs));
    weights
}

/// Tensors that should repeat another but do not. transformers 5 then unties the two, transformers 4 still ties them.
fn contradictions(checkpoint: &mut Checkpoint, fit: &Fit) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for (copy, ours) in &fit.copies {
        let Some([original]) = fit.found.get(*ours).map(|weight| weight.theirs.as_slice()) else { continue };
        if !checkpoint.are_equal(copy, original)? {
            problems.push(format!(
                "contradiction: `{copy}` differs from `{original}`, but config.json ties them; set `tie_word_embeddings` to \
                 false to use it, or remove it from the file"
            ));
        }
    }
    Ok(problems)
}

/// Reads a parameter as the family says, in single precision, or in the half precision in which it is kept.
fn parameter(checkpoint: &mut Checkpoint, weight: &Weight, keep_half: bool) -> Result<TensorData> {
    match if keep_half { stored_half(checkpoint, weight) } else { None } {
        Some(DType::F16) => placed::<f16>(checkpoint, weight),
        Some(DType::BF16) => placed::<bf16>(checkpoint, weight),
        _ => placed::<f32>(checkpoint, weight),
    }
}

/// The half precision in which all parts of a weight are stored, if it is the same.
fn stored_half(checkpoint: &Checkpoint, weight: &Weight) -> Option<DType> {
    let mut stored = weight.theirs.iter().map(|theirs| checkpoint.tensor(theirs)?.dtype);
    let first = stored.next()?.filter(|first| matches!(first, DType::F16 | DType::BF16))?;
    stored.all(|other| other == Some(first)).then_some(first)
}

/// The tensors that were read, by our names.
pub(super) struct Parameters {
    read: BTreeMap<String, Tensor<2>>,
    misses: bool,
}

impl Parameters {
    pub(super) fn of(read: BTreeMap<String, Tensor<2>>) -> Self {
        Self { read, misses: false }
    }

    /// Whether every parameter that was asked for was there, in its shape.
    pub(super) fn fit(&self) -> bool {
        !self.misses
    }
}

impl Source for Parameters {
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], _init: Init) -> Tensor<D> {
        let of_size = |tensor: &Tensor<2>| tensor.dims().iter().product::<usize>() == shape.iter().product::<usize>();
        let Some(tensor) = self.read.remove(name).filter(of_size) else {
            self.misses = true;
            return Tensor::zeros(shape, &Device::flex());
        };
        // Only matrices are widened where they are used; vectors are used as they are.
        if D == 1 { widened(tensor.reshape(shape)) } else { tensor.reshape(shape) }
    }
}

//! Loads a checkpoint's tensors into a network: renamed, cut and transposed as the family says. Every misfit is
//! reported.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{DType, Device, Tensor};
use half::{bf16, f16};

use super::adapter::Adapter;
use super::files::Checkpoint;
use super::fit::Fit;
use super::merge::merge;
use super::place::placed;
use crate::error::{Error, Result};
use crate::families::{Family, Weight};
use crate::transformer::{Init, Source, Transformer, TransformerConfig, widened};

/// How weights are read.
pub(crate) struct Reading<'a> {
    /// Where the parameters go.
    pub(crate) device: &'a Device,
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
pub(crate) fn load_net(
    folder: &Path,
    family: &Family,
    config: &TransformerConfig,
    reading: &Reading<'_>,
) -> Result<Transformer> {
    let mut checkpoint = Checkpoint::open(folder)?;
    let map = (family.weights)(config);
    if let Some(adapter) = reading.adapter {
        merge(&mut checkpoint, adapter, &map)?;
    }
    let mut fit = Fit::of(&checkpoint, &map, config);
    if fit.misfits.is_empty() {
        fit.misfits = contradictions(&mut checkpoint, &fit)?;
    }
    if !fit.misfits.is_empty() {
        return Err(Error::Weights { path: folder.to_owned(), problems: fit.told() });
    }
    let weights = largest_first(&checkpoint, &fit);
    let mut parameters = BTreeMap::new();
    for (index, weight) in weights.iter().enumerate() {
        (reading.progress)(index + 1, weights.len());
        parameters.insert(weight.ours.clone(), parameter(&mut checkpoint, weight, reading)?);
    }
    Ok(Transformer::build(&mut Parameters(parameters), config))
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
fn parameter(checkpoint: &mut Checkpoint, weight: &Weight, reading: &Reading<'_>) -> Result<Tensor<2>> {
    let kept = if reading.keep_half { stored_half(checkpoint, weight) } else { None };
    let data = match kept {
        Some(DType::F16) => placed::<f16>(checkpoint, weight),
        Some(DType::BF16) => placed::<bf16>(checkpoint, weight),
        _ => placed::<f32>(checkpoint, weight),
    };
    Ok(Tensor::from_data(data?, (reading.device, kept.unwrap_or(DType::F32))))
}

/// The half precision in which all parts of a weight are stored, if it is the same.
fn stored_half(checkpoint: &Checkpoint, weight: &Weight) -> Option<DType> {
    let mut stored = weight.theirs.iter().map(|theirs| checkpoint.tensor(theirs)?.dtype);
    let first = stored.next()?.filter(|first| matches!(first, DType::F16 | DType::BF16))?;
    stored.all(|other| other == Some(first)).then_some(first)
}

/// The tensors that were read, by our names.
struct Parameters(BTreeMap<String, Tensor<2>>);

impl Source for Parameters {
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], _init: Init) -> Tensor<D> {
        let tensor = self.0.remove(name).expect("BUG: the fit was checked").reshape(shape);
        // Only matrices are widened where they are used; vectors are used as they are.
        if D == 1 { widened(tensor) } else { tensor }
    }
}

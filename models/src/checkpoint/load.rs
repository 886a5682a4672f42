//! A checkpoint's tensors into a network: renamed, cut and turned as the family says, every misfit told.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{DType, Device, Tensor};

use super::files::Checkpoint;
use super::fit::Fit;
use crate::error::{Error, Result};
use crate::families::{Cut, Family, Weight};
use crate::transformer::{Init, Source, Transformer, TransformerConfig, widened};

/// Reads the weights of a folder into a network of this architecture, in single precision; with `keep_half`, matrices
/// that are stored in half precision stay so, and every product widens its own.
///
/// # Errors
///
/// [`Error::Weights`] listing every missing, unexpected and wrongly shaped tensor; [`Error::File`] for broken files.
pub fn load_net(
    folder: &Path,
    family: &Family,
    config: &TransformerConfig,
    device: &Device,
    keep_half: bool,
    progress: &dyn Fn(usize, usize),
) -> Result<Transformer> {
    let mut checkpoint = Checkpoint::open(folder)?;
    let map = (family.weights)(config);
    let mut fit = Fit::of(&checkpoint, &map, config);
    if fit.misfits.is_empty() {
        fit.misfits = contradictions(&mut checkpoint, &fit)?;
    }
    if !fit.misfits.is_empty() {
        return Err(Error::Weights { path: folder.to_owned(), problems: fit.told() });
    }
    let names = largest_first(&checkpoint, &fit);
    let mut reader = Reader { checkpoint, fit, device: device.clone(), keep_half, last: None };
    let mut parameters = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        progress(index + 1, names.len());
        parameters.insert(name.clone(), reader.read(name)?);
    }
    drop(reader);
    Ok(Transformer::build(&mut Parameters(parameters), config))
}

/// The order to read in, parts of one tensor together. A matrix that is turned is there twice for a moment: at first there is
/// room for that, and what it leaves free is filled by what follows.
fn largest_first(checkpoint: &Checkpoint, fit: &Fit) -> Vec<String> {
    let bytes = |weight: &Weight| -> u64 {
        weight.theirs.iter().filter_map(|theirs| checkpoint.tensor(theirs)).map(|held| held.bytes).sum()
    };
    let mut weights: Vec<&Weight> = fit.found.values().collect();
    weights.sort_by_key(|weight| (Reverse(bytes(weight)), &weight.theirs));
    weights.into_iter().map(|weight| weight.ours.clone()).collect()
}

/// Tensors that are to repeat another and do not: with both at hand, transformers 5 unties them, and 4 ties them still.
fn contradictions(checkpoint: &mut Checkpoint, fit: &Fit) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for (copy, ours) in &fit.copies {
        let Some([original]) = fit.found.get(*ours).map(|weight| weight.theirs.as_slice()) else { continue };
        let (again, once) = (checkpoint.read(copy)?, checkpoint.read(original)?);
        if again.shape() != once.shape() || again.as_slice::<f32>().ok() != once.as_slice::<f32>().ok() {
            problems.push(format!(
                "contradiction: `{copy}` is not `{original}`, and config.json ties them; set `tie_word_embeddings` to \
                 false to use it, or take it out of the file"
            ));
        }
    }
    Ok(problems)
}

/// Reads each parameter as the family says.
struct Reader {
    checkpoint: Checkpoint,
    fit: Fit,
    device: Device,
    keep_half: bool,
    /// The last tensor read: fused projections are cut from one copy.
    last: Option<(Vec<String>, Tensor<2>)>,
}

impl Reader {
    fn read(&mut self, name: &str) -> Result<Tensor<2>> {
        let weight = self.fit.found.get(name).cloned().expect("BUG: the fit was checked");
        let whole = match self.last.take() {
            Some((last, tensor)) if last == weight.theirs => tensor,
            _ => self.joined(&weight)?,
        };
        if weight.cut != Cut::Whole {
            self.last = Some((weight.theirs.clone(), whole.clone()));
        }
        let part = cut(whole, &weight);
        // A reshape lays a view out anew, and lets go of what it is a view of.
        let dims = part.dims();
        Ok(part.reshape(dims))
    }

    /// The half precision that all parts of a weight are stored in, where they are to stay in it.
    fn kept(&self, weight: &Weight) -> Option<DType> {
        let mut stored = weight.theirs.iter().map(|theirs| self.checkpoint.tensor(theirs)?.dtype);
        let first = stored.next()?.filter(|first| matches!(first, DType::F16 | DType::BF16))?;
        (self.keep_half && stored.all(|other| other == Some(first))).then_some(first)
    }

    /// The named tensors one after the other along the output axis, `[out, in]` or `[in, out]` as stored; vectors are one row.
    fn joined(&mut self, weight: &Weight) -> Result<Tensor<2>> {
        let kept = self.kept(weight);
        let options = (&self.device, kept.unwrap_or(DType::F32));
        let mut parts = Vec::new();
        for name in &weight.theirs {
            let checkpoint = &mut self.checkpoint;
            let data = if kept.is_some() { checkpoint.read_stored(name)? } else { checkpoint.read(name)? };
            parts.push(match data.shape().num_dims() {
                1 => Tensor::<1>::from_data(data, options).unsqueeze(),
                2 => Tensor::from_data(data, options),
                _ => Tensor::<3>::from_data(data, options).flatten(0, 1),
            });
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, usize::from(!weight.out_in)) })
    }
}

/// What was read, by our names.
struct Parameters(BTreeMap<String, Tensor<2>>);

impl Source for Parameters {
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], _init: Init) -> Tensor<D> {
        let tensor = self.0.remove(name).expect("BUG: the fit was checked").reshape(shape);
        // What is no matrix is added and multiplied as it is.
        if D == 1 { widened(tensor) } else { tensor }
    }
}

/// Cuts the output axis, then turns `[out, in]` into `[in, out]` (a view: nothing is copied).
fn cut(whole: Tensor<2>, weight: &Weight) -> Tensor<2> {
    let axis = usize::from(!weight.out_in);
    let other = whole.dims()[1 - axis];
    let tensor = match weight.cut {
        Cut::Whole => whole,
        Cut::Range { start, len } => whole.narrow(axis, start, len),
        Cut::PerGroup { groups, stride, start, len } if axis == 0 => {
            whole.reshape([groups, stride, other]).narrow(1, start, len).reshape([groups * len, other])
        }
        Cut::PerGroup { groups, stride, start, len } => {
            whole.reshape([other, groups, stride]).narrow(2, start, len).reshape([other, groups * len])
        }
    };
    if weight.out_in { tensor.transpose() } else { tensor }
}

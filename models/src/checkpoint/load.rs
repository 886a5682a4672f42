//! A checkpoint's tensors into a network: renamed, cut and turned as the family says, every misfit told.

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
    let checkpoint = Checkpoint::open(folder)?;
    let map = (family.weights)(config);
    let fit = Fit::of(&checkpoint, &map, config);
    if !fit.misfits.is_empty() {
        return Err(Error::Weights { path: folder.to_owned(), problems: fit.told() });
    }
    let mut source = CheckpointSource {
        checkpoint,
        fit,
        device: device.clone(),
        keep_half,
        problem: None,
        last: None,
        progress,
        done: 0,
    };
    let net = Transformer::build(&mut source, config);
    source.problem.map_or(Ok(net), Err)
}

/// Gives each parameter from the checkpoint; zeros once one could not be read, with the reason kept.
struct CheckpointSource<'a> {
    checkpoint: Checkpoint,
    fit: Fit,
    device: Device,
    keep_half: bool,
    problem: Option<Error>,
    /// The last tensor read: fused projections are cut from one copy.
    last: Option<(Vec<String>, Tensor<2>)>,
    progress: &'a dyn Fn(usize, usize),
    done: usize,
}

impl CheckpointSource<'_> {
    fn read(&mut self, name: &str) -> Result<Tensor<2>> {
        let weight = self.fit.found.get(name).cloned().expect("BUG: the fit was checked");
        let whole = match self.last.take() {
            Some((last, tensor)) if last == weight.theirs => tensor,
            _ => self.joined(&weight)?,
        };
        if weight.cut != Cut::Whole {
            self.last = Some((weight.theirs.clone(), whole.clone()));
        }
        Ok(cut(whole, &weight))
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

impl Source for CheckpointSource<'_> {
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], _init: Init) -> Tensor<D> {
        self.done += 1;
        (self.progress)(self.done, self.fit.found.len());
        if self.problem.is_none() {
            match self.read(name) {
                // What is no matrix is added and multiplied as it is.
                Ok(tensor) if D == 1 => return widened(tensor.reshape(shape)),
                Ok(tensor) => return tensor.reshape(shape),
                Err(error) => self.problem = Some(error),
            }
        }
        Tensor::zeros([1; D], &self.device)
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

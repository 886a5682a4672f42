//! A checkpoint's tensors into a network: renamed, cut and turned as the family says, every misfit told.

use std::io::Read as _;
use std::path::Path;

use burn::tensor::{DType, Device, FloatDType, Tensor};
use serde_json::Value;

use super::files::Checkpoint;
use super::fit::Fit;
use crate::error::{Error, Result};
use crate::families::{Cut, Family, Weight};
use crate::transformer::{Init, Source, Transformer, TransformerConfig};

/// A JSON file beyond this is no config, index or tokenizer.
const JSON_LIMIT: u64 = 64 << 20;

/// Of a config alone.
const CONFIG_LIMIT: u64 = 4 << 20;

/// More misfits than these help nobody.
const MISFITS_TOLD: usize = 30;

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
        return Err(Error::Weights { path: folder.to_owned(), problems: told(fit.misfits) });
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

/// The first misfits: those of a wrong architecture are as many as its tensors.
fn told(mut misfits: Vec<String>) -> Vec<String> {
    let more = misfits.len().saturating_sub(MISFITS_TOLD);
    misfits.truncate(MISFITS_TOLD);
    misfits.extend((more > 0).then(|| format!("… and {more} more; is this the config.json of these weights?")));
    misfits
}

/// Reads a JSON file of sane size.
///
/// # Errors
///
/// [`Error::Read`] when it cannot be read, [`Error::File`] when it is too large or not JSON.
pub fn read_json(path: &Path) -> Result<Value> {
    read_json_up_to(path, JSON_LIMIT)
}

/// Reads a `config.json`: a parsed file takes many times its text, and no config is large.
pub(crate) fn read_config(path: &Path) -> Result<Value> {
    read_json_up_to(path, CONFIG_LIMIT)
}

fn read_json_up_to(path: &Path, limit: u64) -> Result<Value> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(read)?;
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text).map_err(read)?;
    if text.len() as u64 > limit {
        return Err(Error::file(path, format!("it is larger than {} MB; is it the right file?", limit >> 20)));
    }
    serde_json::from_str(&text)
        .map_err(|error| Error::file(path, format!("not valid JSON: {error}; mend it there, or download it again")))
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

    /// A matrix as it is stored, where that is asked for and is half precision: it was widened without loss.
    fn kept<const D: usize>(&self, name: &str, tensor: Tensor<D>) -> Tensor<D> {
        let stored = self.fit.found[name].theirs.first().and_then(|theirs| self.checkpoint.dtype(theirs));
        match stored {
            Some(DType::F16) if self.keep_half && D > 1 => tensor.cast(FloatDType::F16),
            Some(DType::BF16) if self.keep_half && D > 1 => tensor.cast(FloatDType::BF16),
            _ => tensor,
        }
    }

    /// The named tensors one after the other along the output axis, `[out, in]` or `[in, out]` as stored; vectors are one row.
    fn joined(&mut self, weight: &Weight) -> Result<Tensor<2>> {
        let mut parts = Vec::new();
        for name in &weight.theirs {
            let data = self.checkpoint.read(name)?;
            parts.push(match data.shape().num_dims() {
                1 => Tensor::<1>::from_data(data, &self.device).unsqueeze(),
                2 => Tensor::from_data(data, &self.device),
                _ => Tensor::<3>::from_data(data, &self.device).flatten(0, 1),
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
                Ok(tensor) => return self.kept(name, tensor.reshape(shape)),
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

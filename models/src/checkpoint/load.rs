//! A checkpoint's tensors into a network: renamed, cut and turned as the family says, every misfit told.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use serde_json::Value;

use super::files::Checkpoint;
use crate::error::{Error, Result};
use crate::families::{Cut, Family, Weight, WeightMap};
use crate::transformer::{Init, Source, Transformer, TransformerConfig};

/// A JSON file beyond this is not a config.
const JSON_LIMIT: u64 = 64 << 20;

/// Reads the weights of a folder into a network of this architecture.
///
/// # Errors
///
/// [`Error::Weights`] listing every missing, unexpected and wrongly shaped tensor; [`Error::File`] for broken files.
pub fn load_net(folder: &Path, family: &Family, config: &TransformerConfig, device: &Device, progress: &dyn Fn(usize, usize)) -> Result<Transformer> {
    let checkpoint = Checkpoint::open(folder)?;
    let map = (family.weights)(config);
    let mut source = CheckpointSource::new(checkpoint, map, device, progress);
    source.plan_shapes();
    let net = Transformer::build(&mut source, config);
    source.finish()?;
    Ok(net)
}

/// Reads a JSON file of sane size.
///
/// # Errors
///
/// [`Error::Read`] when it cannot be read, [`Error::File`] when it is too large or not JSON.
pub fn read_json(path: &Path) -> Result<Value> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(read)?;
    let mut text = String::new();
    file.take(JSON_LIMIT).read_to_string(&mut text).map_err(read)?;
    serde_json::from_str(&text).map_err(|error| Error::file(path, format!("not valid JSON: {error}")))
}

/// Gives each parameter from the checkpoint; zeros where it cannot, with the reason kept.
struct CheckpointSource<'a> {
    checkpoint: Checkpoint,
    map: WeightMap,
    device: Device,
    used: BTreeSet<String>,
    problems: Vec<String>,
    /// The last tensor read: fused projections are cut from one copy.
    last: Option<(Vec<String>, Tensor<2>)>,
    progress: &'a dyn Fn(usize, usize),
    done: usize,
}

impl<'a> CheckpointSource<'a> {
    fn new(checkpoint: Checkpoint, map: WeightMap, device: &Device, progress: &'a dyn Fn(usize, usize)) -> Self {
        Self { checkpoint, map, device: device.clone(), used: BTreeSet::new(), problems: Vec::new(), last: None, progress, done: 0 }
    }

    /// Names their tensors have in this file: with the prefix, without it, or with one more.
    fn found(&self, name: &str) -> Option<String> {
        let prefix = self.map.prefix;
        let bare = name.strip_prefix(prefix).unwrap_or(name).to_owned();
        [name.to_owned(), bare, format!("{prefix}{name}")].into_iter().find(|name| self.checkpoint.shape(name).is_some())
    }

    /// Nothing is read for a model that does not fit: all misfits are told first, from the headers.
    fn plan_shapes(&mut self) {
        let mut wanted = BTreeSet::new();
        for weight in self.map.weights.clone() {
            for name in &weight.theirs {
                match self.found(name) {
                    Some(found) => drop(wanted.insert(found)),
                    None => self.problems.push(format!("missing: `{name}` (our `{}`)", weight.ours)),
                }
            }
        }
        let tied = ["lm_head.weight", "embed_out.weight"];
        let unexpected: Vec<String> = self
            .checkpoint
            .tensors()
            .filter(|(name, ..)| !wanted.contains(*name) && !tied.contains(name) && !self.map.ignored.iter().any(|end| name.ends_with(end)))
            .map(|(name, shape, _)| format!("unexpected: `{name}` {shape:?}"))
            .collect();
        self.problems.extend(unexpected);
    }

    fn weight(&self, ours: &str) -> Option<Weight> {
        self.map.weights.iter().find(|weight| weight.ours == ours).cloned()
    }

    fn read<const D: usize>(&mut self, weight: &Weight, shape: [usize; D]) -> Result<Tensor<D>, String> {
        let names: Vec<String> = weight.theirs.iter().filter_map(|name| self.found(name)).collect();
        let whole = match self.last.take() {
            Some((last, tensor)) if last == names => tensor,
            _ => self.joined(&names)?,
        };
        self.used.extend(names.iter().cloned());
        if weight.cut != Cut::Whole {
            self.last = Some((names.clone(), whole.clone()));
        }
        let tensor = cut(whole, weight, D == 1).map_err(|problem| format!("wrong shape: `{}`: {problem}", names.join("` + `")))?;
        let dims = tensor.dims();
        let flat: Vec<usize> = if D == 1 { vec![dims[1]] } else { dims.to_vec() };
        if flat != shape {
            return Err(format!("wrong shape: `{}` gives {flat:?}, the config asks for {shape:?} (our `{}`)", names.join("` + `"), weight.ours));
        }
        Ok(tensor.reshape(shape))
    }

    /// The named tensors one after the other, vectors as one row.
    fn joined(&mut self, names: &[String]) -> Result<Tensor<2>, String> {
        let mut parts = Vec::new();
        for name in names {
            let data = self.checkpoint.read(name).map_err(|error| error.to_string())?;
            parts.push(match data.shape().num_dims() {
                1 => Tensor::<1>::from_data(data, &self.device).unsqueeze(),
                2 => Tensor::<2>::from_data(data, &self.device),
                axes => return Err(format!("wrong shape: `{name}` has {axes} axes")),
            });
        }
        match parts.len() {
            0 => Err("missing".into()),
            1 => Ok(parts.remove(0)),
            _ => Ok(Tensor::cat(parts, 1)),
        }
    }

    fn finish(self) -> Result<()> {
        let path = self.checkpoint.folder().to_owned();
        if self.problems.is_empty() { Ok(()) } else { Err(Error::Weights { path, problems: self.problems }) }
    }
}

impl Source for CheckpointSource<'_> {
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], _init: Init) -> Tensor<D> {
        self.done += 1;
        (self.progress)(self.done, self.map.weights.len());
        let nothing = Tensor::zeros([1; D], &self.device);
        if !self.problems.is_empty() && self.problems.iter().any(|problem| problem.starts_with("missing") || problem.starts_with("unexpected")) {
            return nothing;
        }
        let Some(weight) = self.weight(name) else {
            self.problems.push(format!("BUG: the family maps no tensor to `{name}`; please report it"));
            return nothing;
        };
        self.read(&weight, shape).unwrap_or_else(|problem| {
            self.problems.push(problem);
            nothing
        })
    }
}

/// Cuts the output axis, then turns `[out, in]` into `[in, out]` (a view: nothing is copied).
fn cut(whole: Tensor<2>, weight: &Weight, vector: bool) -> Result<Tensor<2>, String> {
    let axis = usize::from(vector || !weight.out_in);
    let dims = whole.dims();
    let (outputs, other) = (dims[axis], dims[1 - axis]);
    let tensor = match weight.cut {
        Cut::Whole => whole,
        Cut::Range { start, len } if start + len <= outputs => whole.narrow(axis, start, len),
        Cut::PerGroup { groups, stride, start, len } if groups * stride == outputs && start + len <= stride => {
            if axis == 0 {
                whole.reshape([groups, stride, other]).narrow(1, start, len).reshape([groups * len, other])
            } else {
                whole.reshape([other, groups, stride]).narrow(2, start, len).reshape([other, groups * len])
            }
        }
        fused => return Err(format!("{outputs} outputs cannot be cut as {fused:?}")),
    };
    Ok(if weight.out_in && !vector { tensor.transpose() } else { tensor })
}

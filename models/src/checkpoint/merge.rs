//! Merges an adapter into a checkpoint: finds the tensors that it changes, and checks that they fit.

use std::collections::BTreeMap;

use super::adapter::{Adapter, Change, LowRank, Part, Target};
use super::files::Checkpoint;
use super::fit::named;
use crate::error::Result;
use crate::families::{Family, Weight, WeightMap};
use crate::transformer::TransformerConfig;

/// The architecture with the adapter in it. If it changes the embedding or the unembedding of a model that ties the two,
/// they are two tensors from then on.
pub(crate) fn with_adapter(adapter: &Adapter, family: &Family, config: TransformerConfig) -> TransformerConfig {
    if !config.tied {
        return config;
    }
    let untied = TransformerConfig { tied: false, ..config.clone() };
    let map = (family.weights)(&untied);
    let touched = ends(&map).into_iter().flatten().any(|name| adapter.touches(name, map.prefix));
    if touched { untied } else { config }
}

/// The checkpoint's names of the embedding and the unembedding.
fn ends(map: &WeightMap) -> [Option<&str>; 2] {
    ["embed.weight", "unembed.weight"].map(|ours| {
        let weight = map.weights.iter().find(|weight| weight.ours == ours)?;
        weight.theirs.first().map(String::as_str)
    })
}

/// Merges an adapter. `map` is that of the architecture with the adapter in it.
///
/// # Errors
///
/// [`Error::File`](crate::error::Error::File) naming the first tensor that the checkpoint lacks, or that does not fit it.
pub(super) fn merge(checkpoint: &mut Checkpoint, adapter: &Adapter, map: &WeightMap) -> Result<()> {
    if let [Some(embed), Some(unembed)] = ends(map)
        && let (Some(embed), None) = (named(checkpoint, map, embed), named(checkpoint, map, unembed))
    {
        checkpoint.repeat(&embed, unembed);
    }
    let layouts = layouts(checkpoint, map);
    let mut saved: BTreeMap<String, &Part> = BTreeMap::new();
    for (name, part) in &adapter.saved {
        let found = found(checkpoint, map, adapter, name)?;
        fits(checkpoint, adapter, &found, &part.shape)?;
        saved.insert(found, part);
    }
    for (module, target) in &adapter.products {
        let name = found(checkpoint, map, adapter, &format!("{module}.weight"))?;
        let out_in = layouts.get(&name).copied().unwrap_or(true) || checkpoint.is_turned(&name);
        let base = saved.remove(&name).map(|part| part.values.clone());
        let scale = adapter.scaling(module, target.rank())? as f32;
        let product = product(target, out_in, scale, base)
            .map_err(|problem| adapter.problem(format!("`{module}`: {problem}")))?;
        fits(checkpoint, adapter, &name, &[product.rows, product.columns])?;
        let product = product.measured(|row, values| checkpoint.stored_row(&name, row, values))?;
        checkpoint.change(&name, Change::LowRank(product));
        if let Some(bias) = &target.bias {
            let name = found(checkpoint, map, adapter, &format!("{module}.bias"))?;
            fits(checkpoint, adapter, &name, &bias.shape)?;
            let shift = bias.values.iter().map(|value| scale * value);
            let change = match saved.remove(&name) {
                Some(other) => Change::Replaced(shift.zip(&other.values).map(|(add, base)| add + base).collect()),
                None => Change::Shifted(shift.collect()),
            };
            checkpoint.change(&name, change);
        }
    }
    for (name, part) in saved {
        checkpoint.change(&name, Change::Replaced(part.values.clone()));
    }
    Ok(())
}

/// Whether the outputs of each mapped tensor are its rows.
fn layouts(checkpoint: &Checkpoint, map: &WeightMap) -> BTreeMap<String, bool> {
    let both = |weight: &'_ Weight| [Some(weight.clone()), weight.otherwise.as_deref().cloned()];
    let weights = map.weights.iter().flat_map(both).flatten();
    let names = weights.flat_map(|weight| weight.theirs.into_iter().map(move |theirs| (theirs, weight.out_in)));
    names.filter_map(|(theirs, out_in)| Some((named(checkpoint, map, &theirs)?, out_in))).collect()
}

/// The name of a tensor in the checkpoint.
fn found(checkpoint: &Checkpoint, map: &WeightMap, adapter: &Adapter, name: &str) -> Result<String> {
    named(checkpoint, map, name).ok_or_else(|| {
        let base = adapter.base().map_or_else(String::new, |base| format!("; it was trained on `{base}`"));
        adapter.problem(format!("it changes `{name}`, which `{}` lacks{base}", checkpoint.folder().display()))
    })
}

fn fits(checkpoint: &Checkpoint, adapter: &Adapter, name: &str, shape: &[usize]) -> Result<()> {
    let held = checkpoint.tensor(name).map_or(&[][..], |held| &held.shape);
    if held == shape {
        return Ok(());
    }
    let base = adapter.base().unwrap_or("another model");
    Err(adapter
        .problem(format!("it is for `{name}` of shape {shape:?}, the model has {held:?}; it was trained on `{base}`")))
}

impl Target {
    fn rank(&self) -> usize {
        self.a.as_ref().and_then(|a| a.shape.first().copied()).unwrap_or(1).max(1)
    }
}

/// The product of a module's two matrices. An embedding's rows are tokens: there the two are exchanged and transposed.
fn product(target: &Target, out_in: bool, scale: f32, base: Option<Vec<f32>>) -> Result<LowRank, String> {
    let (Some(a), Some(b)) = (&target.a, &target.b) else {
        return Err("one of its two matrices, A and B, is missing".into());
    };
    let ([rank, inputs], [outputs, also]) = (a.shape.as_slice(), b.shape.as_slice()) else {
        return Err(format!("A has shape {:?} and B {:?}, but both must be matrices", a.shape, b.shape));
    };
    if rank != also || *inputs == 0 || *outputs == 0 {
        return Err(format!("A has shape {:?} and B {:?}, which cannot be multiplied", a.shape, b.shape));
    }
    let magnitude = target.magnitude.as_ref().map(|magnitude| magnitude.values.clone());
    if target.embedding && magnitude.is_some() {
        return Err("DoRA of an embedding is not supported; merge it in Python with `merge_and_unload()`".into());
    }
    if magnitude.as_ref().is_some_and(|magnitude| magnitude.len() != *outputs) {
        return Err(format!("its magnitudes are not one for each of {outputs} outputs"));
    }
    let straight = out_in && !target.embedding;
    let (left, right, rows, columns) = if straight {
        (b.values.clone(), a.values.clone(), *outputs, *inputs)
    } else {
        (transposed(a), transposed(b), *inputs, *outputs)
    };
    Ok(LowRank { left, right, rank: *rank, rows, columns, scale, base, out_in: straight, magnitude, factors: None })
}

fn transposed(part: &Part) -> Vec<f32> {
    let columns = part.shape[1];
    (0..columns).flat_map(|column| part.values.iter().skip(column).step_by(columns).copied()).collect()
}

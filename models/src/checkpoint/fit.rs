//! How well a checkpoint fits an architecture, judged from names and shapes before any number is read.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{Device, Tensor};

use super::files::{Checkpoint, not_float};
use super::quantised::quantised;
use crate::families::{Cut, Weight, WeightMap};
use crate::transformer::{Init, Source, Transformer, TransformerConfig};

/// Limits on the misfits that are reported. Both kinds are shown, because a missing and an unexpected tensor may be one
/// tensor under two names.
const LACKING_TOLD: usize = 30;
const UNEXPECTED_TOLD: usize = 10;

/// The start of the line about a tensor that the architecture does not have.
const UNEXPECTED: &str = "unexpected: ";

/// Which tensor of a checkpoint becomes which of ours, and every misfit.
#[derive(Clone, Debug, Default)]
pub struct Fit {
    /// Number of parameters of the architecture. A tied unembedding counts once.
    pub n_params: usize,
    /// One line for each tensor that is missing, unexpected, of the wrong shape, or not of a float type.
    pub misfits: Vec<String>,
    /// Our tensors by name, with the names they have in this checkpoint.
    pub(super) found: BTreeMap<String, Weight>,
    /// Tensors of this checkpoint that should repeat one of ours, with our name.
    pub(super) copies: Vec<(String, &'static str)>,
}

impl Fit {
    /// Compares what an architecture needs with what a checkpoint's headers say.
    pub fn of(checkpoint: &Checkpoint, map: &WeightMap, config: &TransformerConfig) -> Self {
        let mut refused: Vec<String> = quantised(checkpoint).into_iter().collect();
        if refused.is_empty() {
            refused = checkpoint.contradictions(config);
        }
        if !refused.is_empty() {
            let n_params = config.parameters().unwrap_or_default();
            return Self { n_params, misfits: refused, ..Self::default() };
        }
        let held = checkpoint.tensors().count();
        if config.n_layers > held {
            return Self::too_few(held, config);
        }
        let needed = shapes(config);
        let n_params = needed.values().map(|shape| shape.iter().product::<usize>()).sum();
        let mut fit = Self { n_params, ..Self::default() };
        let by_name: BTreeMap<&str, &Weight> =
            map.weights.iter().map(|weight| (weight.ours.as_str(), weight)).collect();
        for (ours, shape) in &needed {
            match by_name.get(ours.as_str()) {
                Some(weight) => fit.resolve(checkpoint, map, weight, shape),
                None => fit.misfits.push(format!("BUG: the family maps no tensor to `{ours}`; please report it")),
            }
        }
        fit.left_over(checkpoint, map);
        fit
    }

    /// The first misfits of both kinds, and the number of others. A wrong architecture has as many as it has tensors.
    pub fn told(&self) -> Vec<String> {
        let (left, lacking): (Vec<&String>, Vec<&String>) =
            self.misfits.iter().partition(|misfit| misfit.starts_with(UNEXPECTED));
        let shown = lacking.into_iter().take(LACKING_TOLD).chain(left.into_iter().take(UNEXPECTED_TOLD));
        let mut told: Vec<String> = shown.cloned().collect();
        let more = self.misfits.len() - told.len();
        told.extend((more > 0).then(|| format!("… and {more} more; is this the config.json of these weights?")));
        told
    }

    /// Every layer has at least one tensor. If there are more layers than tensors, one line says so; the missing
    /// tensors are not listed, and norms and biases are not counted.
    fn too_few(held: usize, config: &TransformerConfig) -> Self {
        let misfit = format!(
            "missing: the config asks for {} layers, but there are {held} tensors in all; is this the config.json of these weights?",
            config.n_layers
        );
        Self { n_params: config.parameters().unwrap_or_default(), misfits: vec![misfit], ..Self::default() }
    }

    fn resolve(&mut self, checkpoint: &Checkpoint, map: &WeightMap, weight: &Weight, shape: &[usize]) {
        let layouts = [Some(weight), weight.otherwise.as_deref()];
        let found = layouts.into_iter().flatten().find_map(|weight| Some((weight, names(checkpoint, map, weight)?)));
        let Some((weight, theirs)) = found else {
            return self.misfits.push(missing(checkpoint, map, weight));
        };
        let turned_here = theirs.iter().any(|name| checkpoint.is_turned(name));
        let weight = &Weight { out_in: weight.out_in || turned_here, ..weight.clone() };
        let quoted = format!("`{}`", theirs.join("` + `"));
        let stored: Vec<&[usize]> =
            theirs.iter().filter_map(|name| checkpoint.tensor(name)).map(|held| held.shape.as_slice()).collect();
        match turned(&stored, weight) {
            Ok(given) if given == shape => {}
            Ok(given) => self.misfits.push(format!(
                "wrong shape: {quoted} {stored:?} gives {given:?}, the config asks for {shape:?} (our `{}`)",
                weight.ours
            )),
            Err(problem) => {
                self.misfits.push(format!("wrong shape: {quoted} {stored:?}: {problem} (our `{}`)", weight.ours));
            }
        }
        let held = theirs.iter().filter_map(|name| Some((name, checkpoint.tensor(name)?)));
        self.misfits.extend(held.filter(|(_, held)| !held.is_float()).map(|(name, held)| not_float(name, held)));
        self.found.insert(weight.ours.clone(), Weight { theirs, otherwise: None, ..weight.clone() });
    }

    /// Sorts the tensors that are not used into copies, ignored ones and unexpected ones.
    fn left_over(&mut self, checkpoint: &Checkpoint, map: &WeightMap) {
        let used: BTreeSet<String> = self.found.values().flat_map(|weight| weight.theirs.clone()).collect();
        for (name, held) in checkpoint.tensors().filter(|(name, _)| !used.contains(*name)) {
            if let Some((_, ours)) = map.copies.iter().find(|(end, _)| name.ends_with(end)) {
                self.copies.push((name.to_owned(), ours));
            } else if !map.ignored.iter().any(|end| name.ends_with(end)) {
                self.misfits.push(format!("{UNEXPECTED}`{name}` {:?}", held.shape));
            }
        }
    }
}

/// The names of a weight's tensors in this checkpoint, if all are there.
fn names(checkpoint: &Checkpoint, map: &WeightMap, weight: &Weight) -> Option<Vec<String>> {
    weight.theirs.iter().map(|name| named(checkpoint, map, name)).collect()
}

/// Tries the name as it is, without the prefix, and with one more prefix.
pub(super) fn named(checkpoint: &Checkpoint, map: &WeightMap, name: &str) -> Option<String> {
    let bare = name.strip_prefix(map.prefix).unwrap_or(name).to_owned();
    [name.to_owned(), bare, format!("{}{name}", map.prefix)].into_iter().find(|name| checkpoint.tensor(name).is_some())
}

fn missing(checkpoint: &Checkpoint, map: &WeightMap, weight: &Weight) -> String {
    let lost: Vec<&str> =
        weight.theirs.iter().filter(|name| named(checkpoint, map, name).is_none()).map(String::as_str).collect();
    let promised = lost.iter().find_map(|name| checkpoint.promised(name));
    let shard = promised.map_or_else(String::new, |file| {
        format!("; the index says it is in `{file}`, which lacks it: download that shard again")
    });
    format!("missing: `{}` (our `{}`){shard}", lost.join("`, `"), weight.ours)
}

const TOO_MANY: &str = "more outputs than can be counted";

/// The shape our tensor gets from the stored ones: joined, cut along the output axis, and turned to `[in, out]`.
fn turned(stored: &[&[usize]], weight: &Weight) -> Result<Vec<usize>, String> {
    if let Cut::InStack { index, width, start, step } = weight.cut {
        return match *stored {
            [&[count, ref inputs @ .., own]] if index < count && inputs.len() < 2 && own == width => {
                Ok(inputs.iter().copied().chain([(width - start).div_ceil(step)]).collect())
            }
            _ => Err(format!("it is not a stack of at least {} with {width} outputs each", index + 1)),
        };
    }
    let matrices = stored.iter().map(|shape| match *shape {
        [n] => Ok((*n, None)),
        [a, b] => Ok(if weight.out_in { (*a, Some(*b)) } else { (*b, Some(*a)) }),
        [count, a, b] if weight.out_in => {
            count.checked_mul(*a).map(|outputs| (outputs, Some(*b))).ok_or_else(|| TOO_MANY.to_owned())
        }
        _ => Err(format!("it has {} axes", shape.len())),
    });
    let matrices = matrices.collect::<Result<Vec<_>, _>>()?;
    let other = matrices.first().ok_or("it has no tensors")?.1;
    if matrices.iter().any(|(_, width)| *width != other) {
        return Err("they cannot be joined".into());
    }
    // A tensor without numbers may have any shape in the header.
    let outputs = matrices.iter().try_fold(0_usize, |sum, (outputs, _)| sum.checked_add(*outputs)).ok_or(TOO_MANY)?;
    let outputs = cut(outputs, weight.cut)?;
    Ok(other.into_iter().chain([outputs]).collect())
}

fn cut(outputs: usize, cut: Cut) -> Result<usize, String> {
    match cut {
        Cut::Whole => Ok(outputs),
        Cut::Range { start, len } if start + len <= outputs => Ok(len),
        Cut::PerGroup { groups, stride, start, len } if groups * stride == outputs && start + len <= stride => {
            Ok(groups * len)
        }
        Cut::InStack { .. } => Err("BUG: a stack is not cut along all its outputs".into()),
        Cut::Range { start, len } => Err(format!("outputs {start} to {} cannot be cut from {outputs}", start + len)),
        Cut::PerGroup { groups, stride, .. } => Err(format!("{outputs} outputs are not {groups} groups of {stride}")),
    }
}

/// Every parameter of an architecture, by our name.
fn shapes(config: &TransformerConfig) -> BTreeMap<String, Vec<usize>> {
    struct Shapes(BTreeMap<String, Vec<usize>>);
    impl Source for Shapes {
        fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], _: Init) -> Tensor<D> {
            self.0.insert(name.to_owned(), shape.to_vec());
            Tensor::zeros([1; D], &Device::flex())
        }
    }
    let mut shapes = Shapes(BTreeMap::new());
    drop(Transformer::build(&mut shapes, config));
    shapes.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(out_in: bool, cut: Cut) -> Weight {
        Weight { ours: "w".into(), theirs: vec!["t".into()], out_in, cut, otherwise: None }
    }

    #[test]
    fn shapes_by_hand() {
        let turn = |stored: &[&[usize]], out_in, cut| turned(stored, &weight(out_in, cut));
        assert_eq!(turn(&[&[6, 4]], true, Cut::Whole).unwrap(), [4, 6]);
        assert_eq!(turn(&[&[4, 6]], false, Cut::Range { start: 2, len: 2 }).unwrap(), [4, 2]);
        assert_eq!(turn(&[&[12, 4]], true, Cut::PerGroup { groups: 2, stride: 6, start: 2, len: 3 }).unwrap(), [4, 6]);
        assert_eq!(turn(&[&[3, 5, 4]], true, Cut::Range { start: 10, len: 5 }).unwrap(), [4, 5]);
        assert_eq!(turn(&[&[2], &[2]], false, Cut::Whole).unwrap(), [4]);
        let stacked = Cut::InStack { index: 2, width: 6, start: 1, step: 2 };
        assert_eq!(turn(&[&[3, 5, 6]], false, stacked).unwrap(), [5, 3]);
        assert_eq!(turn(&[&[3, 6]], false, stacked).unwrap(), [3]);
    }

    #[test]
    fn a_shape_that_cannot_be_cut_or_joined_is_reported() {
        let error =
            turned(&[&[7, 4]], &weight(true, Cut::PerGroup { groups: 2, stride: 6, start: 0, len: 2 })).unwrap_err();
        assert_eq!(error, "7 outputs are not 2 groups of 6");
        assert_eq!(turned(&[&[2, 4], &[2, 5]], &weight(true, Cut::Whole)).unwrap_err(), "they cannot be joined");
        let stacked = weight(false, Cut::InStack { index: 2, width: 6, start: 1, step: 2 });
        for shape in [&[2, 5, 6][..], &[3, 5, 4], &[6], &[3, 2, 5, 6]] {
            assert_eq!(turned(&[shape], &stacked).unwrap_err(), "it is not a stack of at least 3 with 6 outputs each");
        }
        let half = usize::MAX / 2 + 1;
        assert_eq!(turned(&[&[0, half], &[0, half]], &weight(false, Cut::Whole)).unwrap_err(), TOO_MANY);
    }

    #[test]
    fn parameters_of_an_architecture() {
        let shapes = shapes(&TransformerConfig::plain("test", 1, 8, 2, 10, 16));
        assert_eq!(shapes["blocks.0.attn.w_q.weight"], [8, 8]);
        assert_eq!(shapes["pos_embed.weight"], [16, 8]);
    }
}

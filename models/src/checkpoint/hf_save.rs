//! Saves a model in Hugging Face's layout, with the family's map of weights in reverse.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, View};

use super::hf_files::HfFiles;
use super::hooked;
use crate::error::{Error, Result};
use crate::families::{self, Cut, Weight, WeightMap};
use crate::ground::files::{write_whole, write_whole_with};
use crate::hooks::Activation;
use crate::transformer::TransformerConfig;

/// Limit on the misfits that are reported.
const MISFITS_TOLD: usize = 30;

/// Writes a folder as transformers does: the parameters under the family's own names and axes, with `files` beside
/// them.
///
/// # Errors
///
/// [`Error::Unsavable`] for parameters or a config that are not what the `config.json` describes, [`Error::File`] for a
/// folder that holds a model in our own layout, [`Error::Write`] for a file that could not be written.
pub(crate) fn save_hf(
    folder: &Path,
    files: &HfFiles,
    parameters: Vec<(String, Activation)>,
    config: &TransformerConfig,
) -> Result<()> {
    let own = folder.join("arrakis.json");
    if own.is_file() {
        return Err(Error::file(&own, "this folder holds a model in our own layout; save to another"));
    }
    let (files, described) = describing(files, config)?;
    let map = (families::family(&described.family)?.weights)(&described);
    let parameters = parameters.into_iter().collect();
    let mut stored = fitting(&map, &parameters, &described, config)?;
    let written = files.config()?;
    if families::is_hooked_transformer(&written) {
        let grouped = written.get("n_key_value_heads").is_some_and(|heads| !heads.is_null());
        for stored in &mut stored {
            stored.set_heads_apart(&described, grouped);
        }
    }
    std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.into(), source })?;
    write_whole_with(&folder.join("model.safetensors"), |aside| write_weights(stored, aside))?;
    for (name, bytes) in files.beside_f32()? {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|source| Error::Write { path: parent.into(), source })?;
        }
        write_whole(&path, bytes)?;
    }
    Ok(())
}

/// The files with a `config.json` that describes the model as far as the family's keys can, and what it describes.
fn describing(files: &HfFiles, actual: &TransformerConfig) -> Result<(HfFiles, TransformerConfig)> {
    let original = files.config()?;
    let described = families::config(original.clone())?;
    let edited = families::rewritten(&original, &described, actual);
    if edited == original {
        return Ok((files.clone(), described));
    }
    match families::config(edited.clone()) {
        Ok(described) => Ok((files.with_config(&edited), described)),
        Err(error) => Err(Error::Unsavable { family: described.family, problems: vec![error.to_string()] }),
    }
}

/// The tensors of the file, if the parameters are exactly those of the architecture.
fn fitting<'a>(
    map: &'a WeightMap,
    parameters: &'a BTreeMap<String, Activation>,
    described: &TransformerConfig,
    actual: &TransformerConfig,
) -> Result<Vec<Stored<'a>>> {
    let mut problems = Vec::new();
    let mut stored: BTreeMap<&str, Stored<'_>> = BTreeMap::new();
    for weight in map.weights.iter().chain(&map.twins) {
        match parameters.get(&weight.ours) {
            Some(tensor) => spread(weight, tensor, &mut stored),
            None => problems.push(format!("missing: `{}` (our `{}`)", weight.theirs.join("`, `"), weight.ours)),
        }
    }
    let placed = |name: &String| map.weights.iter().any(|weight| weight.ours == *name);
    let extra = parameters.iter().filter(|(name, _)| !placed(name));
    problems.extend(extra.map(|(name, tensor)| format!("extra: our `{name}` {:?}", tensor.dims())));
    if problems.is_empty() {
        problems.extend(stored.values().filter_map(Stored::gap));
        problems.extend(changed(described, actual));
    }
    if problems.is_empty() {
        return Ok(stored.into_values().collect());
    }
    let more = problems.len().saturating_sub(MISFITS_TOLD);
    problems.truncate(MISFITS_TOLD);
    problems.extend((more > 0).then(|| format!("… and {more} more")));
    Err(Error::Unsavable { family: described.family.clone(), problems })
}

/// Options that differ from config.json.
fn changed(described: &TransformerConfig, actual: &TransformerConfig) -> Vec<String> {
    let json = |config| serde_json::to_value(config).expect("BUG: a config is plain data");
    let (described, actual) = (json(described), json(actual));
    let fields = described.as_object().into_iter().flatten();
    fields
        .filter(|(key, value)| actual[key.as_str()] != **value)
        .map(|(key, value)| format!("changed: `{key}` is {}, config.json describes {value}", actual[key.as_str()]))
        .collect()
}

/// One tensor of the file, and the tensors of ours it is assembled from.
struct Stored<'a> {
    name: Cow<'a, str>,
    shape: Vec<usize>,
    /// Length of the output axis; of a stack, of the axes of its elements together.
    outputs: usize,
    /// Outputs of one element, if it is a stack.
    width: Option<usize>,
    parts: Vec<Part<'a>>,
}

/// One of our tensors: where its outputs are in the join of `weight.theirs`, and where the stored tensor starts in it.
struct Part<'a> {
    weight: &'a Weight,
    tensor: &'a Activation,
    start: usize,
}

/// Adds one of our tensors to each stored tensor it contributes to.
fn spread<'a>(weight: &'a Weight, tensor: &'a Activation, stored: &mut BTreeMap<&'a str, Stored<'a>>) {
    let [inputs, outputs] = matrix(tensor);
    let each = weight.cut.reach(outputs) / weight.theirs.len();
    for (index, name) in weight.theirs.iter().enumerate() {
        let name = name.as_str();
        let width = if let Cut::InStack { width, .. } = weight.cut { Some(width) } else { None };
        let into =
            stored.entry(name).or_insert(Stored { name: name.into(), shape: vec![], outputs: 0, width, parts: vec![] });
        into.outputs = into.outputs.max(each);
        into.shape = match (tensor.dims().len(), weight.out_in, width) {
            (1, _, Some(width)) => vec![into.outputs / width, width],
            (_, _, Some(width)) => vec![into.outputs / width, inputs, width],
            (1, _, None) => vec![into.outputs],
            (_, true, None) => vec![into.outputs, inputs],
            (_, false, None) => vec![inputs, into.outputs],
        };
        into.parts.push(Part { weight, tensor, start: index * each });
    }
}

/// The numbers of inputs and outputs; a vector is one row.
fn matrix(tensor: &Activation) -> [usize; 2] {
    match *tensor.dims() {
        [inputs, outputs] => [inputs, outputs],
        _ => [1, tensor.dims().iter().product()],
    }
}

impl Stored<'_> {
    /// Gives it the name and the shape that it has in a file of `HookedTransformer`.
    fn set_heads_apart(&mut self, config: &TransformerConfig, grouped: bool) {
        if let Some((name, shape, width)) = hooked::apart(&self.name, config, grouped) {
            (self.name, self.shape) = (name.into(), shape);
            self.width = width.or(self.width);
        }
    }

    /// The error in a family's map, if there is one: every output must come from exactly one of our tensors.
    fn gap(&self) -> Option<String> {
        let mut covered = vec![0_usize; self.outputs];
        for part in &self.parts {
            part.places(self.outputs).for_each(|(_, at)| covered[at] += 1);
        }
        let wrong = covered.iter().filter(|times| **times != 1).count();
        (wrong > 0).then(|| {
            format!("BUG: {wrong} of {} outputs of `{}` come from none or two of ours", self.outputs, self.name)
        })
    }

    /// The numbers, row-major, as little-endian bytes.
    fn bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; 4 * self.shape.iter().product::<usize>()];
        for part in &self.parts {
            let values = part.tensor.to_vec()?;
            let [inputs, outputs] = matrix(part.tensor);
            for (output, at) in part.places(self.outputs) {
                for input in 0..inputs {
                    let index = if part.weight.out_in { at * inputs + input } else { self.index(inputs, input, at) };
                    bytes[4 * index..4 * index + 4].copy_from_slice(&values[input * outputs + output].to_le_bytes());
                }
            }
        }
        Ok(bytes)
    }
}

impl Stored<'_> {
    /// Where the file has an input's number for an output, if its inputs are rows.
    fn index(&self, inputs: usize, input: usize, output: usize) -> usize {
        let width = self.width.unwrap_or(self.outputs);
        (output / width * inputs + input) * width + output % width
    }
}

impl Part<'_> {
    /// Each of our outputs in this tensor of `len` outputs, with its index there.
    fn places(&self, len: usize) -> impl Iterator<Item = (usize, usize)> {
        let [_, outputs] = matrix(self.tensor);
        (0..outputs).filter_map(move |output| {
            let at = self.weight.cut.place(output).checked_sub(self.start)?;
            (at < len).then_some((output, at))
        })
    }
}

/// Writes tensor by tensor, so memory holds the model and one more tensor.
fn write_weights(stored: Vec<Stored<'_>>, path: &Path) -> Result<()> {
    let failure = RefCell::new(None);
    let views = stored.into_iter().map(|stored| (stored.name.clone().into_owned(), Lazy { stored, failure: &failure }));
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let written = safetensors::serialize_to_file(views, Some(metadata), path);
    match failure.take() {
        Some(error) => Err(error),
        None => written.map_err(|error| Error::Write { path: path.into(), source: std::io::Error::other(error) }),
    }
}

/// A tensor that is read from the device when it is written. An error is kept for the caller.
struct Lazy<'a> {
    stored: Stored<'a>,
    failure: &'a RefCell<Option<Error>>,
}

impl View for Lazy<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.stored.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.stored.bytes().unwrap_or_else(|error| {
            self.failure.replace(Some(error));
            Vec::new()
        }))
    }

    fn data_len(&self) -> usize {
        4 * self.stored.shape.iter().product::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn activation(values: &[f32], dims: &[usize]) -> Activation {
        Activation::from_vec(values.to_vec(), dims, &Device::flex()).unwrap()
    }

    fn numbers(stored: &Stored<'_>) -> Vec<f32> {
        let bytes = stored.bytes().unwrap();
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    /// One input; two groups, each with two query outputs and one key output: `q q k q q k`.
    fn interleaved() -> WeightMap {
        let mut map = WeightMap::new("");
        for (name, start, len) in [("q", 0, 2), ("k", 2, 1)] {
            map.projection(name, "qk", true, false, Cut::PerGroup { groups: 2, stride: 3, start, len });
        }
        map
    }

    fn spread_all<'a>(map: &'a WeightMap, ours: &'a [Activation]) -> BTreeMap<&'a str, Stored<'a>> {
        let mut stored = BTreeMap::new();
        map.weights.iter().zip(ours).for_each(|(weight, tensor)| spread(weight, tensor, &mut stored));
        stored
    }

    #[test]
    fn cuts_are_undone_by_hand() {
        let map = interleaved();
        let ours = [activation(&[1.0, 2.0, 3.0, 4.0], &[1, 4]), activation(&[5.0, 6.0], &[1, 2])];
        let stored = spread_all(&map, &ours);
        let fused = &stored["qk.weight"];
        assert_eq!((numbers(fused), fused.gap()), (vec![1.0, 2.0, 5.0, 3.0, 4.0, 6.0], None));
        assert_eq!(fused.shape, [6, 1]);
    }

    #[test]
    fn joins_are_split_and_matrices_transposed_by_hand() {
        let mut map = WeightMap::new("");
        map.joined("norm", vec!["a".into(), "b".into()]);
        map.linear("w", "theirs", false);
        let ours = [activation(&[1.0, 2.0, 3.0, 4.0], &[4]), activation(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])];
        let stored = spread_all(&map, &ours);
        assert_eq!((numbers(&stored["a"]), numbers(&stored["b"])), (vec![1.0, 2.0], vec![3.0, 4.0]));
        assert_eq!((numbers(&stored["theirs.weight"])), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(stored["theirs.weight"].shape, [3, 2]);
    }

    /// Two experts of two inputs and two neurons, with gate and up interleaved, and their biases.
    #[test]
    fn stacks_are_put_together_by_hand() {
        let mut map = WeightMap::new("");
        let mut ours = Vec::new();
        for index in 0..2 {
            for (part, start) in [("gate", 0), ("up", 1)] {
                map.stacked(&format!("{index}.{part}"), "both", true, Cut::InStack { index, width: 4, start, step: 2 });
                let first = (8 * index + 4 * start) as f32;
                ours.push(activation(&[first, first + 1.0, first + 2.0, first + 3.0], &[2, 2]));
                ours.push(activation(&[first, -first], &[2]));
            }
        }
        let stored = spread_all(&map, &ours);
        let both = &stored["both"];
        assert_eq!((both.shape.as_slice(), both.gap()), (&[2, 2, 4][..], None));
        let first = [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0];
        assert_eq!(numbers(both), [first, first.map(|x| x + 8.0)].concat());
        let biases = &stored["both_bias"];
        assert_eq!((biases.shape.as_slice(), biases.gap()), (&[2, 4][..], None));
        assert_eq!(numbers(biases), [0.0, 4.0, 0.0, -4.0, 8.0, 12.0, -8.0, -12.0]);
    }

    #[test]
    fn an_output_that_no_weight_fills_is_reported() {
        let mut map = interleaved();
        map.weights.pop();
        let ours = [activation(&[1.0, 2.0, 3.0, 4.0], &[1, 4])];
        let gap = spread_all(&map, &ours)["qk.weight"].gap();
        assert_eq!(gap.unwrap(), "BUG: 2 of 6 outputs of `qk.weight` come from none or two of ours");
    }
}

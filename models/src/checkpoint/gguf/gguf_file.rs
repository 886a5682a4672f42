//! A GGUF file, read range by range under transformers' names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;

use burn::tensor::DType;
use serde_json::Value as Json;

use super::architecture::Architecture;
use super::config::config;
use super::container::{Container, Tensor};
use super::tokenizer::{GgufTokenizer, tokenizer};
use super::value::Value;
use crate::checkpoint::entry::Entry;
use crate::error::{Error, Result};
use crate::ground::files;

/// The tensors of an open file.
pub(in crate::checkpoint) struct GgufFile {
    file: File,
    tensors: BTreeMap<String, Stored>,
}

/// A tensor, and the order of its rows.
struct Stored {
    tensor: Tensor,
    /// The width of a head, if the rows of each head are interleaved.
    d_head: Option<usize>,
    turned: bool,
}

/// Whether a path is that of a GGUF file.
pub(crate) fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf")) && path.is_file()
}

/// What a GGUF file says besides its weights.
pub(crate) struct GgufModel {
    /// The architecture, as transformers' `config.json` would say it.
    pub(crate) config: Json,
    /// The tokenizer, or why there is none.
    pub(crate) tokenizer: Result<GgufTokenizer, String>,
}

/// Reads the architecture and the tokenizer of a file.
///
/// # Errors
///
/// [`Error::File`] for a broken file, or an architecture or setting that is not supported.
pub(crate) fn read_model(path: &Path) -> Result<GgufModel> {
    let (mut file, container, architecture) = opened(path)?;
    let broken = |problem: String| Error::file(path, problem);
    let factors = match container.tensors.get("rope_freqs.weight") {
        Some(tensor) => Some(widened(&mut file, tensor, 0..tensor.shape.iter().product()).map_err(broken)?),
        None => None,
    };
    let config = config(&container, architecture, factors.as_deref()).map_err(broken)?;
    Ok(GgufModel { config, tokenizer: tokenizer(&container.table) })
}

fn opened(path: &Path) -> Result<(File, Container, &'static Architecture)> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let mut file = files::open(path)?;
    let mut start = [0; 8];
    let size = file.metadata().map_err(read)?.len();
    if size >= 8 {
        file.read_exact(&mut start).and_then(|()| file.rewind()).map_err(read)?;
    }
    if let Some(problem) = files::pointer_length(start) {
        return Err(Error::file(path, problem));
    }
    let broken = |problem: String| Error::file(path, format!("this GGUF file cannot be read: {problem}"));
    let container = Container::read(&file, size).map_err(broken)?;
    if let Some(parts) = container.table.get("split.count").and_then(Value::count).filter(|parts| *parts > 1) {
        return Err(broken(format!("it is one of {parts} parts; join them with `llama-gguf-split --merge`")));
    }
    let named = container.table.get("general.architecture").and_then(Value::text).unwrap_or("absent");
    let architecture = Architecture::named(named).map_err(broken)?;
    Ok((file, container, architecture))
}

impl GgufFile {
    /// Opens a file; no numbers are read.
    pub(in crate::checkpoint) fn open(path: &Path) -> Result<Self> {
        let (file, container, architecture) = opened(path)?;
        let mut tensors = BTreeMap::new();
        for (name, tensor) in &container.tensors {
            // Frequencies of the rotation are a part of the config.
            if name == "rope_freqs.weight" {
                continue;
            }
            let theirs = architecture.theirs(name).unwrap_or_else(|| name.clone());
            let heads = architecture.heads_key(name).and_then(|key| count(&container, architecture, key));
            let rows = tensor.shape.first().copied().unwrap_or(0);
            let d_head = heads.filter(|heads| *heads > 0 && rows.is_multiple_of(2 * heads)).map(|heads| rows / heads);
            let turned = tensor.shape.len() > 1 && architecture.is_turned(&theirs);
            tensors.insert(theirs, Stored { tensor: tensor.clone(), d_head, turned });
        }
        Ok(Self { file, tensors })
    }

    /// Every tensor by name, with its entry. Blocks are widened to single precision.
    pub(in crate::checkpoint) fn list(&self) -> Vec<(String, Entry)> {
        let held = |stored: &Stored| Entry {
            shape: stored.tensor.shape.clone(),
            dtype: Some(DType::F32),
            stored_as: stored.tensor.kind.name.to_owned(),
            bytes: 4 * stored.tensor.shape.iter().product::<usize>() as u64,
        };
        self.tensors.iter().map(|(name, stored)| (name.clone(), held(stored))).collect()
    }

    /// Whether the outputs of a matrix are its rows here, though they are its columns in transformers.
    pub(in crate::checkpoint) fn is_turned(&self, name: &str) -> bool {
        self.tensors.get(name).is_some_and(|stored| stored.turned)
    }

    /// Fills the bytes with those of a tensor in single precision, from `offset` on.
    pub(in crate::checkpoint) fn read_into(
        &mut self,
        name: &str,
        offset: usize,
        bytes: &mut [u8],
    ) -> Result<(), String> {
        let stored = self.tensors.get(name).ok_or_else(|| format!("no tensor `{name}`"))?;
        let elements = offset / 4..(offset + bytes.len()) / 4;
        let values = match stored.d_head {
            Some(d_head) => rows_in_order(&mut self.file, &stored.tensor, elements, d_head),
            None => widened(&mut self.file, &stored.tensor, elements),
        };
        let values = values.map_err(|problem| format!("`{name}` cannot be read: {problem}"))?;
        bytes.chunks_exact_mut(4).zip(values).for_each(|(bytes, value)| bytes.copy_from_slice(&value.to_le_bytes()));
        Ok(())
    }
}

/// A setting of the architecture. Key heads are as many as heads if they are not given.
fn count(container: &Container, architecture: &Architecture, key: &str) -> Option<usize> {
    let get = |key: &str| container.table.get(&format!("{}.{key}", architecture.name)).and_then(Value::count);
    get(key).or_else(|| get("attention.head_count"))
}

/// The elements of rows that llama.cpp keeps as `[head, pair, half]`, in transformers' order `[head, half, pair]`.
fn rows_in_order(file: &mut File, tensor: &Tensor, elements: Range<usize>, d_head: usize) -> Result<Vec<f32>, String> {
    let width: usize = tensor.shape.iter().skip(1).product();
    let mut values = Vec::with_capacity(elements.len());
    let mut at = elements.start;
    while at < elements.end {
        let (row, column) = (at / width, at % width);
        let count = (width - column).min(elements.end - at);
        let (head, within) = (row / d_head, row % d_head);
        let (half, pair) = (within / (d_head / 2), within % (d_head / 2));
        let start = (head * d_head + 2 * pair + half) * width + column;
        values.extend(widened(file, tensor, start..start + count)?);
        at += count;
    }
    Ok(values)
}

/// A range of a tensor's elements in single precision.
fn widened(file: &mut File, tensor: &Tensor, elements: Range<usize>) -> Result<Vec<f32>, String> {
    let kind = tensor.kind;
    let blocks = elements.start / kind.numbers..elements.end.div_ceil(kind.numbers);
    let mut bytes = vec![0; blocks.len() * kind.bytes];
    let at = tensor.start + (blocks.start * kind.bytes) as u64;
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut bytes));
    read.map_err(|error| error.to_string())?;
    let mut values = vec![0.0; blocks.len() * kind.numbers];
    for (block, out) in bytes.chunks_exact(kind.bytes).zip(values.chunks_exact_mut(kind.numbers)) {
        (kind.widen)(block, out);
    }
    values.drain(..elements.start - blocks.start * kind.numbers);
    values.truncate(elements.len());
    Ok(values)
}

//! The tensors of an adapter, sorted by the module they change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;

use super::settings::Settings;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::language::text_name;
use crate::error::{Error, Result};
use crate::ground::files::is_there;

/// The start of every name in an adapter: PEFT's two wrappers.
const WRAPPED: &str = "base_model.model.";

/// The files in which an adapter's weights are.
const WEIGHTS: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];

/// A LoRA adapter of PEFT: what it changes in the model it was trained on.
#[derive(Debug)]
pub struct Adapter {
    folder: PathBuf,
    settings: Settings,
    /// Modules that get a low-rank product, by the name of the module.
    pub(in crate::checkpoint) products: BTreeMap<String, Target>,
    /// Tensors that are saved whole, by their name in the base model.
    pub(in crate::checkpoint) saved: BTreeMap<String, Part>,
}

/// The parts of one module's product.
#[derive(Clone, Debug, Default)]
pub(in crate::checkpoint) struct Target {
    /// `[rank, in]`; of an embedding `[rank, d_vocab]`.
    pub(in crate::checkpoint) a: Option<Part>,
    /// `[out, rank]`.
    pub(in crate::checkpoint) b: Option<Part>,
    /// `[out]`.
    pub(in crate::checkpoint) bias: Option<Part>,
    /// `[out]` (DoRA).
    pub(in crate::checkpoint) magnitude: Option<Part>,
    /// Whether the module is an embedding.
    pub(in crate::checkpoint) embedding: bool,
}

/// One tensor of an adapter.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Part {
    pub(in crate::checkpoint) shape: Vec<usize>,
    pub(in crate::checkpoint) values: Vec<f32>,
}

/// Which part of a product a tensor is.
#[derive(Clone, Copy)]
enum Role {
    A,
    B,
    Bias,
    Magnitude,
    EmbeddingA,
    EmbeddingB,
}

const ROLES: [(&str, Role); 8] = [
    ("lora_A.weight", Role::A),
    ("lora_B.weight", Role::B),
    ("lora_B.bias", Role::Bias),
    ("lora_magnitude_vector", Role::Magnitude),
    ("lora_magnitude_vector.weight", Role::Magnitude),
    ("lora_embedding_A", Role::EmbeddingA),
    ("lora_embedding_B", Role::EmbeddingB),
    ("lora_embedding_A.weight", Role::EmbeddingA),
];

impl Adapter {
    /// Reads the adapter of a folder: `adapter_config.json` and `adapter_model.safetensors`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if there is none, it is not a LoRA adapter, or it has a setting or a tensor that is not
    /// supported.
    pub fn open(folder: &Path) -> Result<Self> {
        let settings = Settings::read(folder)?;
        let mut adapter =
            Self { folder: folder.to_owned(), settings, products: BTreeMap::new(), saved: BTreeMap::new() };
        let mut weights = Checkpoint::of_file(&weights(folder)?)?;
        let names: Vec<String> = weights.tensors().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            let part = Part::of(weights.read(&name)?);
            adapter.sort(&name, part)?;
        }
        Ok(adapter)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The model it was trained on, as its config names it.
    pub fn base(&self) -> Option<&str> {
        self.settings.base.as_deref()
    }

    /// The factor of a module's product.
    pub(in crate::checkpoint) fn scaling(&self, module: &str, rank: usize) -> Result<f64> {
        self.settings.scaling(module, rank).map_err(|problem| self.problem(problem))
    }

    /// An error about this adapter.
    pub(in crate::checkpoint) fn problem(&self, problem: impl std::fmt::Display) -> Error {
        Error::file(&self.folder, format!("the adapter cannot be merged: {problem}"))
    }

    /// Whether it changes a tensor of the base model, whose names may lack this prefix.
    pub(in crate::checkpoint) fn touches(&self, tensor: &str, prefix: &str) -> bool {
        fn bare<'n>(name: &'n str, prefix: &str) -> &'n str {
            name.strip_prefix(prefix).unwrap_or(name)
        }
        let is = |name: &str| bare(name, prefix) == bare(tensor, prefix);
        self.saved.keys().any(|name| is(name)) || self.products.keys().any(|module| is(&format!("{module}.weight")))
    }

    fn sort(&mut self, name: &str, part: Part) -> Result<()> {
        let inner = name.strip_prefix(WRAPPED).unwrap_or(name).replace(".default", "");
        let inner = text_name(&inner).unwrap_or(inner);
        let found = ROLES.iter().find_map(|(end, role)| Some((inner.strip_suffix(end)?.strip_suffix('.')?, *role)));
        let Some((module, role)) = found else {
            if inner.contains("lora_") {
                return Err(self.problem(format!("`{name}` is not a tensor of LoRA that is known")));
            }
            self.saved.insert(inner.replace(".base_layer", "").replace(".modules_to_save", ""), part);
            return Ok(());
        };
        let target = self.products.entry(module.to_owned()).or_default();
        target.embedding |= matches!(role, Role::EmbeddingA | Role::EmbeddingB);
        let place = match role {
            Role::A | Role::EmbeddingA => &mut target.a,
            Role::B | Role::EmbeddingB => &mut target.b,
            Role::Bias => &mut target.bias,
            Role::Magnitude => &mut target.magnitude,
        };
        *place = Some(part);
        Ok(())
    }
}

impl Part {
    fn of(data: TensorData) -> Self {
        let shape = data.shape().to_vec();
        Self { shape, values: data.convert::<f32>().try_into_vec().expect("BUG: it was converted") }
    }
}

fn weights(folder: &Path) -> Result<PathBuf> {
    for name in WEIGHTS {
        let path = folder.join(name);
        if is_there(&path)? {
            return Ok(path);
        }
    }
    Err(Error::file(
        folder,
        "the adapter has no weights here: it needs adapter_model.safetensors; download it beside adapter_config.json",
    ))
}

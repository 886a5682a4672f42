//! A dictionary in `SAELens`'s format of version 6: `cfg.json` and `sae_weights.safetensors`.

use std::path::Path;

use burn::tensor::Tensor;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value, json};

use super::names::{Named, name_of};
use super::python_json;
use crate::device;
use crate::dictionary::architectures::Architecture;
use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::dictionary::Dictionary;
use crate::dictionary::parameters::Parameters;
use crate::error::{Error, Result};
use crate::ground::files;

/// The version whose format is written, for dictionaries whose files do not say one.
const VERSION: &str = "6.54.12";

impl Dictionary {
    /// Saves `cfg.json` and `sae_weights.safetensors`, which `SAELens` reads to the same numbers. The folder is made if it is
    /// not there. A dictionary that was read from such files gives the same bytes.
    ///
    /// As in `SAELens`, a batch-top-k dictionary is saved as the `JumpReLU` that it is after training.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for what `SAELens` has no name for, [`Error::Write`], and [`Error::Device`].
    pub fn save(&self, folder: &Path) -> Result<()> {
        let ready = self.clone().for_inference()?;
        let config = &ready.config;
        let named =
            Named { architecture: config.architecture.clone(), transcodes: config.transcodes, skip: config.skip };
        let unsupported = |why: String| Error::Unsupported { what: "saving this dictionary".into(), why };
        if config.sources > 1 {
            return Err(unsupported("SAELens has no crosscoders".into()));
        }
        let name = name_of(&named).map_err(unsupported)?;
        std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        write_weights(&ready.parameters(), &config.dtype, &folder.join("sae_weights.safetensors"))?;
        files::write_whole(&folder.join("cfg.json"), python_json::text(&cfg(config, name)))
    }

    /// The same dictionary as it is after training: a batch-top-k encoder becomes a `JumpReLU`, with its one threshold for all
    /// latents. Others stay as they are.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the threshold is not known yet.
    pub fn for_inference(self) -> Result<Self> {
        let (Architecture::BatchTopK(top)
        | Architecture::Matryoshka(crate::dictionary::architectures::Matryoshka { top, .. })) =
            self.config.architecture.clone()
        else {
            return Ok(self);
        };
        if top.threshold < 0.0 {
            let fix = "it is not known yet; train on, or set it".into();
            return Err(Error::Setting { setting: "threshold", value: top.threshold.to_string(), fix });
        }
        let trained = self.config.architecture.name();
        let mut folded = if top.rescale_acts_by_decoder_norm { self.fold_decoder_norm()? } else { self };
        let threshold = Tensor::full([folded.config.d_sae], top.threshold, &folded.device());
        folded.config.architecture = crate::dictionary::architectures::JumpRelu::default().into();
        if !folded.config.metadata.0.contains_key("training_architecture") {
            folded.config.metadata = folded.config.metadata.with("training_architecture", trained);
        }
        let parameters = Parameters { threshold: Some(threshold), ..folded.parameters() };
        Self::of(folded.config, parameters)
    }
}

/// The settings, in the order of `SAELens`'s own classes.
fn cfg(config: &DictionaryConfig, name: &str) -> Map<String, Value> {
    let mut facts = config.metadata.0.clone();
    facts.entry("sae_lens_version").or_insert(VERSION.into());
    let reshape = if config.joins_heads { "hook_z" } else { "none" };
    let mut cfg = Map::new();
    for (key, value) in [
        ("d_in", json!(config.d_in)),
        ("d_sae", json!(config.d_sae)),
        ("dtype", json!(config.dtype)),
        ("device", json!("cpu")),
        ("apply_b_dec_to_input", json!(config.apply_b_dec_to_input)),
        ("normalize_activations", json!(config.normalization)),
        ("reshape_activations", json!(reshape)),
        ("metadata", Value::Object(facts)),
    ] {
        cfg.insert(key.to_owned(), value);
    }
    if let Architecture::TopK(top) = &config.architecture {
        cfg.insert("k".into(), json!(top.k));
        cfg.insert("rescale_acts_by_decoder_norm".into(), json!(top.rescale_acts_by_decoder_norm));
    }
    if config.transcodes {
        cfg.insert("d_out".into(), json!(config.d_out));
    }
    cfg.insert("architecture".into(), json!(name));
    cfg
}

fn write_weights(parameters: &Parameters, dtype: &str, path: &Path) -> Result<()> {
    let vectors =
        |name: &'static str, x: Option<&Tensor<1>>| x.map(|x| (name, vec![x.dims()[0]], device::read(x.clone())));
    let matrix = |name: &'static str, x: &Tensor<2>| Some((name, x.dims().to_vec(), device::read(x.clone())));
    let gate = parameters.gate.as_ref();
    let held = [
        matrix("W_enc", &parameters.w_enc),
        matrix("W_dec", &parameters.w_dec),
        parameters.w_skip.as_ref().and_then(|skip| matrix("W_skip", &skip.clone().transpose())),
        vectors("b_enc", parameters.b_enc.as_ref()),
        vectors("b_dec", Some(&parameters.b_dec)),
        vectors("threshold", parameters.threshold.as_ref()),
        vectors("b_gate", gate.map(|gate| &gate.b_gate)),
        vectors("b_mag", gate.map(|gate| &gate.b_mag)),
        vectors("r_mag", gate.map(|gate| &gate.r_mag)),
    ];
    let mut tensors = Vec::new();
    for (name, shape, values) in held.into_iter().flatten() {
        let (dtype, bytes) = narrowed(&values?, dtype)?;
        tensors.push((name, shape, dtype, bytes));
    }
    let views = tensors.iter().map(|(name, shape, dtype, bytes)| {
        (*name, TensorView::new(*dtype, shape.clone(), bytes).expect("BUG: the bytes are those of the shape"))
    });
    let broken = |error: safetensors::SafeTensorError| Error::file(path, error);
    files::write_whole(path, safetensors::serialize(views, None).map_err(broken)?)
}

/// Numbers in the element type of this name. Those that were read in it come back as they were.
fn narrowed(values: &[f32], dtype: &str) -> Result<(Dtype, Vec<u8>)> {
    Ok(match dtype {
        "float32" => (Dtype::F32, values.iter().flat_map(|x| x.to_le_bytes()).collect()),
        "float64" => (Dtype::F64, values.iter().flat_map(|x| f64::from(*x).to_le_bytes()).collect()),
        "float16" => (Dtype::F16, values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect()),
        "bfloat16" => (Dtype::BF16, values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect()),
        other => {
            let fix = "give `float32`, `float16`, `bfloat16` or `float64`".into();
            return Err(Error::Setting { setting: "dtype", value: format!("`{other}`"), fix });
        }
    })
}

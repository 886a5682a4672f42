//! `dictionary_learning`: `config.json` and its state as `ae.safetensors` (or, if asked, `ae.pt`).
//!
//! `config.json` says which class it is; the tensors alone do not. `JumpReluAutoEncoder` and `AutoEncoderNew` do not subtract
//! `b_dec` from the input. A top-k dictionary's stored threshold is not used by its own encoder.

use std::path::Path;

use burn::tensor::Tensor;
use serde_json::{Map, Value};

use super::format::Found;
use super::place::{Place, size};
use super::tensors::Tensors;
use crate::dictionary::architectures::{Architecture, BatchTopK, Gated, JumpRelu, Matryoshka, Standard, TopK};
use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::metadata::Metadata;
use crate::dictionary::parameters::{Gate, Parameters};
use crate::error::{Error, Result};
use crate::ground::nearest::nearest;

/// The classes that are read.
const CLASSES: [&str; 7] = [
    "AutoEncoder",
    "AutoEncoderNew",
    "GatedAutoEncoder",
    "AutoEncoderTopK",
    "BatchTopKSAE",
    "MatryoshkaBatchTopKSAE",
    "JumpReluAutoEncoder",
];

pub(super) fn read(place: &Place) -> Result<Found> {
    of_file(place, "ae.safetensors")
}

/// The same for either file.
pub(super) fn of_file(place: &Place, file: &str) -> Result<Found> {
    let path = place.file("config.json");
    let cfg = place.object("config.json")?;
    let Some(Value::Object(trainer)) = cfg.get("trainer") else {
        return Err(Error::file(&path, "it has no `trainer`, which says what the dictionary is; download it again"));
    };
    let class = trainer.get("dict_class").and_then(Value::as_str).unwrap_or("AutoEncoder");
    let mut tensors = place.tensors(file)?;
    let architecture = architecture(class, trainer, &path, &mut tensors)?;
    let mut config = DictionaryConfig::autoencoder(
        size(trainer, "activation_dim", &path)?,
        size(trainer, "dict_size", &path)?,
        architecture,
    );
    config.apply_b_dec_to_input = !["JumpReluAutoEncoder", "AutoEncoderNew"].contains(&class);
    config.metadata = metadata(trainer, &cfg);
    let parameters = parameters(&config, &mut tensors)?;
    tensors.all_taken("dictionary_learning")?;
    Ok((config, parameters))
}

fn architecture(class: &str, trainer: &Map<String, Value>, path: &Path, tensors: &mut Tensors) -> Result<Architecture> {
    let mut top = || {
        let k = if tensors.has("k") { tensors.scalar("k")? as usize } else { size(trainer, "k", path)? };
        let threshold = if tensors.has("threshold") { f64::from(tensors.scalar("threshold")?) } else { -1.0 };
        Ok::<_, Error>((k, BatchTopK { k: k as f64, rescale_acts_by_decoder_norm: false, threshold }))
    };
    Ok(match class {
        "AutoEncoder" | "AutoEncoderNew" => Standard.into(),
        "GatedAutoEncoder" => Gated.into(),
        "AutoEncoderTopK" => TopK { k: top()?.0, rescale_acts_by_decoder_norm: false }.into(),
        "BatchTopKSAE" => top()?.1.into(),
        "MatryoshkaBatchTopKSAE" => {
            let top = top()?.1;
            let sizes = tensors.integers("group_sizes")?;
            let widths = sizes.iter().scan(0, |sum, size| {
                *sum = usize::saturating_add(*sum, usize::try_from(*size).unwrap_or(0));
                Some(*sum)
            });
            Matryoshka { top, widths: widths.collect() }.into()
        }
        "JumpReluAutoEncoder" => JumpRelu::default().into(),
        other => {
            let near = nearest(other, &CLASSES).unwrap_or_default();
            let problem = format!("`dict_class` is \"{other}\", which is not read; did you mean `{near}`?");
            return Err(Error::file(path, problem));
        }
    })
}

fn parameters(config: &DictionaryConfig, tensors: &mut Tensors) -> Result<Parameters> {
    let parts = config.architecture.encoder().parts();
    let gate = if parts.gate {
        Some(Gate {
            b_gate: tensors.vector("gate_bias")?,
            b_mag: tensors.vector("mag_bias")?,
            r_mag: tensors.vector("r_mag")?,
        })
    } else {
        None
    };
    let w_enc = either(tensors, "W_enc", "encoder.weight")?;
    let count = w_enc.dims()[1];
    let bias = first(tensors, &["b_dec", "bias", "decoder_bias", "decoder.bias"]);
    let encoder_bias = first(tensors, &["b_enc", "encoder.bias"]);
    Ok(Parameters {
        w_enc,
        b_enc: if parts.gate { None } else { Some(tensors.vector(encoder_bias)?) },
        w_dec: either(tensors, "W_dec", "decoder.weight")?,
        b_dec: tensors.vector(bias)?,
        w_skip: None,
        threshold: if parts.threshold.is_some() { Some(tensors.spread("threshold", count)?) } else { None },
        gate,
        centred: config.apply_b_dec_to_input,
    })
}

/// The first of these names that is there; the first of all if none is, for the error.
fn first(tensors: &Tensors, names: &[&'static str]) -> &'static str {
    names.iter().find(|name| tensors.has(name)).or(names.first()).copied().unwrap_or_default()
}

/// A matrix `[in, out]`: under its own name, or that of a linear layer, which is stored turned.
fn either(tensors: &mut Tensors, own: &str, linear: &str) -> Result<Tensor<2>> {
    if tensors.has(own) { tensors.matrix(own) } else { tensors.turned(linear) }
}

fn metadata(trainer: &Map<String, Value>, cfg: &Map<String, Value>) -> Metadata {
    let mut metadata = Metadata::default();
    for (theirs, ours) in [("lm_name", "model_name"), ("submodule_name", "submodule_name")] {
        if let Some(value) = trainer.get(theirs).filter(|value| !value.is_null()) {
            metadata = metadata.with(ours, value.clone());
        }
    }
    if let Some(size) = cfg.get("buffer").and_then(|buffer| buffer.get("ctx_len")) {
        metadata = metadata.with("context_size", size.clone());
    }
    let layer = trainer.get("layer").and_then(Value::as_u64);
    let module = trainer.get("submodule_name").and_then(Value::as_str).unwrap_or("resid_post");
    let kinds = [("resid", "resid_post"), ("mlp", "mlp.out"), ("attn", "attn.out"), ("attention", "attn.out")];
    match (layer, kinds.into_iter().find(|(kind, _)| module.contains(kind))) {
        (Some(layer), Some((_, site))) => metadata.with("hook_name", format!("blocks.{layer}.{site}")),
        _ => metadata,
    }
}

//! Llama Scope: `hyperparams.json` and `checkpoints/final.safetensors`, as linear layers (<https://arxiv.org/abs/2410.20526>).
//!
//! It was trained on activations scaled to a mean norm of `√d`; the factor is folded here, as `SAELens` folds it (whose
//! loader its authors wrote): with it the one threshold of all latents.

use serde_json::{Map, Value};

use super::format::Found;
use super::place::{Place, size};
use super::sites;
use crate::dictionary::architectures::JumpRelu;
use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::metadata::Metadata;
use crate::dictionary::parameters::Parameters;
use crate::error::{Error, Result};
use burn::tensor::Tensor;

pub(super) fn read(place: &Place) -> Result<Found> {
    let path = place.file("hyperparams.json");
    let cfg = place.object("hyperparams.json")?;
    let positive = |value: Option<&Value>, key: &str| {
        value.and_then(Value::as_f64).filter(|number| number.is_finite() && *number > 0.0).ok_or_else(|| {
            Error::file(&path, format!("`{key}` is missing or not a positive number; download it again"))
        })
    };
    let (d_in, d_sae) = (size(&cfg, "d_model", &path)?, size(&cfg, "d_sae", &path)?);
    let norms = cfg.get("dataset_average_activation_norm").and_then(|norms| norms.get("in"));
    let scale = (d_in as f64).sqrt() / positive(norms, "dataset_average_activation_norm.in")?;
    let threshold = positive(cfg.get("jump_relu_threshold"), "jump_relu_threshold")? * scale;
    let mut config = DictionaryConfig::autoencoder(d_in, d_sae, JumpRelu::default());
    config.apply_b_dec_to_input = false;
    config.metadata = metadata(&cfg)?;
    let mut tensors = place.tensors("checkpoints/final.safetensors")?;
    let w_enc = tensors.turned("encoder.weight")? * scale;
    let count = w_enc.dims()[1];
    let parameters = Parameters {
        w_enc,
        b_enc: Some(tensors.vector("encoder.bias")?),
        w_dec: tensors.turned("decoder.weight")? / scale,
        b_dec: tensors.vector("decoder.bias")? / scale,
        w_skip: None,
        threshold: Some(Tensor::full([count], threshold, &place.device)),
        gate: None,
        centred: false,
    };
    tensors.all_taken("Llama Scope")?;
    Ok((config, parameters))
}

fn metadata(cfg: &Map<String, Value>) -> Result<Metadata> {
    let hook = cfg.get("hook_point_in").and_then(Value::as_str);
    sites::check(hook)?;
    let metadata = Metadata::default().with("model_name", "meta-llama/Llama-3.1-8B");
    Ok(match hook {
        Some(hook) => metadata.with("hook_name", hook),
        None => metadata,
    })
}

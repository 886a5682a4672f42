//! `SAELens`: `cfg.json` and `sae_weights.safetensors`, of every version.
//!
//! Before version 6 the config was flat, with other names; a top-k dictionary was a standard one with an activation
//! function (its issue 553: read as such, it is another dictionary).

use std::path::Path;

use serde_json::{Map, Value};

use super::format::Found;
use super::names::{Named, named};
use super::place::{Place, flag, size};
use super::sites;
use super::tensors::Tensors;
use crate::dictionary::architectures::Architecture;
use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::metadata::Metadata;
use crate::dictionary::normalization::Normalization;
use crate::dictionary::parameters::{Gate, Parameters};
use crate::error::{Error, Result};

/// Facts that a flat config has beside the settings.
const FACTS: [&str; 17] = [
    "model_name",
    "hook_name",
    "model_class_name",
    "hook_head_index",
    "model_from_pretrained_kwargs",
    "prepend_bos",
    "exclude_special_tokens",
    "neuronpedia_id",
    "context_size",
    "seqpos_slice",
    "dataset_path",
    "sae_lens_version",
    "sae_lens_training_version",
    "hook_name_out",
    "hook_head_index_out",
    "hf_hook_name",
    "hf_hook_name_out",
];

pub(super) fn read(place: &Place) -> Result<Found> {
    let path = place.file("cfg.json");
    let cfg = current(place.object("cfg.json")?);
    let mut config = config(&cfg, &path)?;
    sites::check(config.metadata.site())?;
    sites::check(config.metadata.site_out())?;
    let mut tensors = place.tensors("sae_weights.safetensors")?;
    let parameters = parameters(&mut config, &cfg, &mut tensors)?;
    tensors.all_taken("SAELens")?;
    Ok((config, parameters))
}

/// The config in the form of version 6.
fn current(mut cfg: Map<String, Value>) -> Map<String, Value> {
    let version = cfg.get("metadata").and_then(|facts| facts.get("sae_lens_version")).or(cfg.get("sae_lens_version"));
    let major = version.and_then(Value::as_str).and_then(|text| text.split('.').next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major >= 6) {
        return cfg;
    }
    for (old, new) in [
        ("hook_point", "hook_name"),
        ("hook_point_head_index", "hook_head_index"),
        ("activation_fn_str", "activation_fn"),
    ] {
        if let Some(value) = cfg.remove(old) {
            cfg.entry(new).or_insert(value);
        }
    }
    let of_heads = cfg.get("hook_name").and_then(Value::as_str).is_some_and(|name| name.contains("hook_z"));
    cfg.entry("reshape_activations").or_insert_with(|| if of_heads { "hook_z" } else { "none" }.into());
    cfg.entry("prepend_bos").or_insert(true.into());
    let k = cfg.get("activation_fn_kwargs").and_then(|settings| settings.get("k")).cloned();
    if let Some(k) = k.filter(|_| cfg.get("activation_fn").and_then(Value::as_str) == Some("topk")) {
        cfg.insert("architecture".into(), "topk".into());
        cfg.insert("k".into(), k);
    }
    if let Some(scaled) = cfg.get("normalize_activations").and_then(Value::as_bool) {
        let name = if scaled { "expected_average_only_in" } else { "none" };
        cfg.insert("normalize_activations".into(), name.into());
    }
    let facts: Map<String, Value> = cfg
        .iter()
        .filter(|(name, _)| FACTS.contains(&name.as_str()))
        .map(|(name, fact)| (name.clone(), fact.clone()))
        .collect();
    cfg.entry("metadata").or_insert(Value::Object(facts));
    cfg
}

fn config(cfg: &Map<String, Value>, path: &Path) -> Result<DictionaryConfig> {
    let text = |key: &str| cfg.get(key).and_then(Value::as_str);
    let broken = |problem: String| Error::file(path, problem);
    let activation = text("activation_fn").unwrap_or("relu");
    if !["relu", "topk"].contains(&activation) {
        return Err(broken(format!("`activation_fn` is \"{activation}\": only relu and topk are read")));
    }
    let Named { architecture, transcodes, skip } = named(text("architecture").unwrap_or("standard")).map_err(broken)?;
    let d_in = size(cfg, "d_in", path)?;
    let metadata = match cfg.get("metadata") {
        Some(Value::Object(facts)) => Metadata(facts.clone()),
        _ => Metadata::default(),
    };
    Ok(DictionaryConfig {
        d_in,
        d_sae: size(cfg, "d_sae", path)?,
        d_out: if transcodes { size(cfg, "d_out", path)? } else { d_in },
        architecture: with_settings(architecture, cfg, path)?,
        apply_b_dec_to_input: flag(cfg, "apply_b_dec_to_input", path)?.unwrap_or(!transcodes),
        transcodes,
        skip,
        sources: 1,
        joins_heads: text("reshape_activations") == Some("hook_z"),
        normalization: normalization(cfg, path)?,
        dtype: text("dtype").unwrap_or("float32").trim_start_matches("torch.").to_owned(),
        metadata,
    })
}

fn with_settings(architecture: Architecture, cfg: &Map<String, Value>, path: &Path) -> Result<Architecture> {
    let number = |key: &str| {
        cfg.get(key)
            .and_then(Value::as_f64)
            .ok_or_else(|| Error::file(path, format!("`{key}` is missing: give a number")))
    };
    let rescale = |otherwise| Ok::<_, Error>(flag(cfg, "rescale_acts_by_decoder_norm", path)?.unwrap_or(otherwise));
    Ok(match architecture {
        Architecture::TopK(mut top) => {
            (top.k, top.rescale_acts_by_decoder_norm) = (size(cfg, "k", path)?, rescale(false)?);
            top.into()
        }
        Architecture::BatchTopK(mut top) => {
            (top.k, top.rescale_acts_by_decoder_norm) = (number("k")?, rescale(true)?);
            top.into()
        }
        Architecture::Matryoshka(mut of) => {
            (of.top.k, of.top.rescale_acts_by_decoder_norm) = (number("k")?, rescale(true)?);
            let widths = cfg.get("matryoshka_widths").cloned().unwrap_or_default();
            of.widths = serde_json::from_value(widths)
                .map_err(|error| Error::file(path, format!("`matryoshka_widths`: {error}; give a list of widths")))?;
            of.into()
        }
        other => other,
    })
}

fn normalization(cfg: &Map<String, Value>, path: &Path) -> Result<Normalization> {
    let found = cfg.get("normalize_activations").filter(|found| !found.is_null()).cloned().unwrap_or("none".into());
    serde_json::from_value(found.clone()).map_err(|_| {
        let known = "none, expected_average_only_in, layer_norm, constant_norm_rescale and covariance_whitening";
        Error::file(path, format!("`normalize_activations` is {found}: known are {known}"))
    })
}

fn parameters(config: &mut DictionaryConfig, cfg: &Map<String, Value>, tensors: &mut Tensors) -> Result<Parameters> {
    let parts = config.architecture.encoder().parts();
    let threshold = match parts.threshold {
        None => None,
        Some(_) if tensors.has("log_threshold") => Some(tensors.vector("log_threshold")?.exp()),
        Some(_) => Some(tensors.vector("threshold")?),
    };
    if tensors.has("topk_threshold") {
        let found = f64::from(tensors.scalar("topk_threshold")?);
        config.architecture.set_batch_threshold(found);
    }
    let gate = if parts.gate {
        Some(Gate {
            b_gate: tensors.vector("b_gate")?,
            b_mag: tensors.vector("b_mag")?,
            r_mag: tensors.vector("r_mag")?,
        })
    } else {
        None
    };
    let mut w_dec = tensors.matrix("W_dec")?;
    if let Some(factors) = finetuned(cfg, tensors)? {
        if factors.dims()[0] != w_dec.dims()[0] {
            let problem =
                format!("`scaling_factor` has {} numbers, `W_dec` {} rows", factors.dims()[0], w_dec.dims()[0]);
            return Err(Error::file(tensors.path(), problem));
        }
        w_dec = w_dec * factors.unsqueeze_dim::<2>(1);
    }
    Ok(Parameters {
        w_enc: tensors.matrix("W_enc")?,
        b_enc: if parts.gate { None } else { Some(tensors.vector("b_enc")?) },
        w_dec,
        b_dec: tensors.vector("b_dec")?,
        w_skip: if config.skip { Some(tensors.turned("W_skip")?) } else { None },
        threshold,
        gate,
        centred: config.apply_b_dec_to_input,
    })
}

/// Factors of latents that finetuning left, which older versions multiply them by before they decode. All ones: none.
fn finetuned(cfg: &Map<String, Value>, tensors: &mut Tensors) -> Result<Option<burn::tensor::Tensor<1>>> {
    if !tensors.has("scaling_factor") {
        return Ok(None);
    }
    let factors = tensors.vector("scaling_factor")?;
    if crate::device::read(factors.clone())?.iter().all(|factor| (factor - 1.0).abs() < 1e-5) {
        return Ok(None);
    }
    if flag(cfg, "finetuning_scaling_factor", tensors.path())? == Some(true) {
        return Ok(Some(factors));
    }
    let problem = "it has a `scaling_factor` other than 1, but `finetuning_scaling_factor` of cfg.json is not true; set it to true if \
                   latents are to be multiplied by it, or remove the tensor";
    Err(Error::file(tensors.path(), problem))
}

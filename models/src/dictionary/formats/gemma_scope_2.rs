//! Gemma Scope 2: `params.safetensors` with the names of Gemma Scope, and `config.json`, which may be absent.
//!
//! Transcoders may have `affine_skip_connection`, `[d_in, d_out]`.

use serde_json::{Map, Value};

use super::format::Found;
use super::place::{Place, flag};
use super::sites;
use super::tensors::Tensors;
use crate::dictionary::architectures::JumpRelu;
use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::metadata::Metadata;
use crate::dictionary::parameters::Parameters;
use crate::error::{Error, Result};

/// What a part of the path says: the site, and the one that is predicted.
const KINDS: [(&str, &str, Option<&str>); 5] = [
    ("transcoder", "mlp_read", Some("mlp_out")),
    ("clt", "mlp_read", Some("mlp_out")),
    ("resid_post", "resid_post", None),
    ("attn_out", "attn.z", None),
    ("mlp_out", "mlp_out", None),
];

const SKIP: &str = "affine_skip_connection";

pub(super) fn read(place: &Place) -> Result<Found> {
    let path = place.file("config.json");
    let cfg = place.object_if_there("config.json")?.unwrap_or_default();
    let architecture = cfg.get("architecture").and_then(Value::as_str).unwrap_or("jump_relu");
    if architecture != "jump_relu" {
        return Err(Error::file(&path, format!("`architecture` is \"{architecture}\": only jump_relu is read")));
    }
    let mut tensors = place.tensors("params.safetensors")?;
    check_axes(&tensors)?;
    let metadata = metadata(place, &cfg)?;
    let transcodes = metadata.site_out().is_some();
    let (w_enc, w_dec) = (tensors.matrix("w_enc")?, tensors.matrix("w_dec")?);
    let ([d_in, d_sae], [_, d_out]) = (w_enc.dims(), w_dec.dims());
    let mut config = if transcodes {
        DictionaryConfig::transcoder(d_in, d_sae, d_out, JumpRelu::default())
    } else {
        DictionaryConfig::autoencoder(d_in, d_sae, JumpRelu::default())
    };
    config.apply_b_dec_to_input = false;
    config.joins_heads = metadata.site().is_some_and(|site| site.ends_with("attn.z"));
    config.skip = tensors.has(SKIP);
    config.metadata = metadata;
    if flag(&cfg, "affine_connection", &path)?.is_some_and(|there| there != config.skip) {
        let problem =
            format!("`affine_connection` is {}, but the weights say otherwise; download both again", !config.skip);
        return Err(Error::file(&path, problem));
    }
    let parameters = Parameters {
        w_enc,
        b_enc: Some(tensors.vector("b_enc")?),
        w_dec,
        b_dec: tensors.vector("b_dec")?,
        w_skip: if config.skip { Some(tensors.matrix(SKIP)?) } else { None },
        threshold: Some(tensors.vector("threshold")?),
        gate: None,
        centred: false,
    };
    tensors.all_taken("Gemma Scope 2")?;
    Ok((config, parameters))
}

/// A cross-layer transcoder's decoder, and a crosscoder's weights, have an axis more.
fn check_axes(tensors: &Tensors) -> Result<()> {
    match tensors.shape("w_dec") {
        Some(shape) if shape.len() > 2 => {
            let problem =
                format!("`w_dec` has shape {shape:?}: it writes to several layers; open its folder with `CrossLayer`");
            Err(Error::file(tensors.path(), problem))
        }
        _ => Ok(()),
    }
}

fn metadata(place: &Place, cfg: &Map<String, Value>) -> Result<Metadata> {
    let mut metadata = Metadata::default();
    if let Some(model) = cfg.get("model_name") {
        metadata = metadata.with("model_name", model.clone());
    }
    // An autoencoder's config names its site twice.
    let [from, into] = ["hf_hook_point_in", "hf_hook_point_out"].map(|key| cfg.get(key).and_then(Value::as_str));
    let into = into.filter(|into| from != Some(*into));
    for (kept, hook) in [("hf_hook_name", from), ("hf_hook_name_out", into)] {
        if let Some(hook) = hook {
            metadata = metadata.with(kept, hook);
        }
    }
    let site = |hook: Option<&str>| hook.map(|hook| sites::site(hook).map(|site| site.to_string())).transpose();
    let (site, out) = if from.is_some() { (site(from)?, site(into)?) } else { of_path(place) };
    for (name, site) in [("hook_name", site), ("hook_name_out", out)] {
        if let Some(site) = site {
            metadata = metadata.with(name, site);
        }
    }
    Ok(metadata)
}

/// The sites that the path says, where there is no config.
fn of_path(place: &Place) -> (Option<String>, Option<String>) {
    let kind = KINDS.iter().find(|(kind, ..)| place.name.contains(kind));
    match (kind, place.number_after("layer_")) {
        (Some((_, site, out)), Some(layer)) => {
            (Some(format!("blocks.{layer}.{site}")), out.map(|out| format!("blocks.{layer}.{out}")))
        }
        _ => (None, None),
    }
}

//! sparsify (`EleutherAI`): `cfg.json` and `sae.safetensors`.
//!
//! As its own forward computes: `W_dec` is `[d_sae, d_out]`, and `b_dec` is subtracted from the input unless it transcodes.
//! `SAELens`'s loader transposes `W_dec` and takes the subtraction from `normalize_decoder`; both give other numbers.

use serde_json::Value;

use super::format::Found;
use super::place::{Place, flag, size};
use super::sites;
use crate::dictionary::architectures::TopK;
use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::metadata::Metadata;
use crate::dictionary::parameters::Parameters;
use crate::error::{Error, Result};

const FILE: &str = "sae.safetensors";

pub(super) fn read(place: &Place) -> Result<Found> {
    let path = place.file("cfg.json");
    let cfg = place.object("cfg.json")?;
    let activation = cfg.get("activation").and_then(Value::as_str).unwrap_or("topk");
    if activation != "topk" {
        return Err(Error::file(&path, format!("`activation` is \"{activation}\": only topk is read")));
    }
    if flag(&cfg, "signed", &path)? == Some(true) {
        return Err(Error::file(&path, "`signed` is true: latents that may be negative are not read"));
    }
    for (key, what) in [("embed_skip", "a path from the embedding"), ("gram_lookup", "a table of n-grams")] {
        if flag(&cfg, key, &path)? == Some(true) {
            return Err(Error::file(&path, format!("`{key}` is true: {what} is not read")));
        }
    }
    let d_in = size(&cfg, "d_in", &path)?;
    let d_sae = match cfg.get("num_latents").and_then(Value::as_u64) {
        Some(count) if count > 0 => count as usize,
        _ => d_in.saturating_mul(size(&cfg, "expansion_factor", &path)?),
    };
    let top = TopK { k: size(&cfg, "k", &path)?, rescale_acts_by_decoder_norm: false };
    let transcodes = flag(&cfg, "transcode", &path)?.unwrap_or(false);
    let mut tensors = place.tensors(FILE)?;
    let Some(&[d_sae_of_file, d_out]) = tensors.shape("W_dec") else {
        return Err(Error::file(tensors.path(), "it has no matrix `W_dec`; download it again"));
    };
    let mut config = if transcodes {
        DictionaryConfig::transcoder(d_in, d_sae, d_out, top)
    } else {
        DictionaryConfig::autoencoder(d_in, d_sae, top)
    };
    config.skip = transcodes && flag(&cfg, "skip_connection", &path)?.unwrap_or(false);
    config.metadata = metadata(place, transcodes)?;
    if d_sae_of_file != d_sae {
        let problem =
            format!("`W_dec` has {d_sae_of_file} rows, but cfg.json says {d_sae} latents; download both again");
        return Err(Error::file(tensors.path(), problem));
    }
    let parameters = Parameters {
        w_enc: tensors.turned("encoder.weight")?,
        b_enc: Some(tensors.vector("encoder.bias")?),
        w_dec: tensors.matrix("W_dec")?,
        b_dec: tensors.vector("b_dec")?,
        w_skip: if config.skip { Some(tensors.turned("W_skip")?) } else { None },
        threshold: None,
        gate: None,
        centred: config.apply_b_dec_to_input,
    };
    tensors.all_taken("sparsify")?;
    Ok((config, parameters))
}

/// The folder is named after the module whose output was encoded, or predicted from its input; the model is in the file beside
/// the folder.
fn metadata(place: &Place, transcodes: bool) -> Result<Metadata> {
    let folder = place.name.trim_end_matches('/').rsplit(['/', '\\']).next().unwrap_or_default();
    let mut metadata = Metadata::default();
    let read = if transcodes { format!("{folder}.input") } else { folder.to_owned() };
    for (name, module, there) in [("hook_name", &*read, true), ("hook_name_out", folder, transcodes)] {
        if let Some(site) = sites::site(module).ok().filter(|_| there) {
            metadata = metadata.with(name, site.to_string()).with(&format!("hf_{name}"), module);
        }
    }
    let Some(run) = place.object_if_there("../config.json")? else { return Ok(metadata) };
    for (theirs, ours) in [("model", "model_name"), ("dataset", "dataset_path"), ("ctx_len", "context_size")] {
        if let Some(value) = run.get(theirs) {
            metadata = metadata.with(ours, value.clone());
        }
    }
    Ok(metadata)
}

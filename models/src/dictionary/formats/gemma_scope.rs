//! Gemma Scope: `params.npz` with `w_enc` `[d_in, d_sae]`, `w_dec` `[d_sae, d_out]`, `b_enc`, `b_dec` and `threshold`.
//!
//! `f = ReLU(z) 1[z > θ]` with `z = x w_enc + b_enc`: `b_dec` is not subtracted. What it is of stands in its path alone:
//! `google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71`. Source: <https://arxiv.org/abs/2408.05147>.

use super::format::Found;
use super::place::Place;
use crate::dictionary::architectures::JumpRelu;
use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::metadata::Metadata;
use crate::dictionary::parameters::Parameters;
use crate::error::{Error, Result};

/// Spellings of a parameter: those of autoencoders, and of transcoders.
const SPELLINGS: [(&str, [&str; 2]); 2] = [("w_enc", ["w_enc", "W_enc"]), ("w_dec", ["w_dec", "W_dec"])];

pub(super) fn read(place: &Place) -> Result<Found> {
    let mut tensors = place.tensors("params.npz")?;
    let [encoder, decoder] =
        SPELLINGS.map(|(name, spellings)| spellings.into_iter().find(|spelling| tensors.has(spelling)).unwrap_or(name));
    let (mut w_enc, mut w_dec) = (tensors.matrix(encoder)?, tensors.matrix(decoder)?);
    let mut b_dec = tensors.vector("b_dec")?;
    let ([d_in, d_sae], [_, d_out]) = (w_enc.dims(), w_dec.dims());
    let mut config = if place.name.contains("transcoder") {
        DictionaryConfig::transcoder(d_in, d_sae, d_out, JumpRelu::default())
    } else {
        DictionaryConfig::autoencoder(d_in, d_sae, JumpRelu::default())
    };
    config.apply_b_dec_to_input = false;
    config.joins_heads = place.name.contains("-att");
    config.metadata = metadata(place)?;
    if place.name.contains("embedding") {
        // It is of the embedding before the model multiplies it by √d.
        let root = (d_in as f64).sqrt();
        (w_enc, w_dec, b_dec) = (w_enc / root, w_dec * root, b_dec * root);
    }
    let parameters = Parameters {
        w_enc,
        b_enc: Some(tensors.vector("b_enc")?),
        w_dec,
        b_dec,
        w_skip: None,
        threshold: Some(tensors.vector("threshold")?),
        gate: None,
        centred: false,
    };
    tensors.all_taken("Gemma Scope")?;
    Ok((config, parameters))
}

/// Model and site, as far as the path says them.
fn metadata(place: &Place) -> Result<Metadata> {
    let mut metadata = Metadata::default();
    if let Some(repository) = place.name.split('/').find_map(|part| part.strip_prefix("gemma-scope-")) {
        let model: Vec<&str> = repository.split('-').take(2).collect();
        metadata = metadata.with("model_name", format!("google/gemma-2-{}", model.join("-").trim_end_matches("-pt")));
    }
    if place.name.contains("embedding") {
        return Ok(metadata.with("hook_name", "embed"));
    }
    let Some(layer) = place.number_after("layer_") else { return Ok(metadata) };
    let kinds = [("-res", "resid_post"), ("-mlp", "mlp_out"), ("-att", "attn.z"), ("transcoder", "ln2.normalized")];
    let Some((_, site)) = kinds.into_iter().find(|(kind, _)| place.name.contains(kind)) else {
        let problem = format!(
            "its path `{}` does not say what it is of; keep the name of its repository in it, such as gemma-scope-2b-pt-res",
            place.name
        );
        return Err(Error::file(&place.path, problem));
    };
    metadata = metadata.with("hook_name", format!("blocks.{layer}.{site}"));
    Ok(if site == "ln2.normalized" {
        metadata.with("hook_name_out", format!("blocks.{layer}.mlp_out"))
    } else {
        metadata
    })
}

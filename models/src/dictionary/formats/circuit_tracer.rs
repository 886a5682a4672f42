//! circuit-tracer's transcoders of one layer: `layer_{n}.safetensors` with `W_enc` `[d_sae, d_in]`, `W_dec` `[d_sae, d_out]`,
//! `b_enc`, `b_dec`, and perhaps `W_skip` `[d_out, d_in]` and `activation_function.threshold`.
//!
//! `config.yaml` beside it says where it reads and writes (`feature_input_hook`, `feature_output_hook`).

use std::path::Path;

use super::format::Found;
use super::place::Place;
use super::sites;
use crate::dictionary::architectures::{Architecture, JumpRelu, Standard};
use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::metadata::Metadata;
use crate::dictionary::parameters::Parameters;
use crate::error::{Error, Result};
use crate::ground::files;

const THRESHOLD: &str = "activation_function.threshold";

/// Repositories whose latents are top-k, which these files cannot say.
const TOP_K: [&str; 1] = ["crv-8b-instruct-transcoders"];

/// Limit on the bytes of `config.yaml`.
const CONFIG: u64 = 1 << 20;

pub(super) fn read(place: &Place) -> Result<Found> {
    let mut tensors = place.tensors_of(place.path.clone())?;
    let (w_enc, w_dec) = (tensors.turned("W_enc")?, tensors.matrix("W_dec")?);
    let ([d_in, d_sae], [_, d_out]) = (w_enc.dims(), w_dec.dims());
    let jumps = tensors.has(THRESHOLD);
    if let Some(name) =
        TOP_K.iter().find(|name| place.name.contains(**name)).filter(|_| !jumps && place.top_k.is_none())
    {
        let problem = format!(
            "the latents of `{name}` are top-k, and k is only in its authors' code; set `DictionaryOptions {{ top_k: Some(k), .. }}`"
        );
        return Err(Error::file(&place.path, problem));
    }
    let architecture: Architecture = if jumps { JumpRelu::default().into() } else { Standard.into() };
    let mut config = DictionaryConfig::transcoder(d_in, d_sae, d_out, architecture);
    config.skip = tensors.has("W_skip");
    config.metadata = metadata(place)?;
    let parameters = Parameters {
        w_enc,
        b_enc: Some(tensors.vector("b_enc")?),
        w_dec,
        b_dec: tensors.vector("b_dec")?,
        w_skip: if config.skip { Some(tensors.turned("W_skip")?) } else { None },
        threshold: if jumps { Some(tensors.vector(THRESHOLD)?) } else { None },
        gate: None,
        centred: false,
    };
    tensors.all_taken("circuit-tracer")?;
    Ok((config, parameters))
}

fn metadata(place: &Place) -> Result<Metadata> {
    let mut metadata = Metadata::default();
    let beside = place.path.with_file_name("config.yaml");
    let text = if files::is_there(&beside)? { files::text(&beside, CONFIG)? } else { String::new() };
    if let Some(model) = value(&text, "model_name") {
        metadata = metadata.with("model_name", model);
    }
    let Some(layer) = layer(&place.path) else { return Ok(metadata) };
    for (theirs, ours) in [("feature_input_hook", "hook_name"), ("feature_output_hook", "hook_name_out")] {
        if let Some(hook) = value(&text, theirs) {
            let site = sites::site(&format!("blocks.{layer}.{hook}"))?;
            metadata = metadata.with(ours, site.to_string());
        }
    }
    Ok(metadata)
}

/// The number at the end of a file's name.
fn layer(path: &Path) -> Option<usize> {
    path.file_stem()?.to_str()?.rsplit(['_', '.']).next()?.parse().ok()
}

/// The value of a key at the start of a line of YAML: a plain or quoted word.
pub(in crate::dictionary) fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'))?;
    let plain = rest.split(" #").next()?.trim().trim_matches(['"', '\'']);
    (!plain.is_empty()).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_config_by_hand() {
        let text = "model_name: \"google/gemma-2-2b\"\nfeature_input_hook: mlp.hook_in # where it reads\nscan:\n";
        assert_eq!(value(text, "model_name"), Some("google/gemma-2-2b"));
        assert_eq!(value(text, "feature_input_hook"), Some("mlp.hook_in"));
        assert_eq!(value(text, "scan"), None);
        assert_eq!(value(text, "hook"), None);
        assert_eq!(layer(Path::new("a/layer_12.safetensors")), Some(12));
    }
}

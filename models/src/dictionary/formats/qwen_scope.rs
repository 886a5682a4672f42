//! Qwen Scope: `layer{n}.sae.pt` with `W_enc` `[d_sae, d_in]`, `W_dec` `[d_in, d_sae]`, `b_enc` and `b_dec`.
//!
//! A top-k dictionary whose `k` stands in the name of its repository alone: `Qwen/SAE-Res-Qwen3-8B-Base-W64K-L0_50`. `b_dec` is
//! not subtracted from the input.

use super::format::Found;
use super::place::Place;
use crate::dictionary::architectures::TopK;
use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::metadata::Metadata;
use crate::dictionary::parameters::Parameters;
use crate::error::{Error, Result};

pub(super) fn read(place: &Place) -> Result<Found> {
    let k = place.number_after("L0_").ok_or_else(|| {
        let problem = "its path does not say how many latents are active; keep the name of its repository in it, which ends in `L0_50`";
        Error::file(&place.path, problem)
    })?;
    let mut tensors = place.tensors_of(place.path.clone())?;
    let (w_enc, w_dec) = (tensors.turned("W_enc")?, tensors.turned("W_dec")?);
    let [d_in, d_sae] = w_enc.dims();
    let mut config = DictionaryConfig::autoencoder(d_in, d_sae, TopK { k, rescale_acts_by_decoder_norm: false });
    config.apply_b_dec_to_input = false;
    if let Some(layer) = place.number_after("layer") {
        config.metadata = Metadata::default().with("hook_name", format!("blocks.{layer}.resid_post"));
    }
    let parameters = Parameters {
        w_enc,
        b_enc: Some(tensors.vector("b_enc")?),
        w_dec,
        b_dec: tensors.vector("b_dec")?,
        w_skip: None,
        threshold: None,
        gate: None,
        centred: false,
    };
    tensors.all_taken("Qwen Scope")?;
    Ok((config, parameters))
}

//! Autoencoders saved as two linear layers in one pickle, `encoder_linear` and `decoder_linear` (Goodfire).
//!
//! `f = ReLU(x W_enc + b_enc)`: `b_dec` is not subtracted from the input. The file's name says the layer: `..-l19.pth`.

use super::format::Found;
use super::place::Place;
use crate::dictionary::architectures::Standard;
use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::metadata::Metadata;
use crate::dictionary::parameters::Parameters;
use crate::error::Result;

pub(super) fn read(place: &Place) -> Result<Found> {
    let mut tensors = place.tensors_of(place.path.clone())?;
    let (w_enc, w_dec) = (tensors.turned("encoder_linear.weight")?, tensors.turned("decoder_linear.weight")?);
    let [d_in, d_sae] = w_enc.dims();
    let mut config = DictionaryConfig::autoencoder(d_in, d_sae, Standard);
    config.apply_b_dec_to_input = false;
    if let Some(layer) = place.number_after("-l") {
        config.metadata = Metadata::default().with("hook_name", format!("blocks.{layer}.resid_post"));
    }
    let parameters = Parameters {
        w_enc,
        b_enc: Some(tensors.vector("encoder_linear.bias")?),
        w_dec,
        b_dec: tensors.vector("decoder_linear.bias")?,
        w_skip: None,
        threshold: None,
        gate: None,
        centred: false,
    };
    tensors.all_taken("Goodfire")?;
    Ok((config, parameters))
}

//! `OpenAI`'s autoencoders: one `.pt` file with `pre_bias`, `encoder.weight` `[d_sae, d_in]`, `latent_bias` and
//! `decoder.weight` `[d_in, d_sae]`, its activation function by name.
//!
//! As its own code has it, a top-k autoencoder normalises each activation (`LayerNorm`), another does not. Source:
//! <https://github.com/openai/sparse_autoencoder>.

use super::format::Found;
use super::place::Place;
use crate::checkpoint::plain_values;
use crate::dictionary::architectures::{Architecture, Standard, TopK};
use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::normalization::Normalization;
use crate::dictionary::parameters::Parameters;
use crate::error::{Error, Result};

/// Statistics of training, which the forward does not read.
const STATISTICS: [&str; 3] = ["stats_last_nonzero", "latents_activation_frequency", "latents_mean_square"];

pub(super) fn read(place: &Place) -> Result<Found> {
    let mut tensors = place.tensors_of(place.path.clone())?;
    let words = plain_values(&place.path)?;
    let word = |name: &str| words.get(name).map(String::as_str);
    let architecture: Architecture = match word("activation") {
        None | Some("ReLU") => Standard.into(),
        Some("TopK") => {
            let k = word("activation_state_dict.k").and_then(|k| k.parse().ok()).ok_or_else(|| {
                Error::file(&place.path, "it does not say how many latents its top-k keeps (`activation_state_dict.k`)")
            })?;
            TopK { k, rescale_acts_by_decoder_norm: false }.into()
        }
        Some(other) => {
            return Err(Error::file(
                &place.path,
                format!("its `activation` is \"{other}\": only ReLU and TopK are read"),
            ));
        }
    };
    let (w_enc, w_dec) = (tensors.turned("encoder.weight")?, tensors.turned("decoder.weight")?);
    let [d_in, d_sae] = w_enc.dims();
    let mut config = DictionaryConfig::autoencoder(d_in, d_sae, architecture);
    if matches!(config.architecture, Architecture::TopK(_)) {
        config.normalization = Normalization::LayerNorm;
    }
    let parameters = Parameters {
        w_enc,
        b_enc: Some(tensors.vector("latent_bias")?),
        w_dec,
        b_dec: tensors.vector("pre_bias")?,
        w_skip: None,
        threshold: None,
        gate: None,
        centred: true,
    };
    for name in STATISTICS {
        tensors.ignore(name);
    }
    tensors.all_taken("OpenAI")?;
    Ok((config, parameters))
}

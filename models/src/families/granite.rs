//! Granite (IBM, 2024): Llama with multipliers of embeddings, scores, what is added to the stream, and logits.

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention_bias, decoder, weights};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::TransformerConfig;

pub(super) const GRANITE: Family = Family { model_types: &["granite"], config, weights };

const DEFAULTS: Defaults = Defaults { ..LLAMA_DEFAULTS };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    attention_bias(hf, &mut config)?;
    config.mlp_bias = hf.flag_or("mlp_bias", false)?;
    config.attn_scales = vec![factor(hf, "attention_multiplier")?; config.n_layers];
    let some = |factor: f64| Some(factor).filter(|factor| *factor != 1.0);
    config.embed_scale = some(factor(hf, "embedding_multiplier")?);
    config.residual_scale = some(factor(hf, "residual_multiplier")?);
    config.logit_scale = some(factor(hf, "logits_scaling")?.recip());
    hf.finish(&[])?;
    Ok(config)
}

fn factor(hf: &HfConfig, key: &str) -> Result<f64> {
    let factor = hf.number_or(key, 1.0)?;
    if factor > 0.0 { Ok(factor) } else { Err(hf.problem(key, "must be above 0")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::config;

    #[test]
    fn multipliers_of_one_are_none() {
        let plain = config(json!({ "model_type": "granite" })).unwrap();
        assert_eq!((plain.embed_scale, plain.residual_scale, plain.logit_scale), (None, None, None));
        assert_eq!(plain.attn_scales[0], 1.0);
        let said = config(json!({ "model_type": "granite", "logits_scaling": 0 })).unwrap_err().to_string();
        assert!(said.ends_with("`logits_scaling` is 0: must be above 0"), "{said}");
    }
}

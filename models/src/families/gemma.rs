//! Gemma (Gemma Team, 2024): norms with weight `1 + w`, scaled embeddings, wide heads, a gated GELU.

use serde_json::json;

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention_bias, decoder, skeleton, weights};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::{ActivationKind, NormKind, NormPlacement, TransformerConfig};

pub(super) const GEMMA: Family = Family { model_types: &["gemma"], config, weights };

const DEFAULTS: Defaults = Defaults {
    n_layers: 28,
    d_model: 3072,
    n_heads: 16,
    n_kv_heads: Some(16),
    d_head: Some(256),
    d_mlp: 24576,
    d_vocab: 256_000,
    n_ctx: 8192,
    tied: true,
    activation: ("hidden_act", "gelu_pytorch_tanh"),
    ..LLAMA_DEFAULTS
};

/// The defaults of Gemma 2. Gemma 3 changes two of them.
pub(super) const DEFAULTS_2: Defaults = Defaults {
    n_layers: 26,
    d_model: 2304,
    n_heads: 8,
    n_kv_heads: Some(4),
    d_mlp: 9216,
    activation: ("hidden_activation", "gelu_pytorch_tanh"),
    ..DEFAULTS
};

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    // The first checkpoints say "gelu" but mean the tanh approximation; transformers 5 also reads it so.
    if config.activation == ActivationKind::Gelu {
        config.activation = ActivationKind::GeluTanh;
    }
    hf.must_be(
        "hidden_activation",
        &json!("gelu_pytorch_tanh"),
        "transformers ignores this key for Gemma and reads hidden_act; remove it or make it \"gelu_pytorch_tanh\"",
    )?;
    common(hf, &mut config)?;
    hf.finish(&[])?;
    Ok(config)
}

/// The norms, embeddings and biases of all Gemmas.
pub(super) fn common(hf: &HfConfig, config: &mut TransformerConfig) -> Result<()> {
    config.norm = NormKind::RmsOffset;
    config.embed_scale = Some((config.d_model as f64).sqrt());
    attention_bias(hf, config)?;
    hf.refuse_if("use_bidirectional_attention", true, false, "only causal attention is supported; this must be false")
}

/// What Gemma 2 and 3 share, except rotations and windows.
pub(super) fn second(hf: &HfConfig, usual: &Defaults, final_cap: Option<f64>) -> Result<TransformerConfig> {
    let mut config = skeleton(hf, usual)?;
    config.norm_eps = hf.number_or("rms_norm_eps", usual.eps)?;
    common(hf, &mut config)?;
    config.norm_placement = NormPlacement::Sandwich;
    let scalar = hf.number_or("query_pre_attn_scalar", 256.0)?;
    if scalar <= 0.0 {
        return Err(hf.problem("query_pre_attn_scalar", "must be above 0, because scores are divided by its root"));
    }
    config.attn_scales = vec![scalar.powf(-0.5); config.n_layers];
    config.final_softcap = cap(hf, "final_logit_softcapping", final_cap)?;
    Ok(config)
}

/// A soft cap, which `null` turns off.
pub(super) fn cap(hf: &HfConfig, key: &str, usual: Option<f64>) -> Result<Option<f64>> {
    let cap = hf.nullable_number(key, usual)?;
    if cap.is_some_and(|cap| cap <= 0.0) {
        Err(hf.problem(key, "must be above 0, or null for no cap"))
    } else {
        Ok(cap)
    }
}

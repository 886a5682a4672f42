//! `HookedTransformer`'s own checkpoints (`TransformerLens` 2 and 3): its config as JSON, its names of weights. They have
//! no `model_type`.

use serde_json::{Map, Value, json};

use super::{Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{
    ActivationKind, BlockLayout, NormKind, NormPlacement, Positions, Rope, RopeScaling, TransformerConfig,
};

/// Not in the list of architectures, because no `config.json` of Hugging Face names it.
pub(crate) const HOOKED_TRANSFORMER: Family = Family { model_types: &[MODEL_TYPE], config, weights };

const MODEL_TYPE: &str = "hooked_transformer";

/// Keys about how a model was made or trained, or which hooks it has.
const HARMLESS: &[&str] = &[
    "attn_only",
    "checkpoint_index",
    "checkpoint_label_type",
    "checkpoint_value",
    "d_mlp",
    "default_prepend_bos",
    "device",
    "from_checkpoint",
    "init_mode",
    "init_weights",
    "model_name",
    "n_devices",
    "n_params",
    "original_architecture",
    "seed",
    "tokenizer_name",
    "tokenizer_prepends_bos",
    "ungroup_grouped_query_attention",
    "use_attn_in",
    "use_attn_result",
    "use_hook_mlp_in",
    "use_hook_tokens",
    "use_split_qkv_input",
    "load_in_4bit",
    "relative_attention_max_distance",
    "relative_attention_num_buckets",
    "NTK_by_parts_factor",
    "NTK_by_parts_high_freq_factor",
    "NTK_by_parts_low_freq_factor",
    "NTK_original_ctx_len",
    "tie_word_embeddings",
    "experts_per_token",
    "norm_topk_prob",
    // `normalization_type` says which norm it is, and whether its weights are folded.
    "uses_rms_norm",
    "layer_norm_folding",
    "trust_remote_code",
    "decoder_start_token_id",
    // Read only with `use_yarn_rope` and `use_dynamic_ntk_rope`, which are refused.
    "yarn_factor",
    "yarn_attention_factor",
    "yarn_beta_fast",
    "yarn_beta_slow",
    "yarn_original_max_position_embeddings",
    "yarn_truncate",
    "train_seq_length",
];

/// Parts that have no counterpart here, each switched by a flag.
const REFUSED: [&str; 8] = [
    "post_embedding_ln",
    "rmsnorm_uses_offset",
    "use_qk_norm",
    "use_logn_attn",
    "use_dynamic_ntk_rope",
    "use_yarn_rope",
    "yarn_global_attn_only",
    "use_attention_sinks",
];

/// A config of `HookedTransformer` with the `model_type` that it lacks; any other config as it is.
pub(super) fn named(json: Value) -> Value {
    match json {
        Value::Object(mut keys) if has_its_keys(&keys) => {
            keys.insert("model_type".into(), MODEL_TYPE.into());
            keys.into()
        }
        other => other,
    }
}

/// Whether a config is one of `HookedTransformer`.
pub(crate) fn is_hooked_transformer(config: &Value) -> bool {
    config.as_object().is_some_and(has_its_keys)
}

fn has_its_keys(keys: &Map<String, Value>) -> bool {
    !keys.contains_key("model_type")
        && ["n_layers", "d_model", "d_head", "n_ctx"].iter().all(|key| keys.contains_key(*key))
}

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let (n_layers, d_model, d_head) = (hf.layers_by(&["n_layers"], 1)?, hf.count("d_model")?, hf.count("d_head")?);
    let heads = hf.value("n_heads").is_some_and(|heads| *heads != json!(-1));
    let n_heads = if heads { hf.count("n_heads")? } else { (d_model / d_head).max(1) };
    let d_vocab = hf.count("d_vocab")?;
    let mut config = TransformerConfig::plain(MODEL_TYPE, n_layers, d_model, n_heads, d_vocab, hf.count("n_ctx")?);
    config = config.with_d_head(d_head);
    config.n_kv_heads = hf.optional_count("n_key_value_heads")?.unwrap_or(n_heads);
    (config.tied, config.unembed_bias) = (false, true);
    config.norm_eps = hf.number_or("eps", 1e-5)?;
    neurons(hf, &mut config)?;
    norms(hf, &mut config)?;
    positions(hf, &mut config)?;
    scores(hf, &mut config)?;
    refused(hf, d_vocab)?;
    hf.finish(HARMLESS)?;
    Ok(config)
}

fn neurons(hf: &HfConfig, config: &mut TransformerConfig) -> Result<()> {
    // Its bias is added after the product there.
    hf.refuse_if(
        "gated_mlp",
        true,
        false,
        "a gated MLP is not supported in this format; give the model's checkpoint of Hugging Face",
    )?;
    if hf.flag_or("attn_only", false)? {
        config.attn_only = true;
        return hf.word_or("act_fn", "").map(drop);
    }
    config.d_mlp = hf.optional_count("d_mlp")?.unwrap_or(4 * config.d_model);
    config.activation = match hf.word_or("act_fn", "")?.as_str() {
        "relu" => ActivationKind::Relu,
        "gelu" => ActivationKind::Gelu,
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => ActivationKind::GeluTanh,
        "silu" => ActivationKind::Silu,
        "solu" | "solu_ln" => ActivationKind::Solu,
        _ => {
            let known = "this activation is not supported; supported are relu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, silu, solu and solu_ln";
            return Err(hf.problem("act_fn", known));
        }
    };
    config.mlp_norm = hf.word_or("act_fn", "")? == "solu_ln";
    Ok(())
}

/// `LNPre` and `RMSPre` are norms whose weights are folded into the matrices that read them; `null` is none.
fn norms(hf: &HfConfig, config: &mut TransformerConfig) -> Result<()> {
    let usual = if hf.has("normalization_type") { "none" } else { "LN" };
    let (norm, unweighted) = match hf.word_or("normalization_type", usual)?.as_str() {
        "LN" => (NormKind::LayerNorm, false),
        "LNPre" | "none" => (NormKind::LayerNorm, true),
        "RMS" => (NormKind::Rms, false),
        "RMSPre" => (NormKind::Rms, true),
        _ => {
            let known = "this norm is not known; known are LN, LNPre, RMS, RMSPre and null";
            return Err(hf.problem("normalization_type", known));
        }
    };
    if config.mlp_norm && norm == NormKind::Rms {
        let why = "in this format solu_ln has a LayerNorm on neurons, which is supported beside LN, LNPre or null";
        return Err(hf.problem("normalization_type", why));
    }
    (config.norm, config.unweighted_norms) = (norm, unweighted);
    config.norm_bias = norm == NormKind::LayerNorm && !unweighted;
    if hf.value("normalization_type").is_none() && hf.has("normalization_type") {
        (config.norm_placement, config.final_norm) = (NormPlacement::None, false);
    } else if hf.flag_or("use_normalization_before_and_after", false)? {
        config.norm_placement = NormPlacement::Sandwich;
    }
    if hf.flag_or("parallel_attn_mlp", false)? {
        config.block_layout = BlockLayout::Parallel;
    }
    Ok(())
}

fn positions(hf: &HfConfig, config: &mut TransformerConfig) -> Result<()> {
    config.positions = match hf.word_or("positional_embedding_type", "standard")?.as_str() {
        "standard" => Positions::Learned { offset: 0 },
        "shortformer" => Positions::Shortformer,
        "rotary" => {
            let rope = Rope {
                theta: hf.number_or("rotary_base", 10_000.0)?,
                dims: hf.optional_count("rotary_dim")?.unwrap_or(config.d_head),
                interleaved: hf.flag_or("rotary_adjacent_pairs", false)?,
                scaling: RopeScaling::Default,
            };
            Positions::Rotary { ropes: vec![rope], by_layer: vec![0; config.n_layers] }
        }
        _ => {
            let known = "positions of this type are not supported; supported are standard, shortformer and rotary";
            return Err(hf.problem("positional_embedding_type", known));
        }
    };
    for key in ["rotary_base", "rotary_dim", "rotary_adjacent_pairs", "rotary_scaling_factor"] {
        hf.value(key);
    }
    hf.refuse_if(
        "use_NTK_by_parts_rope",
        true,
        false,
        "this scaling of the rotation is not supported; it must be false",
    )
}

fn scores(hf: &HfConfig, config: &mut TransformerConfig) -> Result<()> {
    let given = hf.optional_number("attn_scale")?.filter(|scale| *scale > 0.0);
    if !hf.flag_or("use_attn_scale", true)? {
        config.attn_scales = vec![1.0; config.n_layers];
    } else if let Some(scale) = given {
        config.attn_scales = vec![scale.recip(); config.n_layers];
    }
    if hf.flag_or("scale_attn_by_inverse_layer_idx", false)? {
        for (layer, scale) in config.attn_scales.iter_mut().enumerate() {
            *scale /= (layer + 1) as f64;
        }
    }
    let cap = |key: &str| hf.optional_number(key).map(|cap| cap.filter(|cap| *cap > 0.0));
    (config.attn_softcap, config.final_softcap) = (cap("attn_scores_soft_cap")?, cap("output_logits_soft_cap")?);
    if hf.flag_or("use_local_attn", false)? {
        let (kinds, window) = (hf.optional_words("attn_types")?.unwrap_or_default(), hf.count("window_size")?);
        config.windows = kinds.iter().map(|kind| (kind == "local").then_some(window)).collect();
    }
    hf.optional_words("attn_types")?;
    hf.optional_count("window_size")?;
    Ok(())
}

fn refused(hf: &HfConfig, d_vocab: usize) -> Result<()> {
    hf.must_be("attention_dir", &json!("causal"), "only causal attention is supported")?;
    for key in REFUSED {
        hf.refuse_if(key, true, false, "this is not supported in this format; it must be false")?;
    }
    hf.must_be("d_vocab_out", &json!(d_vocab), "it must be d_vocab: a model's outputs are its tokens")?;
    for key in ["clip_qkv", "quantization_method"] {
        hf.must_be(key, &Value::Null, "this is not supported in this format; it must be null")?;
    }
    hf.must_be("num_experts", &Value::Null, "experts are not supported in this format")?;
    hf.flag_or("final_rms", false).map(drop)
}

/// Every tensor under its own name, in the shape that `checkpoint/hooked.rs` gives it.
fn weights(config: &TransformerConfig) -> WeightMap {
    let buffers = ["attn.mask", "attn.IGNORE", "attn.rotary_sin", "attn.rotary_cos", "attn.alibi"];
    let mut map = WeightMap::new("").ignoring(&buffers).ignoring(&["ln1.b", "ln2.b", "ln_final.b"]);
    let mut pair = |ours: &str, theirs: &str, weight: &str, bias: Option<&str>| {
        map.same(format!("{ours}.weight"), format!("{theirs}.{weight}"));
        if let Some(bias) = bias {
            map.same(format!("{ours}.bias"), format!("{theirs}.{bias}"));
        }
    };
    let norm_bias = config.norm_bias.then_some("b");
    for layer in 0..config.n_layers {
        let block = format!("blocks.{layer}");
        for norm in norms_of(config) {
            pair(&format!("{block}.{norm}"), &format!("{block}.{norm}"), "w", norm_bias);
        }
        for (ours, theirs) in [("w_q", "Q"), ("w_k", "K"), ("w_v", "V"), ("w_o", "O")] {
            let attn = format!("{block}.attn");
            pair(&format!("{attn}.{ours}"), &attn, &format!("W_{theirs}"), Some(&format!("b_{theirs}")));
        }
        let mlp = format!("{block}.mlp");
        if !config.attn_only {
            pair(&format!("{mlp}.w_in"), &mlp, "W_in", Some("b_in"));
            pair(&format!("{mlp}.w_out"), &mlp, "W_out", Some("b_out"));
        }
    }
    if config.final_norm && !config.unweighted_norms {
        pair("ln_final", "ln_final", "w", norm_bias);
    }
    pair("unembed", "unembed", "W_U", Some("b_U"));
    map.same("embed.weight", "embed.W_E");
    if matches!(config.positions, Positions::Learned { .. } | Positions::Shortformer) {
        map.same("pos_embed.weight", "pos_embed.W_pos");
    }
    map
}

/// The norms of a block that have weights.
fn norms_of(config: &TransformerConfig) -> Vec<&'static str> {
    if config.unweighted_norms {
        return Vec::new();
    }
    let after = config.norm_placement == NormPlacement::Sandwich;
    let around: &[&str] = if after { &["ln1", "ln1_post", "ln2", "ln2_post"] } else { &["ln1", "ln2"] };
    let mut norms: Vec<&str> =
        around.iter().copied().filter(|norm| !config.attn_only || norm.starts_with("ln1")).collect();
    norms.extend(config.mlp_norm.then_some("mlp.ln"));
    norms
}

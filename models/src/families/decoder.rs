//! What Llama, Mistral, Qwen, Gemma and similar models share: the keys of `config.json` and the names of weights.

use super::rope::whole_head;
use super::{Cut, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{
    ActivationKind, BlockLayout, NormKind, NormPlacement, Positions, QkNorm, Rope, TransformerConfig,
};

/// The defaults transformers uses for absent keys. A family changes those that differ from Llama's.
pub(super) struct Defaults {
    pub(super) n_layers: usize,
    pub(super) d_model: usize,
    pub(super) n_heads: usize,
    /// `None` means as many as query heads, and so does `null` in the config.
    pub(super) n_kv_heads: Option<usize>,
    /// `None` means `d_model / n_heads`.
    pub(super) d_head: Option<usize>,
    pub(super) d_mlp: usize,
    pub(super) d_vocab: usize,
    pub(super) n_ctx: usize,
    pub(super) eps: f64,
    pub(super) theta: f64,
    /// Fraction of a head that is rotated; `None` means that heads are always rotated whole.
    pub(super) rotated: Option<f64>,
    pub(super) tied: bool,
    /// The key that names the activation, and its default.
    pub(super) activation: (&'static str, &'static str),
}

/// The defaults of Llama.
pub(super) const LLAMA_DEFAULTS: Defaults = Defaults {
    n_layers: 32,
    d_model: 4096,
    n_heads: 32,
    n_kv_heads: None,
    d_head: None,
    d_mlp: 11008,
    d_vocab: 32000,
    n_ctx: 2048,
    eps: 1e-6,
    theta: 10_000.0,
    rotated: None,
    tied: false,
    activation: ("hidden_act", "silu"),
};

/// Reads the shared keys except those of the rotation: grouped heads, RMSNorm, a gated MLP, no biases.
pub(super) fn skeleton(hf: &HfConfig, usual: &Defaults) -> Result<TransformerConfig> {
    let (n_layers, n_heads) =
        (hf.layers_by(&["num_hidden_layers"], usual.n_layers)?, hf.count_or("num_attention_heads", usual.n_heads)?);
    let (d_model, d_vocab) = (hf.count_or("hidden_size", usual.d_model)?, hf.count_or("vocab_size", usual.d_vocab)?);
    let d_head = hf.optional_count("head_dim")?.or(usual.d_head);
    if d_head.is_none() && !d_model.is_multiple_of(n_heads) {
        return Err(hf.problem(
            "num_attention_heads",
            format!("hidden_size, {d_model}, must be a multiple of it, or head_dim must be given"),
        ));
    }
    let mut config = TransformerConfig::plain(
        hf.family(),
        n_layers,
        d_model,
        n_heads,
        d_vocab,
        hf.count_or("max_position_embeddings", usual.n_ctx)?,
    );
    config = config.with_d_head(d_head.unwrap_or(d_model / n_heads));
    config.n_kv_heads = hf.nullable_count("num_key_value_heads", usual.n_kv_heads)?.unwrap_or(n_heads);
    config.d_mlp = hf.count_or("intermediate_size", usual.d_mlp)?;
    config.activation = ActivationKind::from_hf(hf, usual.activation.0, usual.activation.1)?;
    (config.gated_mlp, config.mlp_bias, config.qkv_bias, config.attn_out_bias) = (true, false, false, false);
    (config.norm, config.norm_bias) = (NormKind::Rms, false);
    config.tied = hf.tied_or(usual.tied)?;
    Ok(config)
}

/// [`skeleton`], `rms_norm_eps` and one rotation for all layers.
pub(super) fn decoder(hf: &HfConfig, usual: &Defaults) -> Result<TransformerConfig> {
    let mut config = skeleton(hf, usual)?;
    config.norm_eps = hf.number_or("rms_norm_eps", usual.eps)?;
    one_rope(hf, &mut config, usual)?;
    Ok(config)
}

/// The same rotation in all layers.
pub(super) fn one_rope(hf: &HfConfig, config: &mut TransformerConfig, usual: &Defaults) -> Result<()> {
    let rope = Rope::from_hf(hf, config.d_head, config.n_ctx, usual.theta, usual.rotated.unwrap_or(1.0))?;
    if usual.rotated.is_none() {
        whole_head(hf, &rope, config.d_head)?;
    }
    config.positions = Positions::Rotary { ropes: vec![rope], by_layer: vec![0; config.n_layers] };
    Ok(())
}

/// Makes the pairs of all rotations neighbouring dimensions.
pub(super) fn interleave(config: &mut TransformerConfig) {
    if let Positions::Rotary { ropes, .. } = &mut config.positions {
        for rope in ropes {
            rope.interleaved = true;
        }
    }
}

/// Leaves the rotation out in the layers that do not rotate.
pub(super) fn rotate_only(config: &mut TransformerConfig, rotates: &[bool]) {
    if let Positions::Rotary { ropes, by_layer } = &mut config.positions
        && rotates.contains(&false)
    {
        ropes.push(Rope::none());
        *by_layer = rotates.iter().map(|rotates| if *rotates { 0 } else { ropes.len() - 1 }).collect();
    }
}

/// Reads `attention_bias`: biases on all four projections, or on none.
pub(super) fn attention_bias(hf: &HfConfig, config: &mut TransformerConfig) -> Result<()> {
    let bias = hf.flag_or("attention_bias", false)?;
    (config.qkv_bias, config.attn_out_bias) = (bias, bias);
    Ok(())
}

/// Every tensor with Llama's names.
pub(super) fn weights(config: &TransformerConfig) -> WeightMap {
    mapped(config, |map, layer| {
        attention(map, config, layer);
        mlp(map, config, layer);
    })
}

/// Embedding, norms and unembedding with Llama's names; `block` maps the rest of each layer.
pub(super) fn mapped(config: &TransformerConfig, block: impl Fn(&mut WeightMap, usize)) -> WeightMap {
    framed(config, |map, layer| {
        norms(map, config, layer);
        block(map, layer);
    })
}

/// The same without the norms in blocks, which `block` maps too.
pub(super) fn framed(config: &TransformerConfig, block: impl Fn(&mut WeightMap, usize)) -> WeightMap {
    let mut map = WeightMap::new("model.");
    map.same("embed.weight", "model.embed_tokens.weight");
    (0..config.n_layers).for_each(|layer| block(&mut map, layer));
    if !config.unweighted_norms {
        map.norm("ln_final", "model.norm", config.norm_bias);
    }
    map.unembed("lm_head", config.tied, config.unembed_bias);
    map
}

fn norms(map: &mut WeightMap, config: &TransformerConfig, layer: usize) {
    if config.unweighted_norms {
        return;
    }
    let names: &[(&str, &str)] = match (config.norm_placement, config.block_layout) {
        (NormPlacement::Sandwich, _) => &[
            ("ln1", "input_layernorm"),
            ("ln1_post", "post_attention_layernorm"),
            ("ln2", "pre_feedforward_layernorm"),
            ("ln2_post", "post_feedforward_layernorm"),
        ],
        (NormPlacement::PostOutput, _) => {
            &[("ln1_post", "post_attention_layernorm"), ("ln2_post", "post_feedforward_layernorm")]
        }
        (_, BlockLayout::ParallelSharedNorm) => &[("ln1", "input_layernorm")],
        _ => &[("ln1", "input_layernorm"), ("ln2", "post_attention_layernorm")],
    };
    for (ours, theirs) in names {
        map.norm(&format!("blocks.{layer}.{ours}"), &format!("model.layers.{layer}.{theirs}"), config.norm_bias);
    }
}

/// Queries, keys, values, their norms, and the output projection.
pub(super) fn attention(map: &mut WeightMap, config: &TransformerConfig, layer: usize) {
    let (ours, theirs) = (format!("blocks.{layer}.attn"), format!("model.layers.{layer}.self_attn"));
    for (name, projection) in [("w_q", "q_proj"), ("w_k", "k_proj"), ("w_v", "v_proj")] {
        map.linear(&format!("{ours}.{name}"), &format!("{theirs}.{projection}"), config.qkv_bias);
    }
    map.linear(&format!("{ours}.w_o"), &format!("{theirs}.o_proj"), config.attn_out_bias);
    for (part, heads) in [("q", config.n_heads), ("k", config.n_kv_heads)] {
        let name = format!("{ours}.{part}_norm.weight");
        match config.qk_norm {
            QkNorm::None | QkNorm::HeadBiased => {}
            QkNorm::Head | QkNorm::Full => map.same(name, format!("{theirs}.{part}_norm.weight")),
            QkNorm::PerHead => map.joined(
                name,
                (0..heads).map(|head| format!("{theirs}.{part}_layernorm.norms.{head}.weight")).collect(),
            ),
        }
    }
}

/// The MLP, gated or not.
pub(super) fn mlp(map: &mut WeightMap, config: &TransformerConfig, layer: usize) {
    let first = usize::from(!config.gated_mlp);
    for (name, projection) in &[("w_gate", "gate_proj"), ("w_in", "up_proj"), ("w_out", "down_proj")][first..] {
        map.linear(
            &format!("blocks.{layer}.mlp.{name}"),
            &format!("model.layers.{layer}.mlp.{projection}"),
            config.mlp_bias,
        );
    }
}

/// A gated MLP whose gate and input are one projection, the gate first.
pub(super) fn mlp_of_two(map: &mut WeightMap, config: &TransformerConfig, layer: usize) {
    let (ours, theirs) = (format!("blocks.{layer}.mlp"), format!("model.layers.{layer}.mlp"));
    for (name, start) in [("w_gate", 0), ("w_in", config.d_mlp)] {
        let cut = Cut::Range { start, len: config.d_mlp };
        map.projection(&format!("{ours}.{name}"), &format!("{theirs}.gate_up_proj"), true, false, cut);
    }
    map.linear(&format!("{ours}.w_out"), &format!("{theirs}.down_proj"), false);
}

/// Queries, keys and values fused by key head: each group holds its queries, then its key, then its value.
pub(super) fn fused_by_head(map: &mut WeightMap, config: &TransformerConfig, layer: usize, theirs: &str) {
    let (groups, d_head) = (config.n_kv_heads, config.d_head);
    let queries = config.n_heads / groups * d_head;
    for (name, start, len) in [("w_q", 0, queries), ("w_k", queries, d_head), ("w_v", queries + d_head, d_head)] {
        let cut = Cut::PerGroup { groups, stride: queries + 2 * d_head, start, len };
        map.projection(&format!("blocks.{layer}.attn.{name}"), theirs, true, config.qkv_bias, cut);
    }
}

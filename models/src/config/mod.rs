//! Options of the one transformer. Every architecture is a choice among them. Plain data.

mod kinds;
mod layers;
mod positions;

use serde::{Deserialize, Serialize};

pub use kinds::{ActivationKind, BlockLayout, ClampedGate, Experts, NormKind, NormPlacement, QkNorm};
pub use layers::LayerSettings;
pub use positions::{Positions, Rope, RopeScaling};

/// The architecture of a transformer, in the field's names.
#[allow(clippy::struct_excessive_bools, reason = "each is one independent option of an architecture")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformerConfig {
    /// `model_type` of the family it came from.
    pub family: String,
    /// Number of blocks.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; each serves `n_heads / n_kv_heads` query heads.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub d_head: usize,
    /// Number of neurons in an MLP.
    pub d_mlp: usize,
    /// Number of tokens in the vocabulary.
    pub d_vocab: usize,
    /// Number of positions in the context.
    pub n_ctx: usize,
    /// The neurons' nonlinearity.
    pub activation: ActivationKind,
    /// Whether the MLP is `act(x W_gate) * (x W_in)` instead of `act(x W_in)`.
    pub gated_mlp: bool,
    /// Whether the MLP's projections have biases.
    pub mlp_bias: bool,
    /// Whether neurons pass a norm after the activation (SoLU models).
    #[serde(default, skip_serializing_if = "is_default")]
    pub mlp_norm: bool,
    /// Whether blocks have no MLP.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attn_only: bool,
    /// Experts in place of one MLP.
    pub experts: Option<Experts>,
    /// The kind of every norm.
    pub norm: NormKind,
    /// Added to the variance inside the norm's root.
    pub norm_eps: f64,
    /// Where a block's norms sit.
    pub norm_placement: NormPlacement,
    /// Whether norms have a bias (LayerNorm only).
    pub norm_bias: bool,
    /// Whether norms have neither weight nor bias (`OLMo`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub unweighted_norms: bool,
    /// Whether there is a norm after the last block.
    pub final_norm: bool,
    /// How positions enter the model.
    pub positions: Positions,
    /// How attention and MLP share a block.
    pub block_layout: BlockLayout,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether attention's output projection has a bias.
    pub attn_out_bias: bool,
    /// Scores are multiplied by this (`1/√d_head` for most), per layer.
    pub attn_scales: Vec<f64>,
    /// The attention window of each layer, in positions, counting the query itself. Keys further back are masked.
    pub windows: Vec<Option<usize>>,
    /// Queries, keys and values are clipped to this size (`OLMo`), queries and keys after their norm.
    #[serde(default, skip_serializing_if = "is_default")]
    pub qkv_clip: Option<f64>,
    /// Whether each head has a learned score that takes part in the softmax and reads nothing (gpt-oss).
    #[serde(default, skip_serializing_if = "is_default")]
    pub attn_sinks: bool,
    /// What attention and MLP write is multiplied by this before it is added to the stream (Granite).
    #[serde(default, skip_serializing_if = "is_default")]
    pub residual_scale: Option<f64>,
    /// The gate of the MLP or of each expert, in place of its activation.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clamped_gate: Option<ClampedGate>,
    /// A norm on queries and keys before rotation.
    pub qk_norm: QkNorm,
    /// `cap * tanh(scores / cap)` on attention scores.
    pub attn_softcap: Option<f64>,
    /// `cap * tanh(logits / cap)` on logits.
    pub final_softcap: Option<f64>,
    /// Token embeddings are multiplied by this.
    pub embed_scale: Option<f64>,
    /// A norm right after the embedding (BLOOM).
    pub embed_norm: bool,
    /// A norm on the sum of all embeddings: tokens, positions and types (BERT).
    #[serde(default, skip_serializing_if = "is_default")]
    pub embed_sum_norm: bool,
    /// Number of token types, each with its own embedding (BERT: the first and the second text of a pair).
    #[serde(default, skip_serializing_if = "is_default")]
    pub token_types: Option<usize>,
    /// Whether a position also sees later positions, as in an encoder (BERT).
    #[serde(default, skip_serializing_if = "is_default")]
    pub bidirectional: bool,
    /// Whether a dense layer and the activation come before the final norm (BERT's masked-LM head).
    #[serde(default, skip_serializing_if = "is_default")]
    pub unembed_transform: bool,
    /// Width of the embedding where it differs from `d_model` and is projected in and out (OPT-350m).
    pub d_embed: Option<usize>,
    /// Logits are multiplied by this.
    pub logit_scale: Option<f64>,
    /// Whether the unembedding is the embedding, transposed.
    pub tied: bool,
    /// Whether the unembedding has a bias.
    pub unembed_bias: bool,
}

/// Rare options are not written when they are off, so files written before these options existed read the same.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl TransformerConfig {
    /// A plain pre-norm transformer of the given dimensions, which families then adjust.
    pub fn plain(family: &str, n_layers: usize, d_model: usize, n_heads: usize, d_vocab: usize, n_ctx: usize) -> Self {
        let d_head = d_model / n_heads.max(1);
        Self {
            family: family.to_owned(),
            n_layers,
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head,
            d_mlp: 4 * d_model,
            d_vocab,
            n_ctx,
            activation: ActivationKind::GeluTanh,
            gated_mlp: false,
            mlp_bias: true,
            mlp_norm: false,
            attn_only: false,
            experts: None,
            norm: NormKind::LayerNorm,
            norm_eps: 1e-5,
            norm_placement: NormPlacement::Pre,
            norm_bias: true,
            unweighted_norms: false,
            final_norm: true,
            positions: Positions::Learned { offset: 0 },
            block_layout: BlockLayout::Serial,
            qkv_bias: true,
            attn_out_bias: true,
            attn_scales: vec![(d_head as f64).powf(-0.5); n_layers],
            windows: vec![None; n_layers],
            qkv_clip: None,
            attn_sinks: false,
            residual_scale: None,
            clamped_gate: None,
            qk_norm: QkNorm::None,
            attn_softcap: None,
            final_softcap: None,
            embed_scale: None,
            embed_norm: false,
            embed_sum_norm: false,
            token_types: None,
            bidirectional: false,
            unembed_transform: false,
            d_embed: None,
            logit_scale: None,
            tied: true,
            unembed_bias: false,
        }
    }

    /// Sets the width of a head, and the attention scale that follows from it.
    #[must_use]
    pub fn with_d_head(mut self, d_head: usize) -> Self {
        self.d_head = d_head;
        self.attn_scales = vec![(d_head as f64).powf(-0.5); self.n_layers];
        self
    }

    /// The rotation of a layer, if it has one.
    pub fn rope(&self, layer: usize) -> Option<&Rope> {
        match &self.positions {
            Positions::Rotary { ropes, by_layer } => ropes.get(*by_layer.get(layer)?),
            _ => None,
        }
    }

    /// The most positions a sequence may have: those of [`TransformerConfig::max_positions`], or any number if the rotation
    /// stretches with the sequence.
    pub fn position_limit(&self) -> usize {
        let stretches = |rope: &Rope| matches!(rope.scaling, RopeScaling::Dynamic { .. });
        match &self.positions {
            Positions::Rotary { ropes, .. } if ropes.iter().any(stretches) => i64::MAX as usize,
            _ => self.max_positions(),
        }
    }

    /// The most positions the model is meant for. More than `n_ctx` only if the rotation stretches with the sequence.
    pub fn max_positions(&self) -> usize {
        let stretch = match &self.positions {
            Positions::Rotary { ropes, .. } => ropes.iter().map(|rope| match rope.scaling {
                RopeScaling::Dynamic { factor, original_n_ctx } => (factor * original_n_ctx as f64) as usize,
                _ => 0,
            }),
            _ => return self.n_ctx,
        };
        stretch.max().unwrap_or(0).max(self.n_ctx)
    }

    /// Whether attention and MLP read the same `resid_pre`.
    pub fn is_parallel(&self) -> bool {
        self.block_layout != BlockLayout::Serial
    }
}

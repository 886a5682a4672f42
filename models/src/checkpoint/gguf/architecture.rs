//! The architectures whose GGUF files are read: their names for weights and settings, and transformers' names.
//!
//! To add one: add its table to `ARCHITECTURES`. `LAYER` and `WHOLE` hold the names that most share.

/// One architecture of llama.cpp.
#[derive(Debug)]
pub(super) struct Architecture {
    /// `general.architecture`.
    pub(super) name: &'static str,
    /// The `model_type` of transformers.
    pub(super) model_type: &'static str,
    /// Settings: llama.cpp's key after the architecture's name, and the key of `config.json`.
    pub(super) settings: &'static [(&'static str, &'static str)],
    /// Tensors outside the blocks.
    whole: &'static [(&'static str, &'static str)],
    /// Tensors in a block, and the name of a block.
    layer: &'static [(&'static str, &'static str)],
    block: &'static str,
    /// Whether llama.cpp rotates neighbours, for which the rows of queries and keys are in another order.
    pub(super) interleaved: bool,
    /// Ends of the names of matrices that transformers keeps as `[in, out]`.
    in_out: &'static [&'static str],
}

const SETTINGS: &[(&str, &str)] = &[
    ("block_count", "num_hidden_layers"),
    ("context_length", "max_position_embeddings"),
    ("embedding_length", "hidden_size"),
    ("feed_forward_length", "intermediate_size"),
    ("attention.head_count", "num_attention_heads"),
    ("attention.head_count_kv", "num_key_value_heads"),
    ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    ("attention.key_length", "head_dim"),
    ("rope.freq_base", "rope_theta"),
    ("vocab_size", "vocab_size"),
];

const WHOLE: &[(&str, &str)] =
    &[("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head")];

const LAYER: &[(&str, &str)] = &[
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

const LLAMA: Architecture = Architecture {
    name: "llama",
    model_type: "llama",
    settings: SETTINGS,
    whole: WHOLE,
    layer: LAYER,
    block: "model.layers",
    interleaved: true,
    in_out: &[],
};

pub(super) const ARCHITECTURES: [Architecture; 4] = [
    LLAMA,
    Architecture { name: "qwen2", model_type: "qwen2", interleaved: false, ..LLAMA },
    Architecture { name: "qwen3", model_type: "qwen3", interleaved: false, ..LLAMA },
    Architecture {
        name: "gpt2",
        model_type: "gpt2",
        settings: &[
            ("block_count", "n_layer"),
            ("context_length", "n_positions"),
            ("embedding_length", "n_embd"),
            ("feed_forward_length", "n_inner"),
            ("attention.head_count", "n_head"),
            ("attention.layer_norm_epsilon", "layer_norm_epsilon"),
            ("vocab_size", "vocab_size"),
        ],
        whole: &[
            ("token_embd", "transformer.wte"),
            ("position_embd", "transformer.wpe"),
            ("output_norm", "transformer.ln_f"),
            ("output", "lm_head"),
        ],
        layer: &[
            ("attn_norm", "ln_1"),
            ("attn_qkv", "attn.c_attn"),
            ("attn_output", "attn.c_proj"),
            ("ffn_norm", "ln_2"),
            ("ffn_up", "mlp.c_fc"),
            ("ffn_down", "mlp.c_proj"),
        ],
        block: "transformer.h",
        interleaved: false,
        in_out: &["c_attn.weight", "c_proj.weight", "c_fc.weight"],
    },
];

impl Architecture {
    /// The architecture of this name.
    ///
    /// # Errors
    ///
    /// A sentence naming those that are read.
    pub(super) fn named(name: &str) -> Result<&'static Self, String> {
        static ALL: [Architecture; 4] = ARCHITECTURES;
        ALL.iter().find(|known| known.name == name).ok_or_else(|| {
            let known: Vec<&str> = ALL.iter().map(|known| known.name).collect();
            format!(
                "its architecture is `{}`, but GGUF files are read of {} alone; give the model's checkpoint in safetensors",
                name.escape_debug().take(80).collect::<String>(),
                known.join(", ")
            )
        })
    }

    /// transformers' name of a tensor: `blk.3.attn_q.weight` to `model.layers.3.self_attn.q_proj.weight`.
    pub(super) fn theirs(&self, name: &str) -> Option<String> {
        let (module, kind) = name.rsplit_once('.')?;
        let find = |table: &[(&str, &'static str)], wanted: &str| {
            table.iter().find(|(ours, _)| *ours == wanted).map(|(_, theirs)| *theirs)
        };
        let Some((layer, part)) = module.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else {
            return Some(format!("{}.{kind}", find(self.whole, module)?));
        };
        Some(format!("{}.{layer}.{}.{kind}", self.block, find(self.layer, part)?))
    }

    /// Whether the rows of a tensor, by llama.cpp's name, are in another order; then the setting with its heads.
    pub(super) fn heads_key(&self, name: &str) -> Option<&'static str> {
        let part = name.strip_prefix("blk.")?.split('.').nth(1)?;
        match part {
            "attn_q" if self.interleaved => Some("attention.head_count"),
            "attn_k" if self.interleaved => Some("attention.head_count_kv"),
            _ => None,
        }
    }

    /// Whether transformers keeps a matrix as `[in, out]`. In a GGUF file every matrix is `[out, in]`.
    pub(super) fn is_turned(&self, theirs: &str) -> bool {
        self.in_out.iter().any(|end| theirs.ends_with(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_hand() {
        let llama = Architecture::named("llama").unwrap();
        assert_eq!(llama.theirs("blk.3.attn_q.bias").unwrap(), "model.layers.3.self_attn.q_proj.bias");
        assert_eq!(llama.theirs("output_norm.weight").unwrap(), "model.norm.weight");
        assert_eq!(llama.theirs("blk.3.strange.weight"), None);
        assert_eq!(llama.heads_key("blk.0.attn_k.weight"), Some("attention.head_count_kv"));
        let gpt2 = Architecture::named("gpt2").unwrap();
        assert_eq!(gpt2.theirs("blk.0.ffn_down.weight").unwrap(), "transformer.h.0.mlp.c_proj.weight");
        assert!(gpt2.is_turned("transformer.h.0.mlp.c_proj.weight") && !gpt2.is_turned("transformer.wte.weight"));
        assert_eq!(
            Architecture::named("rwkv6").unwrap_err(),
            "its architecture is `rwkv6`, but GGUF files are read of llama, qwen2, qwen3, gpt2 alone; give the model's checkpoint in \
             safetensors"
        );
    }
}

//! Which sites an architecture has: derived from its options, and held against what runs meet.

use std::ops::Range;

use crate::site::SITES;
use crate::transformer::{BlockLayout, NormPlacement, Positions, TransformerConfig};

/// Names of the sites a run over `layers` meets, in the order of the table.
pub fn sites(config: &TransformerConfig, layers: Range<usize>, embeds: bool, unembeds: bool) -> Vec<String> {
    let mut names = Vec::new();
    let first_block = SITES.iter().position(|site| site.in_block).unwrap_or(0);
    let (before, rest) = SITES.split_at(first_block);
    names.extend(before.iter().filter(|site| embeds && has(config, site.name)).map(|site| site.name.to_owned()));
    for layer in layers {
        names.extend(
            rest.iter()
                .filter(|site| site.in_block && has(config, site.name))
                .map(|site| format!("blocks.{layer}.{}", site.name)),
        );
        if let Some(experts) = config.experts {
            for expert in 0..experts.count {
                names.extend(
                    ["pre", "pre_linear", "post", "out"]
                        .map(|part| format!("blocks.{layer}.mlp.experts.{expert}.{part}")),
                );
            }
        }
    }
    names.extend(
        rest.iter()
            .filter(|site| !site.in_block && unembeds && has(config, site.name))
            .map(|site| site.name.to_owned()),
    );
    names
}

/// Whether an architecture has a row of the table.
pub fn has(config: &TransformerConfig, name: &str) -> bool {
    let norms_first =
        config.norm_placement != NormPlacement::PostOutput && config.norm_placement != NormPlacement::PostResidual;
    match name {
        "token_type_embed" => config.token_types.is_some(),
        "pos_embed" => matches!(config.positions, Positions::Learned { .. }),
        "attn.rot_q" | "attn.rot_k" => matches!(config.positions, Positions::Rotary { .. }),
        "ln1.scale" | "ln1.normalized" => norms_first,
        "ln2.scale" | "ln2.normalized" => norms_first && config.block_layout != BlockLayout::ParallelSharedNorm,
        "resid_mid" => !config.is_parallel(),
        "mlp.router" | "mlp.expert_weights" => config.experts.is_some(),
        "mlp.pre" | "mlp.post" => config.experts.is_none(),
        "mlp.pre_linear" => config.experts.is_none() && config.gated_mlp,
        "ln_final.scale" | "ln_final.normalized" => config.final_norm,
        _ => true,
    }
}

/// The length of each axis of a site in a forward over `[batch, pos]` tokens without earlier keys.
///
/// A name the table does not have gives no axes.
pub fn dims(config: &TransformerConfig, site: &str, batch: usize, pos: usize) -> Vec<usize> {
    dims_with_keys(config, site, [batch, pos, pos])
}

/// The same where queries see `keys` slots, those before this forward included.
pub(crate) fn dims_with_keys(config: &TransformerConfig, site: &str, [batch, pos, keys]: [usize; 3]) -> Vec<usize> {
    let inside = site.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')).map_or(site, |(_, inside)| inside);
    let in_expert = inside.strip_prefix("mlp.experts.").and_then(|rest| rest.split_once('.'));
    let name = in_expert.map_or_else(|| inside.to_owned(), |(_, part)| format!("mlp.{part}"));
    let Some(row) = SITES.iter().find(|row| row.name == name) else { return Vec::new() };
    let grouped = matches!(row.name, "attn.k" | "attn.v" | "attn.rot_k" | "k_input" | "v_input");
    let length = |axis: &str| match axis {
        "b" => batch,
        "p" | "q" => pos,
        "k" => keys,
        "h" if grouped => config.n_kv_heads,
        "h" => config.n_heads,
        "m" => config.d_model,
        "d" => config.d_head,
        "f" => config.d_mlp,
        "v" => config.d_vocab,
        "e" => config.experts.map_or(0, |experts| experts.count),
        _ => 1,
    };
    row.axes.trim_matches(['[', ']']).split(", ").map(length).collect()
}

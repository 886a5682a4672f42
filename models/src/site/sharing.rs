//! Sites whose tensors are the same memory, so that a capture of both keeps it once.

use super::name::Site;
use super::table::{
    attn_out_unnormed, embed, ln1_scale, mlp_in, mlp_out_unnormed, resid_mid, resid_post, resid_pre, row,
};
use crate::config::{NormPlacement, Positions, TransformerConfig};

/// The earlier site whose tensor this site's is, or is a view of, as long as no edit comes between.
pub(crate) fn same_memory(config: &TransformerConfig, site: &str) -> Option<Site> {
    let named = Site::named(site)?;
    let norms_outputs = matches!(config.norm_placement, NormPlacement::Sandwich | NormPlacement::PostOutput);
    let changes_outputs = norms_outputs || config.residual_scale.is_some();
    match (named.row.name, named.layer) {
        ("resid_pre", Some(0)) => is_plain_embedding(config).then(embed),
        ("resid_pre", Some(layer)) => Some(resid_post(layer - 1)),
        ("attn_out", Some(layer)) if !changes_outputs => Some(attn_out_unnormed(layer)),
        ("mlp_out", Some(layer)) if !changes_outputs => Some(mlp_out_unnormed(layer)),
        ("mlp_in", Some(layer)) if (row(resid_mid).present)(config) => Some(resid_mid(layer)),
        ("mlp_read", Some(layer)) if config.attn_only || !(row(ln1_scale).present)(config) => Some(mlp_in(layer)),
        ("attn_in" | "q_input" | "k_input" | "v_input" | "mlp_in", Some(layer)) => Some(resid_pre(layer)),
        _ => None,
    }
}

/// Whether nothing is added to the token embedding before the first block.
fn is_plain_embedding(config: &TransformerConfig) -> bool {
    !matches!(config.positions, Positions::Learned { .. }) && config.token_types.is_none() && !config.embed_sum_norm
}

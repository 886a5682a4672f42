//! The table of hook points, in the order a forward meets them, and a typed constructor for each.
//!
//! The vocabulary is TransformerLens 2's, with its tensors and axes. TransformerLens 4's names are aliases where they
//! mean the same tensor. A name that means two tensors there is an alias of both rows, and is refused as ambiguous.

use super::axis::Axis::{Batch, DHead, Expert, Head, Key, KvHead, Mlp, Model, One, Pos, Query, Shared, Vocab};
use super::info::Place::{After, Before, Block};
use super::info::SiteInfo;
use super::name::Site;
use crate::config::{BlockLayout, NormPlacement, Positions, TransformerConfig};

/// A row: place, constructor, name, axes, meaning, and what else is true of it.
macro_rules! sites {
    ($($place:ident $function:ident($($index:ident),*) $name:literal [$($axis:ident),*] $meaning:literal
        $(, $fact:ident($($argument:expr),*))*;)*) => {
        /// The table. A model lacks a row when its architecture has no such tensor.
        pub static SITES: &[SiteInfo] = &[$(
            SiteInfo::new($name, $place, &[$($axis),*], $meaning)$(.$fact($($argument),*))*
        ),*];

        #[allow(non_camel_case_types, clippy::enum_variant_names, reason = "one variant per constructor, with its name")]
        #[derive(Clone, Copy)]
        enum Row { $($function),* }

        $(
            #[doc = concat!("`", $name, "`: ", $meaning, ".")]
            pub fn $function($($index: usize),*) -> Site {
                Site::of(&SITES[Row::$function as usize], [$($index),*].as_slice())
            }
        )*
    };
}

sites! {
    Before embed() "embed" [Batch, Pos, Model] "token embedding, scaled as the architecture does",
        known_as(&["embed.out"]);
    Before token_type_embed() "token_type_embed" [Batch, Pos, Model]
        "embedding of each token's type, such as first or second text of a pair", when(|config| config.token_types.is_some());
    Before pos_embed() "pos_embed" [Batch, Pos, Model] "learned position embedding",
        when(|config| matches!(config.positions, Positions::Learned { .. })), known_as(&["pos_embed.out"]);

    Block resid_pre(layer) "resid_pre" [Batch, Pos, Model] "residual stream entering the block", known_as(&["in"]);
    Block attn_in(layer) "attn_in" [Batch, Pos, Head, Model] "residual stream as each head reads it", beside();
    Block q_input(layer) "q_input" [Batch, Pos, Head, Model] "residual stream as each head's query reads it", beside();
    Block k_input(layer) "k_input" [Batch, Pos, KvHead, Model] "residual stream as each key head reads it", beside();
    Block v_input(layer) "v_input" [Batch, Pos, KvHead, Model] "residual stream as each value head reads it", beside();
    Block ln1_scale(layer) "ln1.scale" [Batch, Pos, One] "what the attention norm divides by",
        when(norms_first), known_as(&["scale1"]);
    Block ln1_normalized(layer) "ln1.normalized" [Batch, Pos, Model]
        "after the attention norm's division, before its weight", when(norms_first), known_as(&["normalized1"]);
    Block q(layer) "attn.q" [Batch, Pos, Head, DHead] "queries, before rotation", known_as(&["query", "attn.q.out"]);
    Block k(layer) "attn.k" [Batch, Pos, KvHead, DHead] "keys, before rotation; grouped heads once",
        known_as(&["key", "attn.k.out"]);
    Block v(layer) "attn.v" [Batch, Pos, KvHead, DHead] "values; grouped heads once",
        known_as(&["value", "attn.v.out"]);
    Block rot_q(layer) "attn.rot_q" [Batch, Pos, Head, DHead] "queries after rotary embedding", when(rotates);
    Block rot_k(layer) "attn.rot_k" [Batch, Pos, KvHead, DHead] "keys after rotary embedding", when(rotates);
    Block scores(layer) "attn.scores" [Batch, Head, Query, Key] "scaled scores after the mask: -inf where masked",
        masking(), known_as(&["attn_scores", "attn_logits"]);
    Block pattern(layer) "attn.pattern" [Batch, Head, Query, Key] "attention probabilities; rows sum to one, or to less beside a sink",
        known_as(&["attn"]);
    Block z(layer) "attn.z" [Batch, Pos, Head, DHead] "pattern-weighted values of each head", known_as(&["attn.o.in"]);
    Block result(layer) "attn.result" [Batch, Pos, Head, Model] "what each head writes; computed only when asked for",
        beside();
    Block attn_out_unnormed(layer) "attn.out" [Batch, Pos, Model] "attention's output before any post-norm";
    Block attn_out(layer) "attn_out" [Batch, Pos, Model] "what attention adds to the residual stream",
        known_as(&["ln1_post.out"]);
    Block resid_mid(layer) "resid_mid" [Batch, Pos, Model] "residual stream between attention and MLP",
        when(|config| !config.is_parallel()), known_as(&["ln2.in"]);
    Block mlp_in(layer) "mlp_in" [Batch, Pos, Model] "residual stream as the MLP reads it", known_as(&["ln2.in"]);
    Block ln2_scale(layer) "ln2.scale" [Batch, Pos, One] "what the MLP norm divides by",
        when(second_norm), known_as(&["scale2"]);
    Block ln2_normalized(layer) "ln2.normalized" [Batch, Pos, Model]
        "after the MLP norm's division, before its weight", when(second_norm), known_as(&["normalized2"]);
    Block mlp_read(layer) "mlp_read" [Batch, Pos, Model]
        "what the MLP's matrices read: after its norm and the norm's weight, if they come first",
        known_as(&["ln2.out", "mlp.in"]);
    Block router(layer) "mlp.router" [Batch, Pos, Expert] "the router's logits over all experts", when(mixture);
    Block expert_weights(layer) "mlp.expert_weights" [Batch, Pos, Expert]
        "what each expert's output is multiplied by: 0 where it is not chosen", when(mixture);
    Block expert_pre(layer, expert) "mlp.experts.*.pre" [Batch, Pos, Mlp]
        "an expert's neurons before the activation (the gate's input where gated)", when(mixture);
    Block expert_pre_linear(layer, expert) "mlp.experts.*.pre_linear" [Batch, Pos, Mlp]
        "the linear half of a gated expert", when(|config| mixture(config) && config.gated_mlp);
    Block expert_post(layer, expert) "mlp.experts.*.post" [Batch, Pos, Mlp]
        "an expert's neurons after the activation and gate", when(mixture);
    Block expert_out(layer, expert) "mlp.experts.*.out" [Batch, Pos, Model]
        "an expert's output, before its weight", when(mixture);
    Block shared_gate(layer) "mlp.shared_gate" [Batch, Pos, One] "what the shared expert's output is multiplied by",
        when(shared);
    Block shared_pre(layer) "mlp.shared.pre" [Batch, Pos, Shared]
        "the shared expert's neurons before the activation (the gate's input where gated)", when(shared);
    Block shared_pre_linear(layer) "mlp.shared.pre_linear" [Batch, Pos, Shared]
        "the linear half of a gated shared expert", when(|config| shared(config) && config.gated_mlp);
    Block shared_post(layer) "mlp.shared.post" [Batch, Pos, Shared]
        "the shared expert's neurons after the activation and gate", when(shared);
    Block shared_out(layer) "mlp.shared.out" [Batch, Pos, Model] "the shared expert's output, before its weight",
        when(shared);
    Block mlp_pre(layer) "mlp.pre" [Batch, Pos, Mlp] "neurons before the activation (the gate's input where gated)",
        when(dense), known_as(&["mlp_pre", "mlp.gate.out", "mlp.in.out"]);
    Block mlp_pre_linear(layer) "mlp.pre_linear" [Batch, Pos, Mlp] "the linear half of a gated MLP",
        when(|config| dense(config) && config.gated_mlp), known_as(&["mlp.in.out"]);
    Block mlp_mid(layer) "mlp.mid" [Batch, Pos, Mlp] "neurons after the activation, before their norm",
        when(|config| dense(config) && config.mlp_norm);
    Block mlp_post(layer) "mlp.post" [Batch, Pos, Mlp] "neurons after the activation and gate, or their norm",
        when(dense), known_as(&["mlp_post", "mlp_mid", "mlp.out.in"]);
    Block mlp_out_unnormed(layer) "mlp.out" [Batch, Pos, Model] "the MLP's output before any post-norm";
    Block mlp_out(layer) "mlp_out" [Batch, Pos, Model] "what the MLP adds to the residual stream",
        known_as(&["ln2_post.out"]);
    Block resid_post(layer) "resid_post" [Batch, Pos, Model] "residual stream leaving the block", known_as(&["out"]);

    After ln_final_scale() "ln_final.scale" [Batch, Pos, One] "what the final norm divides by",
        when(|config| config.final_norm);
    After ln_final_normalized() "ln_final.normalized" [Batch, Pos, Model]
        "after the final norm's division, before its weight", when(|config| config.final_norm);
    After logits() "logits" [Batch, Pos, Vocab] "logits, in nats", known_as(&["unembed.out"]);
}

fn norms_first(config: &TransformerConfig) -> bool {
    use NormPlacement::{None, PostOutput, PostResidual};
    !matches!(config.norm_placement, PostOutput | PostResidual | None)
}

fn second_norm(config: &TransformerConfig) -> bool {
    norms_first(config) && !config.attn_only && config.block_layout != BlockLayout::ParallelSharedNorm
}

fn rotates(config: &TransformerConfig) -> bool {
    matches!(config.positions, Positions::Rotary { .. })
}

fn mixture(config: &TransformerConfig) -> bool {
    config.experts.is_some()
}

fn shared(config: &TransformerConfig) -> bool {
    config.experts.is_some_and(|experts| experts.shared.is_some())
}

fn dense(config: &TransformerConfig) -> bool {
    config.experts.is_none() && !config.attn_only
}

/// The row of a constructor for sites in blocks: `row(site::z)`.
pub fn row(site: fn(usize) -> Site) -> &'static SiteInfo {
    site(0).row()
}

/// A site in every layer, as a pattern: `every(site::z)` is `blocks.*.attn.z`.
pub fn every(site: fn(usize) -> Site) -> String {
    row(site).pattern()
}

/// The rows of one place, in the order of the table.
pub fn rows(place: super::Place) -> impl Iterator<Item = &'static SiteInfo> {
    SITES.iter().filter(move |row| row.place == place)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_occurs_once_and_rows_are_sorted_by_place() {
        let names: BTreeSet<&str> = SITES.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), SITES.len());
        assert!(SITES.is_sorted_by_key(|row| row.place));
    }

    #[test]
    fn a_constructor_makes_its_own_row() {
        assert_eq!(scores(3).to_string(), "blocks.3.attn.scores");
        assert_eq!(expert_out(1, 7).to_string(), "blocks.1.mlp.experts.7.out");
        assert_eq!(logits().to_string(), "logits");
        assert_eq!(every(ln1_scale), "blocks.*.ln1.scale");
        assert_eq!(rows(Before).map(|row| row.name).collect::<Vec<_>>(), ["embed", "token_type_embed", "pos_embed"]);
    }

    #[test]
    fn keys_and_values_count_grouped_heads_once() {
        let grouped: Vec<&str> = SITES.iter().filter(|row| row.axes.contains(&KvHead)).map(|row| row.name).collect();
        assert_eq!(grouped, ["k_input", "v_input", "attn.k", "attn.v", "attn.rot_k"]);
    }
}

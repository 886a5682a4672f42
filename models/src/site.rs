//! Every hook point in one table: name, axes, meaning; and the spellings that lead to it.
//!
//! The vocabulary is TransformerLens 2's, with its tensors and axes. `b` is batch, `p` position, `h`
//! head, `m` `d_model`, `d` `d_head`, `f` `d_mlp`, `q` and `k` query and key position, `v` vocabulary,
//! `e` expert.

use std::fmt;

use crate::hooks::SitePattern;

/// One hook point, for any layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteInfo {
    /// Name inside a block, or of the whole model.
    pub name: &'static str,
    /// Whether it occurs once per block.
    pub in_block: bool,
    /// Its axes.
    pub axes: &'static str,
    /// What the tensor is.
    pub meaning: &'static str,
    /// Other names it goes by inside a block or model.
    pub aliases: &'static [&'static str],
}

const fn model(
    name: &'static str,
    axes: &'static str,
    meaning: &'static str,
    aliases: &'static [&'static str],
) -> SiteInfo {
    SiteInfo { name, in_block: false, axes, meaning, aliases }
}

const fn block(
    name: &'static str,
    axes: &'static str,
    meaning: &'static str,
    aliases: &'static [&'static str],
) -> SiteInfo {
    SiteInfo { name, in_block: true, axes, meaning, aliases }
}

/// The table. A model lacks a row when its architecture has no such tensor.
pub const SITES: &[SiteInfo] = &[
    model("embed", "[b, p, m]", "token embedding, scaled as the architecture does", &[]),
    model("token_type_embed", "[b, p, m]", "embedding of each token's type, such as its text of a pair", &[]),
    model("pos_embed", "[b, p, m]", "learned position embedding", &[]),
    block("resid_pre", "[b, p, m]", "residual stream entering the block", &[]),
    block("attn_in", "[b, p, h, m]", "residual stream as each head reads it", &[]),
    block("q_input", "[b, p, h, m]", "residual stream as each head's query reads it", &[]),
    block("k_input", "[b, p, h, m]", "residual stream as each key head reads it", &[]),
    block("v_input", "[b, p, h, m]", "residual stream as each value head reads it", &[]),
    block("ln1.scale", "[b, p, 1]", "what the attention norm divides by", &["scale1"]),
    block("ln1.normalized", "[b, p, m]", "after the attention norm's division, before its weight", &["normalized1"]),
    block("attn.q", "[b, p, h, d]", "queries, before rotation", &["query"]),
    block("attn.k", "[b, p, h, d]", "keys, before rotation; grouped heads once", &["key"]),
    block("attn.v", "[b, p, h, d]", "values; grouped heads once", &["value"]),
    block("attn.rot_q", "[b, p, h, d]", "queries after rotary embedding", &[]),
    block("attn.rot_k", "[b, p, h, d]", "keys after rotary embedding", &[]),
    block(
        "attn.scores",
        "[b, h, q, k]",
        "scaled scores after the mask: -inf where masked",
        &["attn_scores", "attn_logits"],
    ),
    block("attn.pattern", "[b, h, q, k]", "attention probabilities; rows sum to one", &["attn"]),
    block("attn.z", "[b, p, h, d]", "pattern-weighted values of each head", &[]),
    block("attn.result", "[b, p, h, m]", "what each head writes; computed only when asked for", &[]),
    block("attn.out", "[b, p, m]", "attention's output before any post-norm", &[]),
    block("attn_out", "[b, p, m]", "what attention adds to the residual stream", &[]),
    block("resid_mid", "[b, p, m]", "residual stream between attention and MLP", &[]),
    block("mlp_in", "[b, p, m]", "residual stream as the MLP reads it", &[]),
    block("ln2.scale", "[b, p, 1]", "what the MLP norm divides by", &["scale2"]),
    block("ln2.normalized", "[b, p, m]", "after the MLP norm's division, before its weight", &["normalized2"]),
    block("mlp.router", "[b, p, e]", "the router's logits over all experts", &[]),
    block(
        "mlp.expert_weights",
        "[b, p, e]",
        "what each expert's output is multiplied by: 0 where it is not chosen",
        &[],
    ),
    block("mlp.pre", "[b, p, f]", "neurons before the activation (the gate's input where gated)", &["mlp_pre", "pre"]),
    block("mlp.pre_linear", "[b, p, f]", "the linear half of a gated MLP", &["pre_linear"]),
    block("mlp.post", "[b, p, f]", "neurons after the activation and gate", &["mlp_post", "mlp_mid", "post"]),
    block("mlp.out", "[b, p, m]", "the MLP's output before any post-norm", &[]),
    block("mlp_out", "[b, p, m]", "what the MLP adds to the residual stream", &[]),
    block("resid_post", "[b, p, m]", "residual stream leaving the block", &[]),
    model("ln_final.scale", "[b, p, 1]", "what the final norm divides by", &["scale"]),
    model("ln_final.normalized", "[b, p, m]", "after the final norm's division, before its weight", &["normalized"]),
    model("logits", "[b, p, v]", "logits, in nats", &["unembed.hook_out"]),
];

/// A site by name: typed constructors for code, as strings are for the command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site(String);

impl Site {
    /// A site inside one block.
    pub fn in_block(layer: usize, name: &str) -> Self {
        Self(format!("blocks.{layer}.{name}"))
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Site {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<Site> for SitePattern {
    fn from(site: Site) -> Self {
        Self::new(&site.0)
    }
}

macro_rules! constructors {
    ($($function:ident => $name:literal),* $(,)?) => {
        $(
            #[doc = concat!("`blocks.{layer}.", $name, "`; its axes are in [`SITES`].")]
            pub fn $function(layer: usize) -> Site {
                Site::in_block(layer, $name)
            }
        )*
    };
}

constructors! {
    resid_pre => "resid_pre", resid_mid => "resid_mid", resid_post => "resid_post",
    attn_out => "attn_out", mlp_out => "mlp_out", q => "attn.q", k => "attn.k", v => "attn.v",
    scores => "attn.scores", pattern => "attn.pattern", z => "attn.z", result => "attn.result",
    mlp_pre => "mlp.pre", mlp_post => "mlp.post", ln1_scale => "ln1.scale", ln2_scale => "ln2.scale",
}

/// The name a spelling leads to: TransformerLens names lose `hook_`, aliases become the table's name,
/// and a shorthand with a layer (`z3`, `resid_pre8`) becomes a full name.
pub fn canonical(text: &str) -> String {
    let text = text.trim();
    // A reduction is kept under its site's name: `blocks.0.resid_post#norm`.
    if let Some((site, reduction)) = text.split_once('#') {
        return format!("{}#{reduction}", canonical(site));
    }
    let bare: Vec<&str> = text.split('.').map(|segment| segment.strip_prefix("hook_").unwrap_or(segment)).collect();
    let joined = bare.join(".");
    if text == "unembed.hook_out" {
        return "logits".into();
    }
    let (prefix, inside) = split_block(&joined);
    if prefix.is_none()
        && let Some(full) = packed(&joined)
    {
        return full;
    }
    let inside = table_name(&inside, prefix.is_some());
    match prefix {
        Some(prefix) => format!("{prefix}.{inside}"),
        None => inside,
    }
}

/// `blocks.3.attn.z` → (`blocks.3`, `attn.z`).
fn split_block(name: &str) -> (Option<String>, String) {
    let mut parts = name.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("blocks"), Some(layer), Some(inside)) => (Some(format!("blocks.{layer}")), inside.to_owned()),
        _ => (None, name.to_owned()),
    }
}

/// The table's name of an alias, of a TransformerLens name, or of a name without its module.
fn table_name(inside: &str, in_block: bool) -> String {
    if inside.contains(['*', '{']) {
        return inside.to_owned();
    }
    let last = inside.rsplit('.').next().unwrap_or(inside);
    let exact = SITES.iter().find(|site| site.in_block == in_block && site.name == inside);
    let module = |site: &&SiteInfo| {
        site.name.rsplit('.').next() == Some(last) && inside == last && site.name.starts_with("attn.")
    };
    let found = exact
        .or_else(|| SITES.iter().find(|site| site.in_block == in_block && site.aliases.contains(&inside)))
        .or_else(|| {
            SITES.iter().find(|site| {
                site.in_block == in_block
                    && inside.starts_with("attn.")
                    && site.name.starts_with("attn.")
                    && site.aliases.contains(&last)
            })
        })
        .or_else(|| in_block.then(|| SITES.iter().filter(|site| site.in_block).find(module)).flatten());
    found.map_or_else(|| inside.to_owned(), |site| site.name.to_owned())
}

/// TransformerLens's `("scale", 3, "ln1")` as a full name.
pub(crate) fn in_module(layer: usize, module: &str, name: &str) -> String {
    let name = name.strip_prefix("hook_").unwrap_or(name);
    format!("blocks.{layer}.{}", table_name(&format!("{module}.{name}"), true))
}

/// `z3` → `blocks.3.attn.z`; `scale4ln1` → `blocks.4.ln1.scale`.
fn packed(text: &str) -> Option<String> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let (name, rest) = text.split_at(start);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (layer, module) = rest.split_at(end);
    let name = name.trim_end_matches('_');
    let inside = if module.is_empty() { table_name(name, true) } else { format!("{module}.{name}") };
    SITES.iter().any(|site| site.in_block && site.name == inside).then(|| format!("blocks.{layer}.{inside}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_leads_to_one_name() {
        for (spelling, name) in [
            ("blocks.8.hook_resid_pre", "blocks.8.resid_pre"),
            ("blocks.0.attn.hook_attn_scores", "blocks.0.attn.scores"),
            ("blocks.0.attn.hook_pattern", "blocks.0.attn.pattern"),
            ("blocks.0.ln1.hook_scale", "blocks.0.ln1.scale"),
            ("blocks.0.mlp.hook_post", "blocks.0.mlp.post"),
            ("hook_embed", "embed"),
            ("ln_final.hook_normalized", "ln_final.normalized"),
            ("z3", "blocks.3.attn.z"),
            ("resid_pre11", "blocks.11.resid_pre"),
            ("scale4ln1", "blocks.4.ln1.scale"),
            ("attn_logits2", "blocks.2.attn.scores"),
            ("pre5", "blocks.5.mlp.pre"),
            ("blocks.*.attn.pattern", "blocks.*.attn.pattern"),
            ("blocks.*.hook_z", "blocks.*.attn.z"),
            ("unembed.hook_out", "logits"),
            ("resid_post2#norm", "blocks.2.resid_post#norm"),
        ] {
            assert_eq!(canonical(spelling), name, "{spelling}");
        }
    }

    #[test]
    fn an_unknown_name_stays_as_it_is() {
        assert_eq!(canonical("blocks.0.attn.patern"), "blocks.0.attn.patern");
    }
}

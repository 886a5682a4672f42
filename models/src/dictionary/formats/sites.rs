//! The sites that other spellings mean: modules of transformers, and names that predate ours.

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::site::Site;

/// A site of a block as transformers spells it: what follows `layers.{n}`, and our name. The module's own name stands for
/// its output. `post_attention_layernorm` is not among them: in Gemma it is of what attention writes, in Llama of what the MLP reads.
const MODULES: [(&str, &str); 13] = [
    ("", "resid_post"),
    ("output", "resid_post"),
    ("input", "resid_pre"),
    ("self_attn.o_proj.input", "attn.z"),
    ("self_attn.output", "attn.out"),
    ("self_attn", "attn.out"),
    ("attention", "attn.out"),
    ("attn", "attn.out"),
    ("mlp.output", "mlp.out"),
    ("mlp", "mlp.out"),
    ("post_feedforward_layernorm.output", "mlp_out"),
    ("pre_feedforward_layernorm.output", "mlp_read"),
    ("mlp.input", "mlp_read"),
];

/// Where the blocks of a model are, in transformers and here.
const BLOCKS: [&str; 6] = ["model.layers.", "layers.", "transformer.h.", "h.", "gpt_neox.layers.", "blocks."];

/// The site that a text means: in any spelling of ours, of `TransformerLens`'s, or as a module of transformers.
///
/// # Errors
///
/// [`Error::UnknownSite`] with the nearest one, and [`Error::AmbiguousSite`].
pub(in crate::dictionary) fn site(text: &str) -> Result<Site> {
    let text = text.trim();
    Site::from_str(text).or_else(|error| of_module(text).ok_or(error))
}

fn of_module(text: &str) -> Option<Site> {
    if text == "embed_tokens" || text == "model.embed_tokens" {
        return Site::named("embed");
    }
    let rest = BLOCKS.iter().find_map(|start| text.strip_prefix(start))?;
    let (layer, inside) = rest.split_once('.').unwrap_or((rest, ""));
    let layer: usize = layer.parse().ok()?;
    let (_, ours) = MODULES.iter().find(|(theirs, _)| *theirs == inside)?;
    Site::named(&format!("blocks.{layer}.{ours}"))
}

/// Checks a name of a config: it must be a site, or absent.
pub(super) fn check(text: Option<&str>) -> Result<()> {
    match text {
        Some(text) => site(text).map(drop),
        None => Ok(()),
    }
}

/// An error if there is none.
pub(super) fn needed(text: Option<&str>, what: &'static str) -> Result<Site> {
    let missing = || Error::Setting {
        setting: what,
        value: "not known".into(),
        fix: "the dictionary's files do not say which site it is of; name one".into(),
    };
    site(text.ok_or_else(missing)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_by_hand() {
        for (text, name) in [
            ("blocks.8.hook_resid_pre", "blocks.8.resid_pre"),
            ("blocks.3.attn.hook_z", "blocks.3.attn.z"),
            ("hook_embed", "embed"),
            ("embed_tokens", "embed"),
            ("layers.5", "blocks.5.resid_post"),
            ("layers.5.mlp", "blocks.5.mlp.out"),
            ("model.layers.12.output", "blocks.12.resid_post"),
            ("model.layers.12.self_attn.o_proj.input", "blocks.12.attn.z"),
            ("model.layers.12.post_feedforward_layernorm.output", "blocks.12.mlp_out"),
            ("blocks.7.mlp.hook_in", "blocks.7.mlp_read"),
            ("blocks.7.ln2.hook_normalized", "blocks.7.ln2.normalized"),
            ("model.layers.12.pre_feedforward_layernorm.output", "blocks.12.mlp_read"),
            ("blocks.7.hook_mlp_out", "blocks.7.mlp_out"),
            ("gpt_neox.layers.3.attention", "blocks.3.attn.out"),
        ] {
            assert_eq!(site(text).unwrap().to_string(), name, "{text}");
        }
    }

    #[test]
    fn what_is_no_site_is_refused() {
        let said = |text: &str| site(text).unwrap_err().to_string();
        assert!(said("blocks.8.hook_resid_prr").contains("did you mean `blocks.8.resid_pre`"));
        assert!(said("model.layers.x.output").contains("no site fits"));
        assert!(said("model.layers.3.post_attention_layernorm.output").contains("no site fits"));
        check(None).unwrap();
        assert_eq!(
            needed(None, "site").unwrap_err().to_string(),
            "`site` is not known: the dictionary's files do not say which site it is of; name one"
        );
    }
}

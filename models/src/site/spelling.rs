//! The spellings of a site. Each leads to exactly one site or is refused.

use super::info::SiteInfo;
use super::parts::{is_name, split_block};
use super::table::SITES;
use crate::error::Error;

/// A spelling that could mean several sites.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ambiguous {
    asked: String,
    sites: Vec<String>,
}

impl From<Ambiguous> for Error {
    fn from(Ambiguous { asked, sites }: Ambiguous) -> Self {
        Self::AmbiguousSite { asked, sites }
    }
}

/// The name a spelling leads to:
///
/// - a TransformerLens name loses `hook_`
/// - an alias becomes the table's name
/// - a last segment alone is completed if only one site has it (`blocks.0.z`), where those inside of experts do not count
/// - a shorthand with a layer (`z3`, `scale4ln1`) becomes a full name
/// - a name that is not in the table stays as it is
pub(crate) fn canonical(text: &str) -> Result<String, Ambiguous> {
    let text = text.trim();
    // A reduction is stored under its site's name and a suffix: `blocks.0.resid_post#norm`.
    if let Some((site, reduction)) = text.split_once('#') {
        return Ok(format!("{}#{reduction}", canonical(site)?));
    }
    let bare: Vec<&str> = text.split('.').map(|segment| segment.strip_prefix("hook_").unwrap_or(segment)).collect();
    let bare = bare.join(".");
    if let Some((layer, inside)) = split_block(&bare) {
        let found = inside_name(inside, true).map_err(|sites| refused(text, Some(layer), sites))?;
        return Ok(format!("blocks.{layer}.{}", found.unwrap_or(inside)));
    }
    if let Some((layer, inside)) = packed(&bare)
        && let Some(found) = inside_name(&inside, true).map_err(|sites| refused(text, Some(layer), sites))?
    {
        return Ok(format!("blocks.{layer}.{found}"));
    }
    let found = inside_name(&bare, false).map_err(|sites| refused(text, None, sites))?;
    Ok(found.map_or_else(|| bare.clone(), str::to_owned))
}

/// TransformerLens's `("scale", 3, "ln1")` as a full name.
pub(crate) fn in_module(layer: usize, module: &str, name: &str) -> Result<String, Ambiguous> {
    canonical(&within(layer, module_name(module), name))
}

fn within(layer: usize, module: &str, name: &str) -> String {
    if module.is_empty() { format!("blocks.{layer}.{name}") } else { format!("blocks.{layer}.{module}.{name}") }
}

fn refused(asked: &str, layer: Option<&str>, rows: Vec<&'static SiteInfo>) -> Ambiguous {
    let full =
        |row: &SiteInfo| layer.map_or_else(|| row.name.to_owned(), |layer| format!("blocks.{layer}.{}", row.name));
    Ambiguous { asked: asked.to_owned(), sites: rows.into_iter().map(full).collect() }
}

/// The table's name for a name inside a block or model: the same name, an alias, or the last segment of exactly one
/// row.
fn inside_name(inside: &str, in_block: bool) -> Result<Option<&'static str>, Vec<&'static SiteInfo>> {
    if inside.contains('*') {
        return Ok(None);
    }
    let rows = || SITES.iter().filter(|row| row.in_block() == in_block);
    if let Some(row) = rows().find(|row| is_name(row, inside)) {
        // A name with an expert's number stays as it is.
        return Ok((!row.per_expert()).then_some(row.name));
    }
    let mut found: Vec<&SiteInfo> = rows().filter(|row| is_alias(row, inside)).collect();
    if found.is_empty() {
        let plain = |row: &SiteInfo| row.module().is_none_or(|module| !module.contains('.'));
        found = rows().filter(|row| row.last() == inside && plain(row)).collect();
    }
    match found.as_slice() {
        [] => Ok(None),
        [row] => Ok(Some(row.name)),
        _ => Err(found),
    }
}

/// An alias stands alone. One without a module may also follow the row's module: `attn_scores`, `attn.attn_scores`.
fn is_alias(row: &SiteInfo, inside: &str) -> bool {
    let in_module = |alias: &str| match (row.module(), inside.rsplit_once('.')) {
        (Some(own), Some((module, last))) => own == module && last == alias,
        _ => false,
    };
    row.aliases.iter().any(|alias| *alias == inside || (!alias.contains('.') && in_module(alias)))
}

/// Rows in blocks with this alias. `*.hook_out` selects them besides the sites whose own name ends in `out`.
pub(crate) fn rows_known_as(last: &str) -> impl Iterator<Item = &'static SiteInfo> {
    SITES.iter().filter(move |row| row.in_block() && row.aliases.contains(&last))
}

/// `z3` → (`3`, `z`); `scale4ln1` → (`4`, `ln1.scale`). Splits any text with digits: the table decides what it means.
fn packed(text: &str) -> Option<(&str, String)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let (name, rest) = text.split_at(start);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (layer, module) = rest.split_at(end);
    let (name, module) = (name.trim_end_matches('_'), module_name(module));
    Some((layer, if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") }))
}

/// TransformerLens's short names of modules; `block` is the block itself.
fn module_name(module: &str) -> &str {
    match module {
        "a" | "attention" => "attn",
        "m" => "mlp",
        "b" | "block" | "blocks" => "",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::site::Site;

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
            ("k6a", "blocks.6.attn.k"),
            ("attn_logits2", "blocks.2.attn.scores"),
            ("pre5", "blocks.5.mlp.pre"),
            ("blocks.*.attn.pattern", "blocks.*.attn.pattern"),
            ("blocks.*.hook_z", "blocks.*.attn.z"),
            ("blocks.0.mlp.experts.12.hook_pre", "blocks.0.mlp.experts.12.pre"),
            ("resid_post2#norm", "blocks.2.resid_post#norm"),
            ("scale", "ln_final.scale"),
        ] {
            assert_eq!(canonical(spelling).unwrap(), name, "{spelling}");
        }
    }

    #[test]
    fn names_of_transformer_lens_4_lead_to_the_same_tensor() {
        for (spelling, name) in [
            ("blocks.0.hook_in", "blocks.0.resid_pre"),
            ("blocks.0.hook_out", "blocks.0.resid_post"),
            ("hook_out3", "blocks.3.resid_post"),
            ("blocks.0.attn.hook_out", "blocks.0.attn.out"),
            ("blocks.0.mlp.hook_out", "blocks.0.mlp.out"),
            ("blocks.0.ln1_post.hook_out", "blocks.0.attn_out"),
            ("blocks.0.ln2_post.hook_out", "blocks.0.mlp_out"),
            ("blocks.0.attn.q.hook_out", "blocks.0.attn.q"),
            ("blocks.0.attn.k.hook_out", "blocks.0.attn.k"),
            ("blocks.0.attn.v.hook_out", "blocks.0.attn.v"),
            ("blocks.0.attn.o.hook_in", "blocks.0.attn.z"),
            ("blocks.0.mlp.gate.hook_out", "blocks.0.mlp.pre"),
            ("blocks.0.mlp.out.hook_in", "blocks.0.mlp.post"),
            ("embed.hook_out", "embed"),
            ("pos_embed.hook_out", "pos_embed"),
            ("unembed.hook_out", "logits"),
        ] {
            assert_eq!(canonical(spelling).unwrap(), name, "{spelling}");
        }
    }

    #[test]
    fn an_unknown_name_stays_as_it_is() {
        for name in ["blocks.0.attn.patern", "blocks.3.sae.acts", "hidden", "layer2", "blocks.0"] {
            assert_eq!(canonical(name).unwrap(), name);
        }
    }

    #[test]
    fn a_spelling_of_two_sites_is_refused_naming_both() {
        let said = |text: &str| Error::from(canonical(text).unwrap_err()).to_string();
        assert_eq!(
            said("blocks.0.hook_scale"),
            "`blocks.0.hook_scale` could be `blocks.0.ln1.scale` or `blocks.0.ln2.scale`; write the one you mean"
        );
        assert_eq!(
            said("blocks.0.ln2.hook_in"),
            "`blocks.0.ln2.hook_in` could be `blocks.0.resid_mid` or `blocks.0.mlp_in`; write the one you mean"
        );
        for text in ["normalized3", "blocks.*.scale", "blocks.1.mlp.in.hook_out"] {
            assert!(canonical(text).is_err(), "{text}");
        }
    }

    /// All ways to write a row's name, with `hook_` and without, packed and by module.
    fn spellings(row: &SiteInfo) -> Vec<String> {
        let mut inside = vec![row.name.to_owned(), row.last().to_owned()];
        for alias in row.aliases {
            inside.push((*alias).to_owned());
            inside.extend(row.module().map(|module| format!("{module}.{alias}")));
        }
        let mut all = Vec::new();
        for name in inside {
            let hooked = match name.rsplit_once('.') {
                Some((module, last)) => format!("{module}.hook_{last}"),
                None => format!("hook_{name}"),
            };
            for name in [name, hooked] {
                if row.in_block() {
                    all.push(format!("blocks.7.{name}"));
                    all.push(format!("{name}7"));
                } else {
                    all.push(name);
                }
            }
        }
        all
    }

    #[test]
    fn no_spelling_leads_to_two_places() {
        let mut places: BTreeMap<String, String> = BTreeMap::new();
        let mut refused = 0;
        for row in SITES.iter().filter(|row| !row.per_expert()) {
            for spelling in spellings(row) {
                let Ok(name) = canonical(&spelling) else {
                    refused += 1;
                    continue;
                };
                let earlier = places.entry(spelling.clone()).or_insert_with(|| name.clone());
                assert_eq!(*earlier, name);
                // A module's alias before the layer, such as `attn.q.out7`, is not a spelling of any site and stays as
                // it is.
                if let Some(site) = Site::named(&name) {
                    let meant = site.row() == row || site.row().aliases.iter().any(|alias| spelling.contains(alias));
                    assert!(meant || site.row().name.ends_with(row.last()), "{spelling} leads from {row:?} to {name}");
                }
            }
            let own = if row.in_block() { format!("blocks.7.{}", row.name) } else { row.name.to_owned() };
            assert_eq!(canonical(&own).unwrap(), own, "a full name stays as it is");
        }
        assert!(refused > 0, "`scale`, `normalized` and the aliases of two rows are refused");
    }
}

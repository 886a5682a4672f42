//! Full names of sites, and the one parser of them.

use std::fmt;
use std::str::FromStr;

use super::info::SiteInfo;
use super::spelling::canonical;
use super::table::SITES;
use crate::error::Error;

/// One site of the table in one layer: typed constructors make it for code, its name serves the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    layer: Option<usize>,
    expert: Option<usize>,
    row: &'static SiteInfo,
}

impl Site {
    /// A row with its layer and expert, as many as it has.
    pub(super) fn of(row: &'static SiteInfo, indices: &[usize]) -> Self {
        Self { layer: indices.first().copied(), expert: indices.get(1).copied(), row }
    }

    /// The site of a full name as [`Site`] displays it; `None` for any other spelling. Allocates nothing.
    pub fn named(name: &str) -> Option<Self> {
        let (layer, inside) = match split_block(name) {
            Some((layer, inside)) => (Some(layer.parse().ok()?), inside),
            None => (None, name),
        };
        let fits = |row: &&SiteInfo| row.in_block() == layer.is_some() && is_name(row, inside);
        let row = SITES.iter().find(fits)?;
        let expert = expert_of(row, inside);
        // The row's own name has no number in it.
        (row.per_expert() == expert.is_some()).then_some(Self { layer, expert, row })
    }

    /// The block it is in.
    pub fn layer(&self) -> Option<usize> {
        self.layer
    }

    /// The expert it is of.
    pub fn expert(&self) -> Option<usize> {
        self.expert
    }

    /// What is true of it in any layer.
    pub fn row(&self) -> &'static SiteInfo {
        self.row
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            write!(f, "blocks.{layer}.")?;
        }
        match (self.row.name.split_once('*'), self.expert) {
            (Some((before, after)), Some(expert)) => write!(f, "{before}{expert}{after}"),
            _ => f.write_str(self.row.name),
        }
    }
}

/// Any spelling of a site.
impl FromStr for Site {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let name = canonical(text)?;
        let layer = layer_of(&name).unwrap_or(0);
        let all = || SITES.iter().map(|row| Self::of(row, &[layer, 0][..row.indices()]).to_string());
        Self::named(&name).ok_or_else(|| Error::unknown_site(text.trim(), &all().collect::<Vec<_>>()))
    }
}

impl SiteInfo {
    /// How many indices its name takes: layer and expert.
    fn indices(&self) -> usize {
        usize::from(self.in_block()) + usize::from(self.per_expert())
    }
}

/// The block and what follows it: `blocks.3.attn.z` → (`3`, `attn.z`).
pub(super) fn split_block(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("blocks.")?.split_once('.')
}

/// The block a name is in, of this table or not.
pub fn layer_of(name: &str) -> Option<usize> {
    split_block(name)?.0.parse().ok()
}

/// The number of an expert in a name of this row.
fn expert_of(row: &SiteInfo, inside: &str) -> Option<usize> {
    let (before, after) = row.name.split_once('*')?;
    inside.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
}

/// Whether this is the row's name inside a block or model.
pub(super) fn is_name(row: &SiteInfo, inside: &str) -> bool {
    row.name == inside || expert_of(row, inside).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site;

    #[test]
    fn a_name_is_read_back() {
        for row in SITES {
            let site = Site::of(row, &[11, 3][..row.indices()]);
            assert_eq!(Site::named(&site.to_string()), Some(site));
        }
        assert_eq!(Site::named("blocks.1.mlp.experts.12.post"), Some(site::expert_post(1, 12)));
        for other in ["blocks.x.attn.z", "attn.z", "blocks.1.embed", "blocks.1.mlp.experts.x.post", "blocks.1", ""] {
            assert_eq!(Site::named(other), None, "{other}");
        }
    }

    #[test]
    fn text_in_any_spelling_becomes_a_site() {
        assert_eq!(" blocks.8.hook_resid_pre".parse::<Site>().unwrap(), site::resid_pre(8));
        assert_eq!("z3".parse::<Site>().unwrap(), site::z(3));
        let error = "blocks.4.attn.patern".parse::<Site>().unwrap_err().to_string();
        assert_eq!(
            error,
            "no site fits `blocks.4.attn.patern`; did you mean `blocks.4.attn.pattern`? `sites()` lists them all"
        );
    }

    #[test]
    fn a_layer_is_read_of_any_name() {
        assert_eq!(layer_of("blocks.3.sae.acts"), Some(3));
        assert_eq!(layer_of("embed"), None);
    }
}

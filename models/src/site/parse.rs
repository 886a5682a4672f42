//! The one parser of full names.

use std::str::FromStr;

use super::info::SiteInfo;
use super::name::Site;
use super::parts::{expert_of, is_name, layer_of, split_block};
use super::spelling::canonical;
use super::table::SITES;
use crate::error::Error;

impl Site {
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
}

/// Accepts any spelling of a site.
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
    /// How many indices (layer, expert) its name takes.
    fn indices(&self) -> usize {
        usize::from(self.in_block()) + usize::from(self.per_expert())
    }
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
}

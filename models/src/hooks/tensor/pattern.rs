//! Patterns that select sites: `blocks.*.attn.pattern`, `blocks.{0,3}.resid_post`, `*.z`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::site::canonical;

/// A pattern over site names. `*` stands for one or more whole segments at the ends or one in the
/// middle, and for any text inside a segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SitePattern(String);

impl SitePattern {
    /// Parses a name, a TransformerLens name (`blocks.8.hook_resid_pre`) or a pattern.
    pub fn new(text: &str) -> Self {
        Self(canonical(text))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a site's full name fits.
    pub fn matches(&self, name: &str) -> bool {
        alternatives(&self.0).iter().any(|pattern| wild(pattern.as_bytes(), name.as_bytes()))
    }

    /// The names among `known` that fit, in the order of `known`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSite`] with the nearest name when none fits.
    pub fn select<'a>(&self, known: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>> {
        let known: Vec<&str> = known.into_iter().collect();
        let found: Vec<String> = known.iter().filter(|name| self.matches(name)).map(ToString::to_string).collect();
        if found.is_empty() {
            return Err(Error::unknown_site(&self.0, &known));
        }
        Ok(found)
    }
}

impl fmt::Display for SitePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<SitePattern> for String {
    fn from(pattern: SitePattern) -> Self {
        pattern.0
    }
}

impl From<&str> for SitePattern {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for SitePattern {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<&String> for SitePattern {
    fn from(text: &String) -> Self {
        Self::new(text)
    }
}

/// Expands each `{a,b}` of a pattern.
fn alternatives(pattern: &str) -> Vec<String> {
    let Some((open, close)) = pattern.find('{').and_then(|open| Some((open, open + pattern[open..].find('}')?))) else {
        return vec![pattern.to_owned()];
    };
    let (head, tail) = (&pattern[..open], &pattern[close + 1..]);
    let choices = pattern[open + 1..close].split(',');
    choices.flat_map(|choice| alternatives(&format!("{head}{}{tail}", choice.trim()))).collect()
}

/// Shell-style matching where `*` in the middle of a name does not cross a `.`, but a leading one does.
fn wild(pattern: &[u8], name: &[u8]) -> bool {
    fn go(pattern: &[u8], name: &[u8], leading: bool) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => {
                let reach = if leading || rest.is_empty() {
                    name.len()
                } else {
                    name.iter().position(|c| *c == b'.').unwrap_or(name.len())
                };
                (0..=reach).any(|n| go(rest, &name[n..], false))
            }
            Some((c, rest)) => name.first() == Some(c) && go(rest, &name[1..], false),
        }
    }
    go(pattern, name, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_select_by_segment() {
        let fits = |pattern: &str, name: &str| SitePattern::new(pattern).matches(name);
        assert!(fits("blocks.*.attn.pattern", "blocks.11.attn.pattern"));
        assert!(fits("blocks.*.pattern", "blocks.11.attn.pattern"), "a name without its module is completed");
        assert!(!fits("blocks.*.pat*n", "blocks.11.attn.pattern"), "`*` does not cross a dot");
        assert!(fits("*.pattern", "blocks.11.attn.pattern"));
        assert!(fits("blocks.{0,11}.resid_post", "blocks.11.resid_post"));
        assert!(!fits("blocks.{0,1}.resid_post", "blocks.11.resid_post"));
        assert!(fits("blocks.0.*", "blocks.0.attn.z"));
        assert!(fits("*", "embed"));
        assert!(fits("blocks.*.hook_resid_pre", "blocks.2.resid_pre"));
    }

    #[test]
    fn an_unknown_site_names_the_nearest() {
        let error =
            SitePattern::new("blocks.0.attn.patern").select(["blocks.0.attn.pattern", "blocks.0.attn.z"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no site fits `blocks.0.attn.patern`; did you mean `blocks.0.attn.pattern`? `sites()` lists them all"
        );
    }
}

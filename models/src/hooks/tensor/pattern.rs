//! Patterns that select sites: `blocks.*.attn.pattern`, `blocks.{0,3}.resid_post`, `*.z`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::site::{Ambiguous, Site, SiteInfo, canonical, rows_known_as};

/// A pattern over site names. A leading or trailing `*` stands for one or more whole segments, one in the middle for a
/// single segment, and one inside a segment for any text. Compiled once; matching allocates nothing.
///
/// A name is taken literally first. In a model of the site table it may also be another spelling of a site. A module of
/// the user's own has the names it binds, and no others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SitePattern {
    text: String,
    forms: Vec<Form>,
}

/// One of the patterns between braces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    /// As written.
    literal: String,
    /// The table's names and globs that it is a spelling of, or the reason why it is ambiguous.
    names: Result<Vec<String>, Ambiguous>,
}

/// Which names a pattern selects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    /// Those that are written: the sites of a user's own module.
    #[default]
    Own,
    /// Also those that it is a spelling of: the sites of a model.
    Table,
}

impl SitePattern {
    /// Parses a name, a TransformerLens name (`blocks.8.hook_resid_pre`) or a pattern.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let forms = alternatives(text).into_iter().map(|literal| Form { names: named(&literal), literal });
        Self { text: text.to_owned(), forms: forms.collect() }
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a site's full name fits, literally or as another spelling.
    pub fn matches(&self, name: &str) -> bool {
        self.matches_in(name, Vocabulary::Own) || self.matches_in(name, Vocabulary::Table)
    }

    /// Whether a site's full name fits in a run of a module or of a model. A model's names are spellings of themselves.
    pub(in crate::hooks) fn matches_in(&self, name: &str, vocabulary: Vocabulary) -> bool {
        let fits = |glob: &String| wild(glob.as_bytes(), name.as_bytes());
        match vocabulary {
            Vocabulary::Own => self.text == name || self.forms.iter().any(|form| fits(&form.literal)),
            Vocabulary::Table => self.forms.iter().flat_map(|form| &form.names).flatten().any(fits),
        }
    }

    /// Checks that the text has one meaning in a model.
    ///
    /// # Errors
    ///
    /// [`Error::AmbiguousSite`] naming the sites it could mean.
    pub fn check(&self) -> Result<()> {
        let mut meanings = self.forms.iter().map(|form| &form.names);
        meanings.try_for_each(|names| names.as_ref().map(drop).map_err(|ambiguous| ambiguous.clone().into()))
    }

    /// The names among `known` that fit, in the order of `known`. Other spellings count only if no name fits literally.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSite`] with the nearest name when none fits, [`Error::AmbiguousSite`] when the text could mean
    /// several sites.
    pub fn select<'a>(&self, known: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>> {
        self.select_in(known, Vocabulary::Table)
    }

    /// As [`SitePattern::select`], in a run of a module or of a model.
    pub(in crate::hooks) fn select_in<'a>(
        &self,
        known: impl IntoIterator<Item = &'a str>,
        vocabulary: Vocabulary,
    ) -> Result<Vec<String>> {
        let known: Vec<&str> = known.into_iter().collect();
        let mut globs: Vec<&str> = vec![];
        for form in &self.forms {
            let literal = known.iter().any(|name| wild(form.literal.as_bytes(), name.as_bytes()));
            match (&form.names, vocabulary) {
                (Ok(names), Vocabulary::Table) if !literal => globs.extend(names.iter().map(String::as_str)),
                (Err(ambiguous), Vocabulary::Table) if !literal => return Err(ambiguous.clone().into()),
                _ => globs.push(&form.literal),
            }
        }
        let fits =
            |name: &&&str| **name == self.text || globs.iter().any(|glob| wild(glob.as_bytes(), name.as_bytes()));
        let found: Vec<String> = known.iter().filter(fits).map(ToString::to_string).collect();
        if found.is_empty() {
            return Err(Error::unknown_site(&self.text, &known));
        }
        Ok(found)
    }
}

impl fmt::Display for SitePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<SitePattern> for String {
    fn from(pattern: SitePattern) -> Self {
        pattern.text
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

impl From<Site> for SitePattern {
    fn from(site: Site) -> Self {
        let text = site.to_string();
        Self { forms: vec![Form { names: Ok(vec![text.clone()]), literal: text.clone() }], text }
    }
}

impl From<&Site> for SitePattern {
    fn from(site: &Site) -> Self {
        Self::from(*site)
    }
}

/// A row in every layer.
impl From<&SiteInfo> for SitePattern {
    fn from(row: &SiteInfo) -> Self {
        Self::new(&row.pattern())
    }
}

/// The canonical names that a pattern without braces stands for. A last segment in TransformerLens's spelling after a
/// `*` (`*.hook_attn_scores`, `*.hook_out`) also selects the sites that have it as an alias.
fn named(pattern: &str) -> Result<Vec<String>, Ambiguous> {
    let mut names = vec![canonical(pattern)?];
    if let Some((front, last)) = pattern.rsplit_once('.')
        && let Some(last) = last.strip_prefix("hook_")
        && front.ends_with('*')
        && !front.starts_with("blocks.")
    {
        names.extend(rows_known_as(last).map(|row| format!("{front}.{}", row.name)));
    }
    Ok(names)
}

/// Expands each `{a,b}` of a pattern, the innermost first.
fn alternatives(pattern: &str) -> Vec<String> {
    let Some((open, close)) = pattern.find('}').and_then(|close| Some((pattern[..close].rfind('{')?, close))) else {
        return vec![pattern.to_owned()];
    };
    let (head, tail) = (&pattern[..open], &pattern[close + 1..]);
    let choices = pattern[open + 1..close].split(',');
    choices.flat_map(|choice| alternatives(&format!("{head}{}{tail}", choice.trim()))).collect()
}

/// Shell-style matching. A `*` in the middle of a name does not cross a `.`; a leading or trailing one does.
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

    fn fits(pattern: &str, name: &str) -> bool {
        SitePattern::new(pattern).matches(name)
    }

    #[test]
    fn patterns_select_by_segment() {
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
    fn each_spelling_between_braces_is_resolved() {
        for name in ["embed", "blocks.3.attn.z", "blocks.1.mlp.post"] {
            assert!(fits("{hook_embed, z3, blocks.1.{hook_post,attn.hook_q}}", name), "{name}");
        }
        assert!(fits("blocks.*.mlp.experts.*.pre", "blocks.2.mlp.experts.11.pre"));
    }

    #[test]
    fn a_blocks_output_is_the_stream_that_leaves_it() {
        assert!(fits("blocks.0.hook_out", "blocks.0.resid_post") && !fits("blocks.0.hook_out", "blocks.0.attn.out"));
        assert!(fits("blocks.*.hook_in", "blocks.4.resid_pre"));
        assert!(fits("*.hook_out", "blocks.0.resid_post") && fits("*.hook_out", "blocks.0.mlp.out"));
        assert!(fits("*.hook_attn_scores", "blocks.0.attn.scores"));
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

    #[test]
    fn a_name_is_taken_literally_first() {
        let own = ["q1", "blocks.1.attn.q", "blocks.1.q"];
        assert_eq!(SitePattern::new("q1").select(own).unwrap(), ["q1"]);
        assert_eq!(SitePattern::new("blocks.1.q").select(own).unwrap(), ["blocks.1.q"]);
        assert_eq!(SitePattern::new("{q1, blocks.1.hook_q}").select(own).unwrap(), ["q1", "blocks.1.attn.q"]);
        let scale = ["blocks.0.scale", "blocks.0.ln1.scale"];
        assert_eq!(
            SitePattern::new("blocks.0.scale").select(scale).unwrap(),
            ["blocks.0.scale"],
            "it is not ambiguous"
        );
        let pattern = SitePattern::new("q1");
        assert!(pattern.matches_in("q1", Vocabulary::Own) && !pattern.matches_in("blocks.1.attn.q", Vocabulary::Own));
        assert!(pattern.matches_in("blocks.1.attn.q", Vocabulary::Table));
    }

    #[test]
    fn a_pattern_of_two_meanings_selects_nothing_and_says_which() {
        let pattern = SitePattern::new("blocks.{0,1}.hook_normalized");
        assert!(!pattern.matches("blocks.0.ln1.normalized"));
        assert_eq!(
            pattern.select(["blocks.0.ln1.normalized", "blocks.0.ln2.normalized"]).unwrap_err().to_string(),
            "`blocks.0.hook_normalized` could be `blocks.0.ln1.normalized` or `blocks.0.ln2.normalized`; write the one \
             you mean"
        );
    }
}

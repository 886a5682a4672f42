//! The built-in sets, one file and one row each.

mod duplicate_tokens;
mod gendered_pronouns;
mod greater_than;
mod induction;
mod name_mover;
mod name_mover_random_names;

use serde::{Deserialize, Serialize};

use super::KnownPrompt;
use super::draw::Draw;
use crate::error::{Error, Result};

/// Declares the sets. A file has `make`, which draws a prompt, and `right`, which works out the right answer from the
/// prompt alone.
macro_rules! sets {
    ($($(#[$about:meta])* $name:ident $variant:ident,)*) => {
        /// A built-in set.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Known {
            $($(#[$about])* $variant,)*
        }

        impl Known {
            /// Every built-in set.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name of the set, which is also its file's.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($name),)*
                }
            }

            /// Draws one prompt.
            pub(super) fn make(self, draw: &mut Draw) -> KnownPrompt {
                match self {
                    $(Self::$variant => $name::make(draw),)*
                }
            }

            /// Whether a next token is right for a prompt, worked out from the text alone; `None` if the text is not of
            /// this set.
            pub fn is_right(self, prompt: &str, answer: &str) -> Option<bool> {
                match self {
                    $(Self::$variant => $name::is_right(prompt, answer),)*
                }
            }
        }
    };
}

sets! {
    /// Two people, one of whom gives: the next word is the other. In both orders of the names (ABBA, BABA). The corrupted
    /// prompt swaps the giver, so that its right answer is the other name.
    name_mover NameMover,
    /// The same, corrupted by three names that differ from those of the clean prompt (ABC): its answer is unknowable.
    name_mover_random_names NameMoverRandomNames,
    /// A span of years: the next two digits are later. The corrupted prompt begins in the year 01 of the century.
    greater_than GreaterThan,
    /// A sequence of words that repeats: the next word is the one that followed before. In the corrupted prompt another
    /// word followed.
    induction Induction,
    /// Every word comes twice in a row, and the last has come once: it comes again. The corrupted prompt ends in another
    /// word.
    duplicate_tokens DuplicateTokens,
    /// A tag question about a person: ` she` or ` he`. The corrupted prompt has a name of the other gender.
    gendered_pronouns GenderedPronouns,
}

impl Known {
    /// The set of that name.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] with the names that there are.
    pub fn find(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|known| known.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|known| known.name()).collect();
            let problem = format!("there is no set `{name}`; there are: {}", names.join(", "));
            Error::Value { of: "PromptSet", problem }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_is_found_by_its_name() {
        for known in Known::ALL {
            assert_eq!(Known::find(known.name()).unwrap(), *known);
            assert_eq!(serde_json::to_value(known).unwrap(), known.name());
        }
        assert_eq!(
            Known::find("name_movr").unwrap_err().to_string(),
            "`PromptSet`: there is no set `name_movr`; there are: name_mover, name_mover_random_names, greater_than, \
             induction, duplicate_tokens, gendered_pronouns"
        );
    }

    #[test]
    fn the_right_answers_by_hand() {
        let right = |known: Known, prompt: &str, answer: &str| known.is_right(prompt, answer).unwrap();
        let mary = "When Mary and John went to the store, John gave a drink to";
        assert!(right(Known::NameMover, mary, " Mary") && !right(Known::NameMover, mary, " John"));
        let war = "The war lasted from the year 1732 to the year 17";
        assert!(right(Known::GreaterThan, war, "33") && !right(Known::GreaterThan, war, "32"));
        assert!(right(Known::Induction, " apple river stone apple", " river"));
        assert!(!right(Known::Induction, " apple river stone apple", " stone"));
        assert!(right(Known::DuplicateTokens, " apple apple river river stone", " stone"));
        assert!(right(Known::GenderedPronouns, "So Mary is a really good friend, isn't", " she"));
        assert!(right(Known::GenderedPronouns, "So John is a really good friend, isn't", " he"));
        assert_eq!(Known::GenderedPronouns.is_right("So it is", " he"), None);
        assert_eq!(Known::GreaterThan.is_right("The war lasted", "33"), None);
        assert_eq!(Known::Induction.is_right(" apple river", " river"), None);
        assert_eq!(Known::DuplicateTokens.is_right(" apple river stone", " stone"), None);
        assert_eq!(Known::NameMover.is_right("Mary and John talked to", " Mary"), None);
    }
}

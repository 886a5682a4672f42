//! Which shard of how many.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ground::error::{Error, Result};

/// A shard of a job: shard 2 of 4 is the third. As text: `2/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl Shard {
    /// Shard `index` of `of`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for one that does not exist.
    pub fn new(index: usize, of: usize) -> Result<Self> {
        if index < of { Ok(Self { index, of }) } else { Err(Error::out_of_range("shard", index, of)) }
    }

    /// All shards of a job.
    pub fn all(of: usize) -> impl Iterator<Item = Self> {
        (0..of).map(move |index| Self { index, of })
    }

    /// Whether the item at this place of a list is in this shard: every `of`-th is.
    pub fn has(self, place: usize) -> bool {
        place % self.of == self.index
    }

    /// The name of its folder: `2-of-4`.
    pub fn folder(self) -> String {
        format!("{}-of-{}", self.index, self.of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        let Some((index, of)) = parts else {
            let fix = "give the shard, from 0, and their number, such as 0/4".into();
            return Err(Error::Setting { setting: "shard", value: format!("`{text}`"), fix });
        };
        Self::new(index, of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_reads_back_from_its_text_and_nonsense_is_refused() {
        let shard: Shard = "2/4".parse().unwrap();
        assert_eq!(
            (shard, shard.to_string().as_str(), shard.folder().as_str()),
            (Shard { index: 2, of: 4 }, "2/4", "2-of-4")
        );
        let said = |text: &str| text.parse::<Shard>().unwrap_err().to_string();
        assert_eq!(said("4/4"), "shard 4 is out of range: there are 4, numbered from 0");
        for text in ["", "2", "2/", "/4", "-1/4", "1/4/2", "1 / 4", "a/b"] {
            assert_eq!(
                said(text),
                format!("`shard` is `{text}`: give the shard, from 0, and their number, such as 0/4")
            );
        }
    }

    #[test]
    fn each_place_is_in_one_shard() {
        for place in 0..20 {
            assert_eq!(Shard::all(7).filter(|shard| shard.has(place)).count(), 1);
        }
    }
}

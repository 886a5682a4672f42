//! The version of an experiment: a hash of its inputs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json;
use crate::error::{Error, Result};

/// Digits of a version.
const LENGTH: usize = 16;

/// The hash of a run's inputs: 16 hexadecimal digits. Runs of equal inputs share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(String);

impl Version {
    /// A version as a record has it.
    pub(super) fn written(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn of_inputs(inputs: &Value) -> Self {
        Self(json::digest(&json::canonical(inputs))[..LENGTH].to_owned())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Version {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if text.len() == LENGTH && text.chars().all(is_digit) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::NotAVersion { asked: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_reads_back_from_its_text() {
        let version = Version::of_inputs(&serde_json::json!({"seed": 0}));
        assert_eq!(version.to_string().parse::<Version>().unwrap(), version);
        assert_eq!(serde_json::to_value(&version).unwrap(), version.as_ref());
        for wrong in ["", "0123", "0123456789ABCDEF", "0123456789abcdef0"] {
            assert_eq!(
                wrong.parse::<Version>().unwrap_err().to_string(),
                format!(
                    "`{wrong}` is not a version: a version is 16 digits of `0123456789abcdef`; `list_versions` lists them all"
                )
            );
        }
    }
}

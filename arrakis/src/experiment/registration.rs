//! Claims registered before they are measured.
//!
//! Beside the records of an experiment, `registrations/` has one write-once file for each declaration of its claim, written
//! before the body first runs, and one for each data that a declaration was first run on. A changed declaration is a new
//! registration, and both remain. A run is confirmatory unless the same data were seen under another declaration before.

use serde::{Deserialize, Serialize};

/// The registration of a claim, in the record of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The hash of the declaration: the claim, its null, and the function with its attributes, without comments.
    pub id: String,
    /// When the declaration was first registered, UTC, RFC 3339.
    pub registered: String,
    /// The hash of what the claim is measured on: the arguments and the model.
    pub data: String,
    /// Whether the claim was declared before its data were seen.
    pub run: RunKind,
    /// Other declarations that had seen the data, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
}

/// Whether a run tests a claim or looks for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// No other declaration of the function's claim had seen the data: the run tests the claim.
    Confirmatory,
    /// The declaration was changed after the data were seen: its p-value is a description.
    Exploratory,
}

impl RunKind {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Confirmatory => "confirmatory",
            Self::Exploratory => "exploratory",
        }
    }
}

impl Registration {
    /// What a reader of the verdict should know; nothing for a confirmatory run.
    pub(crate) fn note(&self) -> Option<String> {
        let count = self.earlier.len();
        let claims = if count == 1 { "another declaration".to_owned() } else { format!("{count} other declarations") };
        (self.run == RunKind::Exploratory).then(|| {
            format!(
                "exploratory: {claims} of this claim saw the same data before; confirm it on data that nobody has seen"
            )
        })
    }
}

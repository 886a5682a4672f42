//! The settings of a pass, checked before it runs.

use arrakis_models::{Bos, HookedTransformer};
use serde::{Deserialize, Serialize};

use super::window::Cut;
use crate::error::{Error, Result};

/// Everything besides corpus, model and reducers that a result may depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) cut: Cut,
    pub(super) batch_tokens: usize,
    pub(super) limit: Option<usize>,
    pub(super) bos: String,
}

/// How many batches a shelf holds: enough that lengths differ little inside one.
const BATCHES: usize = 16;

impl Settings {
    pub(super) fn new(model: &HookedTransformer) -> Self {
        let length = model.config().max_positions();
        let cut = Cut { length, overlap: 0, skip_first: 0 };
        Self { cut, batch_tokens: 4096, limit: None, bos: format!("{:?}", Bos::default()) }
    }

    /// Tokens of a shelf.
    pub(super) fn shelf(&self) -> usize {
        self.batch_tokens.saturating_mul(BATCHES)
    }

    pub(super) fn check(&self, model: &HookedTransformer) -> Result<()> {
        let Cut { length, overlap, skip_first } = self.cut;
        let longest = model.config().max_positions();
        if length == 0 || length > longest {
            return Err(refuse(format!("a window of {length} tokens does not fit; give a length from 1 to {longest}")));
        }
        if overlap >= length || skip_first >= length {
            return Err(refuse(format!(
                "windows of {length} tokens count nothing with an overlap of {overlap} and {skip_first} skipped; give \
                 less than {length} of each"
            )));
        }
        if self.batch_tokens == 0 || self.limit == Some(0) {
            return Err(refuse("0 tokens run nothing; give batches and limits at least 1 token".into()));
        }
        Ok(())
    }
}

/// The error of a pass.
pub(super) fn refuse(problem: String) -> Error {
    Error::Value { of: "Pass", problem }
}

//! Two runs, one patched into the other: which is which is said in words.

use arrakis_models::{HookedTransformer, IntoTokens, Tokens};

use crate::error::{Error, Result};
use crate::tools::Tool;

/// The prompts that are patched from; [`PatchFrom::into`] names those patched into.
#[derive(Debug)]
pub struct PatchFrom<'a, T> {
    tool: &'a T,
    model: &'a HookedTransformer,
    source: Result<Tokens>,
}

/// Two runs of a patching tool, checked to align token by token. The tool's own methods say what is patched.
#[derive(Clone, Debug)]
pub struct PatchInto<'a, T> {
    pub(crate) tool: &'a T,
    pub(crate) source: Tokens,
    pub(crate) target: Tokens,
}

impl<'a, T: Tool> PatchFrom<'a, T> {
    pub(crate) fn new(tool: &'a T, model: &'a HookedTransformer, source: impl IntoTokens) -> Self {
        Self { tool, model, source: source.into_tokens(model).map_err(Error::from) }
    }

    /// The prompts that are patched into.
    ///
    /// # Errors
    ///
    /// Prompts the model cannot run on, and two that do not align token by token.
    pub fn into(self, target: impl IntoTokens) -> Result<PatchInto<'a, T>> {
        let (source, target) = (self.source?, target.into_tokens(self.model)?);
        let (from, into) = ([source.batch(), source.pos()], [target.batch(), target.pos()]);
        if from == into && source.real() == target.real() {
            return Ok(PatchInto { tool: self.tool, source, target });
        }
        let problem = format!(
            "the source is {} × {} tokens, the target {} × {}{}; patch between prompts that align token by token",
            from[0],
            from[1],
            into[0],
            into[1],
            if from == into { ", padded in other places" } else { "" }
        );
        Err(Error::Tool { tool: T::NAME, problem })
    }
}

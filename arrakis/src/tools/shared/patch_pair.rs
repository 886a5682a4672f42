//! Two runs, one patched into the other. Source and target are named, so that they are not swapped by mistake.

use arrakis_models::{HookedTransformer, IntoTokens, Tokens};

use crate::error::{Error, Result};
use crate::tools::Tool;

/// The source prompts of a patching tool. [`PatchFrom::into`] takes the target prompts.
#[derive(Debug)]
pub struct PatchFrom<'a, T> {
    tool: &'a T,
    model: &'a HookedTransformer,
    source: Result<Tokens>,
}

/// The source and target prompts of a patching tool, which align token by token. The tool's methods say what to patch.
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

    /// Takes the target prompts.
    ///
    /// # Errors
    ///
    /// Prompts that the model cannot run on; source and target that do not align token by token.
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
            if from == into { ", padded in different places" } else { "" }
        );
        Err(Error::Tool { tool: T::NAME, problem })
    }
}

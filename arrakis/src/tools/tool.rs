//! What a tool is.

use arrakis_models::HookedTransformer;

use crate::error::Result;

/// A way to look at a model: a struct that is built from it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an arrakis tool",
    label = "not a tool",
    note = "implement `arrakis::Tool` for it: a `NAME`, and `fn new(model: &HookedTransformer) -> Result<Self>`"
)]
pub trait Tool: Sized {
    /// The name in messages, and in `#[use_tools("..")]` for the tools of this crate.
    const NAME: &'static str;

    /// Builds the tool. A model is a handle, so cloning it copies no weights.
    ///
    /// # Errors
    ///
    /// A model that lacks what the tool needs.
    fn new(model: &HookedTransformer) -> Result<Self>;
}

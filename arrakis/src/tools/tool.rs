//! What a tool is.

use arrakis_models::HookedTransformer;

use crate::error::Result;

/// Something that is built from a model, to look at it with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an arrakis tool",
    label = "not a tool",
    note = "implement `arrakis::Tool` for it: a `NAME`, and `fn new(model: &HookedTransformer) -> Result<Self>`"
)]
pub trait Tool: Sized {
    /// The name in messages, and in `#[use_tools("..")]` for the tools of this crate.
    const NAME: &'static str;

    /// Makes the tool. A model is a handle: cloning it copies no weights.
    ///
    /// # Errors
    ///
    /// Where the model lacks what the tool needs.
    fn new(model: &HookedTransformer) -> Result<Self>;
}

//! The answer of a subcommand.

/// The answer of a subcommand.
#[derive(Debug)]
pub(super) struct Answer {
    /// Text for stdout, ending with a newline.
    pub(super) text: String,
    /// Whether the answer is yes: exit status 0, otherwise 1.
    pub(super) yes: bool,
}

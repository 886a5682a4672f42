//! What a subcommand has to say.

/// What a subcommand has to say.
#[derive(Debug)]
pub(super) struct Answer {
    /// For stdout, its last line ended.
    pub(super) text: String,
    /// Whether the answer is yes: exit status 0, else 1.
    pub(super) yes: bool,
}

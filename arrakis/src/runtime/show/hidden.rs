//! What of a value is not written.

/// What of a value does not enter the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// All but its type.
    Value {
        /// The type.
        kind: &'static str,
        /// The reason.
        why: String,
    },
    /// A part, for this reason.
    Part(&'static str),
}

impl Hidden {
    /// The warning in the record about such an argument.
    pub(in crate::runtime) fn of_argument(&self, name: &str) -> String {
        match self {
            Self::Value { kind, why } => {
                format!("the argument `{name}` is in the version by its type alone, `{kind}`: {why}")
            }
            Self::Part(why) => format!("the argument `{name}` is in the version in part: {why}"),
        }
    }
}

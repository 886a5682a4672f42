//! What a part of a value becomes.

use serde_json::{Error, Value};

use crate::experiment::json::numbers::{Number, Numbers};

/// A part of a value. Numbers stay numbers until it is known whether they form an array.
pub(super) enum Node {
    Json(Value),
    Number(Number),
    Numbers(Numbers),
}

/// A part, or the reason why it cannot be written.
pub(super) type Written = Result<Node, Error>;

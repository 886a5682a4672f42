//! The kinds of heads, and how similarity to a perfect one is measured.

use serde::{Deserialize, Serialize};

/// A kind of head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeadKind {
    /// Looks at the previous position.
    PreviousToken,
    /// Looks at earlier copies of the current token.
    DuplicateToken,
    /// Looks at the token after each earlier copy of the current token.
    Induction,
}

/// How a pattern is compared with that of a perfect head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorMeasure {
    /// The share of all attention that lies where the perfect head looks.
    Mul,
    /// One minus the absolute difference, averaged over queries and rounded to three decimals.
    Abs,
}

/// What [`HeadDetector::detect`](super::HeadDetector::detect) may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exclude {
    /// Attention to the first token.
    Bos,
    /// Attention of a position to itself.
    CurrentToken,
}

//! The role of a token in a prompt about a subject.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::tools::place::Place;

/// Where a token stands: in the subject, or after it. Tokens before the subject have no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The first token of the subject.
    FirstSubject,
    /// The tokens of the subject between its first and its last.
    MiddleSubject,
    /// The last token of the subject.
    LastSubject,
    /// The first token after the subject.
    FirstAfter,
    /// The tokens between that and the last.
    Further,
    /// The last token of the prompt.
    Last,
}

impl Role {
    pub(super) const ALL: [Self; 6] =
        [Self::FirstSubject, Self::MiddleSubject, Self::LastSubject, Self::FirstAfter, Self::Further, Self::Last];

    /// The positions with this role. One position may have two: a subject of one token is its first and its last.
    pub(super) fn positions(self, subject: &[usize], length: usize) -> Range<usize> {
        let (first, last) = (subject[0], subject[subject.len() - 1]);
        match self {
            Self::FirstSubject => first..first + 1,
            Self::MiddleSubject => first + 1..last.max(first + 1),
            Self::LastSubject => last..last + 1,
            Self::FirstAfter => last + 1..(last + 2).min(length),
            Self::Further => last + 2..(length - 1).max(last + 2),
            Self::Last => length - 1..length,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::FirstSubject => "First subject token",
            Self::MiddleSubject => "Middle subject tokens",
            Self::LastSubject => "Last subject token",
            Self::FirstAfter => "First subsequent token",
            Self::Further => "Further tokens",
            Self::Last => "Last token",
        }
    }
}

/// A role in one layer. Its label is `Last subject token, L3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleLayer {
    /// The role of the token.
    pub role: Role,
    /// The layer, from 0.
    pub layer: usize,
}

impl Place for RoleLayer {
    type Row = Role;
    type Column = usize;
    const AXES: [&'static str; 2] = ["token", "layer"];

    fn at(row: &Role, column: &usize) -> Self {
        Self { role: *row, layer: *column }
    }

    fn row_label(row: &Role) -> String {
        row.label().to_owned()
    }

    fn column_label(column: &usize) -> String {
        format!("L{column}")
    }

    fn label(&self) -> String {
        format!("{}, L{}", self.role.label(), self.layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_those_of_the_papers_averages() {
        let positions = |subject: &[usize], length| Role::ALL.map(|role| role.positions(subject, length));
        assert_eq!(positions(&[1, 2, 3, 4], 9), [1..2, 2..4, 4..5, 5..6, 6..8, 8..9]);
        assert_eq!(positions(&[0], 2), [0..1, 1..1, 0..1, 1..2, 2..2, 1..2]);
        assert_eq!(positions(&[0, 1], 2), [0..1, 1..1, 1..2, 2..2, 3..3, 1..2]);
        assert_eq!(RoleLayer::at(&Role::LastSubject, &3).label(), "Last subject token, L3");
    }
}

//! Positions and layers, from either end.

use arrakis_models::Tokens;
use serde::{Deserialize, Serialize};

use super::common;
use crate::error::Result;

/// An index that counts from the end where it is negative.
macro_rules! from_either_end {
    ($kind:ident) => {
        impl From<isize> for $kind {
            fn from(index: isize) -> Self {
                Self(index)
            }
        }

        impl From<usize> for $kind {
            fn from(index: usize) -> Self {
                Self(isize::try_from(index).unwrap_or(isize::MAX))
            }
        }

        /// For literals, whose type is `i32` by default.
        impl From<i32> for $kind {
            fn from(index: i32) -> Self {
                Self(index as isize)
            }
        }
    };
}

/// A position of a prompt among its own tokens: padding does not count. `0` is the first token, `-1` the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position(isize);

/// A layer of the model: `0` is the first, `-1` the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer(isize);

from_either_end!(Position);
from_either_end!(Layer);

impl Default for Position {
    fn default() -> Self {
        Self::LAST
    }
}

impl Position {
    /// The last token.
    pub const LAST: Self = Self(-1);

    /// The index in each row of a batch, padding counted: `[batch]`.
    ///
    /// # Errors
    ///
    /// A position that is out of range in some row; the error gives the valid range.
    pub fn of(self, tokens: &Tokens) -> Result<Vec<usize>> {
        let slot = |real: &Vec<bool>| {
            let own: Vec<usize> = (0..real.len()).filter(|slot| real[*slot]).collect();
            Ok(own[common::index("position", self.0, own.len())?])
        };
        tokens.real().iter().map(slot).collect()
    }

    /// The index as it was given, negative if it counts from the end.
    pub(crate) fn offset(self) -> isize {
        self.0
    }

    /// The index among `length` tokens.
    pub(crate) fn index(self, length: usize) -> Result<usize> {
        common::index("position", self.0, length)
    }
}

impl Layer {
    /// The index among `length` layers.
    pub(crate) fn index(self, length: usize) -> Result<usize> {
        common::index("layer", self.0, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis_models::Side;

    #[test]
    fn positions_count_own_tokens_from_either_end() {
        let tokens = Tokens::padded(&[vec![5, 6, 7], vec![8, 9]], Side::Left, 0).unwrap();
        let of = |position: Position| position.of(&tokens).unwrap();
        assert_eq!(of(0.into()), [0, 1]);
        assert_eq!(of((-1).into()), [2, 2]);
        assert_eq!(of(Position::LAST), of(Position::default()));
        assert_eq!(of(1_usize.into()), [1, 2]);
    }

    #[test]
    fn a_position_that_some_row_lacks_is_named_with_its_sign() {
        let tokens = Tokens::padded(&[vec![5, 6, 7], vec![8, 9]], Side::Left, 0).unwrap();
        for asked in [2, -3] {
            let error = Position::from(asked).of(&tokens).unwrap_err().to_string();
            assert!(error.contains("is out of range"), "{error}");
        }
        assert_eq!(Layer::from(-1).index(4).unwrap(), 3);
    }
}

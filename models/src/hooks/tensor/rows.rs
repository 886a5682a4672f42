//! The tokens of one forward, as edits and captures see them: which slot of which row holds which token.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::tokens::Tokens;

/// Rows of slots. A position counts a row's own tokens, without padding. It means the same in a padded batch as for the
/// prompt alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    ids: Vec<Vec<u32>>,
    /// `[row][slot]`: the position, `None` for padding.
    positions: Vec<Vec<Option<usize>>>,
    /// `[row][slot]`: the same for the slots before this forward, whose keys it sees.
    earlier: Vec<Vec<Option<usize>>>,
    /// Number of prompt tokens of each row. Negative positions count back from it, also while tokens are added.
    prompt: Vec<usize>,
    /// How many tokens may be added to each prompt.
    added: usize,
    /// Index of the first row in the whole batch, and the number of rows of that batch.
    batch: (usize, usize),
}

impl Rows {
    /// Rows that continue earlier slots. `earlier` is `[row][slot]`: whether the slot holds a token.
    pub(crate) fn new(tokens: &Tokens, earlier: &[Vec<bool>]) -> Self {
        let mut before = vec![Vec::new(); tokens.batch()];
        let mut next = vec![0; tokens.batch()];
        for (row, real) in earlier.iter().enumerate() {
            before[row] = numbered(real, &mut next[row]);
        }
        let positions = tokens.real().iter().zip(&mut next).map(|(real, next)| numbered(real, next)).collect();
        Self {
            ids: tokens.ids().to_vec(),
            positions,
            earlier: before,
            prompt: next,
            added: 0,
            batch: (0, tokens.batch()),
        }
    }

    /// The same rows, with `prompt[row]` prompt tokens and at most `added` tokens to come after them.
    pub(crate) fn with_prompt(mut self, prompt: Vec<usize>, added: usize) -> Self {
        (self.prompt, self.added) = (prompt, added);
        self
    }

    /// The same rows, as part of a batch of `total` rows, starting at row `first`.
    pub(crate) fn within(mut self, first: usize, total: usize) -> Self {
        self.batch = (first, total);
        self
    }

    /// Only some of the rows.
    pub(crate) fn narrow(&self, rows: Range<usize>) -> Self {
        Self {
            ids: self.ids[rows.clone()].to_vec(),
            positions: self.positions[rows.clone()].to_vec(),
            earlier: self.earlier[rows.clone()].to_vec(),
            prompt: self.prompt[rows].to_vec(),
            added: self.added,
            batch: self.batch,
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Token ids, `[row][slot]`, padding included.
    pub fn ids(&self) -> &[Vec<u32>] {
        &self.ids
    }

    /// Index of the first row in the whole batch, and the number of rows of that batch. They matter in a micro-batch.
    pub fn batch(&self) -> (usize, usize) {
        self.batch
    }

    /// Whether two rows have their tokens in the same slots, including earlier slots.
    pub(in crate::hooks) fn are_alike(&self, one: usize, other: usize) -> bool {
        let alike = |slots: &[Vec<Option<usize>>]| slots[one] == slots[other];
        alike(&self.positions) && alike(&self.earlier)
    }

    /// `[row][slot]`: whether the slot holds a token.
    pub fn real(&self) -> Vec<Vec<bool>> {
        self.positions.iter().map(|row| row.iter().map(Option::is_some).collect()).collect()
    }

    /// Whether no row is padded.
    pub fn is_full(&self) -> bool {
        self.positions.iter().flatten().all(Option::is_some)
    }

    /// How many keys a query may see: the slots of this forward and those before it.
    pub(crate) fn keys(&self) -> usize {
        self.earlier.first().map_or(0, Vec::len) + self.ids.first().map_or(0, Vec::len)
    }

    /// The index of a position among a row's tokens. A negative position counts from the end of the prompt.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] before the prompt's first token, or after the last token that may be added to it.
    pub fn position(&self, row: usize, position: isize) -> Result<usize> {
        let length = self.prompt[row];
        let place = if position < 0 { position + length as isize } else { position };
        let length = length + self.added;
        usize::try_from(place)
            .ok()
            .filter(|place| *place < length)
            .ok_or_else(|| Error::out_of_range("position", position, length))
    }

    /// `[row][slot]`: whether a slot holds one of the positions. A position outside this forward selects no slot.
    ///
    /// # Errors
    ///
    /// As [`Rows::position`].
    pub fn at(&self, positions: &[isize]) -> Result<Vec<Vec<bool>>> {
        let row = |(row, slots): (usize, &Vec<Option<usize>>)| {
            let wanted = positions.iter().map(|position| self.position(row, *position)).collect::<Result<Vec<_>>>()?;
            Ok(slots.iter().map(|slot| slot.is_some_and(|place| wanted.contains(&place))).collect())
        };
        self.positions.iter().enumerate().map(row).collect()
    }

    /// `[row][key]`: the same over all keys, including those before this forward.
    ///
    /// # Errors
    ///
    /// As [`Rows::position`].
    pub(in crate::hooks) fn keys_at(&self, positions: &[isize]) -> Result<Vec<Vec<bool>>> {
        let row = |(row, slots): (usize, &Vec<Option<usize>>)| {
            let wanted = positions.iter().map(|position| self.position(row, *position)).collect::<Result<Vec<_>>>()?;
            let keys = self.earlier[row].iter().chain(slots);
            Ok(keys.map(|slot| slot.is_some_and(|place| wanted.contains(&place))).collect())
        };
        self.positions.iter().enumerate().map(row).collect()
    }

    /// The positions among these that this forward holds. The others belong to an earlier or a later forward.
    ///
    /// # Errors
    ///
    /// As [`Rows::position`], and [`Error::UnevenStep`] where some rows hold a position and others do not.
    pub(in crate::hooks) fn here(&self, positions: &[isize]) -> Result<Vec<isize>> {
        let mut here = Vec::new();
        for position in positions {
            let holds = |row: usize| Ok(self.positions[row].contains(&Some(self.position(row, *position)?)));
            let held = (0..self.len()).map(holds).collect::<Result<Vec<bool>>>()?;
            if held.iter().all(|held| *held) {
                here.push(*position);
            } else if let Some(row) = held.iter().position(|held| *held) {
                let elsewhere = held.iter().position(|held| !*held).expect("BUG: not all rows hold it");
                return Err(Error::UnevenStep { position: *position, here: row, elsewhere });
            }
        }
        Ok(here)
    }

    /// `[row][slot]`: whether a slot holds one of the token ids.
    pub fn holding(&self, tokens: &[u32]) -> Vec<Vec<bool>> {
        let row = |(ids, slots): (&Vec<u32>, &Vec<Option<usize>>)| {
            ids.iter().zip(slots).map(|(id, slot)| slot.is_some() && tokens.contains(id)).collect()
        };
        self.ids.iter().zip(&self.positions).map(row).collect()
    }

    /// The slot of each position, row by row.
    ///
    /// # Errors
    ///
    /// As [`Rows::position`], and an error for a position that this forward does not hold.
    pub fn slots(&self, positions: &[isize]) -> Result<Vec<Vec<usize>>> {
        let slot = |row: usize, position: isize| {
            let place = self.position(row, position)?;
            let missing = || Error::out_of_range("position", place, self.positions[row].len());
            self.positions[row].iter().position(|slot| *slot == Some(place)).ok_or_else(missing)
        };
        (0..self.len()).map(|row| positions.iter().map(|position| slot(row, *position)).collect()).collect()
    }
}

/// Numbers the real slots, starting at `next`.
fn numbered(real: &[bool], next: &mut usize) -> Vec<Option<usize>> {
    let number = |real: &bool| {
        real.then(|| {
            *next += 1;
            *next - 1
        })
    };
    real.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Side;

    fn rows(side: Side) -> Rows {
        Rows::new(&Tokens::padded(&[vec![5, 6, 7], vec![8]], side, 0).unwrap(), &[])
    }

    #[test]
    fn a_position_is_the_same_token_under_both_paddings() {
        let left = rows(Side::Left);
        assert_eq!(left.slots(&[0]).unwrap(), [[0], [2]]);
        assert_eq!(left.slots(&[-1]).unwrap(), [[2], [2]]);
        let right = rows(Side::Right);
        assert_eq!(right.slots(&[0]).unwrap(), [[0], [0]]);
        assert_eq!(right.slots(&[-1]).unwrap(), [[2], [0]]);
        assert_eq!(right.at(&[-1]).unwrap(), [[false, false, true], [true, false, false]]);
        assert_eq!(right.holding(&[8, 0]), [[false; 3], [true, false, false]], "padding holds no token");
    }

    #[test]
    fn a_short_row_lacks_late_positions() {
        let error = rows(Side::Right).at(&[1]).unwrap_err().to_string();
        assert_eq!(error, "position 1 is out of range: there are 1, numbered from 0");
        assert!(rows(Side::Left).position(0, -4).is_err());
    }

    #[test]
    fn negative_positions_count_from_the_prompts_end_while_tokens_are_added() {
        let added = Tokens::new(vec![vec![9], vec![9]]).unwrap();
        let earlier = [vec![true, true, true], vec![false, false, true]];
        let step = Rows::new(&added, &earlier).with_prompt(vec![3, 1], 2);
        assert_eq!(step.position(0, -1).unwrap(), 2);
        assert_eq!(step.at(&[-1, 0]).unwrap(), [[false], [false]], "the prompt's tokens were in an earlier forward");
        assert_eq!(step.at(&[2]).unwrap(), [[false], [false]], "the positions are in an earlier and a later forward");
        assert_eq!(step.at(&[3]).unwrap_err().to_string(), "position 3 is out of range: there are 3, numbered from 0");
        assert_eq!(step.narrow(0..1).at(&[3]).unwrap(), [[true]]);
        assert_eq!(step.keys_at(&[0, -1]).unwrap(), [[true, false, true, false], [false, false, true, false]]);
        assert_eq!((step.here(&[0]).unwrap(), step.narrow(0..1).here(&[0, 3]).unwrap()), (vec![], vec![3]));
        let error = step.here(&[1]).unwrap_err().to_string();
        assert_eq!(
            error,
            "this step holds position 1 of row 1, but not of row 0: generate the rows one by one, or capture whole steps"
        );
    }
}

//! Which keys each query sees.

use std::ops::Range;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{BoolStore, DType};

/// The mask of one forward pass, `[batch or 1, 1, query, key]`, row by row.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    mask: FlexTensor,
    keys: usize,
    rows: Vec<Row>,
}

/// A query's keys from the first to the last that it sees. Few masks hide some in between.
#[derive(Clone, Debug)]
struct Row {
    span: Range<usize>,
    has_holes: bool,
}

impl Seen {
    /// `None` for masks that are not stored as bytes.
    pub(super) fn of(mask: &FlexTensor) -> Option<Self> {
        let bytes = matches!(mask.dtype(), DType::Bool(BoolStore::Native | BoolStore::U8));
        let keys = *mask.shape().last()?;
        let mask = bytes.then(|| mask.to_contiguous())?;
        let rows = if keys == 0 { Vec::new() } else { hidden(&mask).chunks_exact(keys).map(Row::of).collect() };
        Some(Self { mask, keys, rows })
    }

    /// Writes `value` over the scores of keys that a query does not see.
    pub(super) fn hide(&self, row: usize, scores: &mut [f32], value: f32) {
        let span = self.span(row);
        scores[..span.start].fill(value);
        scores[span.end..].fill(value);
        self.hide_between(row, &mut scores[span], value);
    }

    /// The same for the scores of the query's span.
    pub(super) fn hide_between(&self, row: usize, scores: &mut [f32], value: f32) {
        let Row { span, has_holes } = &self.rows[row];
        if *has_holes {
            let hidden = &hidden(&self.mask)[row * self.keys..(row + 1) * self.keys][span.clone()];
            scores.iter_mut().zip(hidden).filter(|(_, hidden)| **hidden != 0).for_each(|(score, _)| *score = value);
        }
    }

    /// The span of each row.
    pub(super) fn spans(&self) -> Vec<Range<usize>> {
        self.rows.iter().map(|row| row.span.clone()).collect()
    }

    /// From the first to the last key that a query sees.
    pub(super) fn span(&self, row: usize) -> Range<usize> {
        self.rows[row].span.clone()
    }
}

impl Row {
    fn of(hidden: &[u8]) -> Self {
        let first = hidden.iter().position(|hidden| *hidden == 0).unwrap_or(hidden.len());
        let after = hidden.len() - hidden_at_the_end(hidden);
        let span = first..after.max(first);
        let has_holes = hidden[span.clone()].contains(&1);
        Self { span, has_holes }
    }
}

/// How many at the end are hidden. Eight at a time: half of a causal mask is hidden.
fn hidden_at_the_end(hidden: &[u8]) -> usize {
    let eights = hidden.rchunks_exact(8).take_while(|eight| **eight == [1; 8]).count() * 8;
    let rest = &hidden[..hidden.len() - eights];
    eights + rest.iter().rev().take_while(|hidden| **hidden != 0).count()
}

fn hidden(mask: &FlexTensor) -> &[u8] {
    let (start, end) = mask.layout().contiguous_offsets().expect("BUG: the mask is contiguous");
    &mask.storage::<u8>()[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_by_hand() {
        let row = |hidden: &[u8]| {
            let row = Row::of(hidden);
            (row.span, row.has_holes)
        };
        assert_eq!(row(&[0, 0, 1, 1]), (0..2, false));
        assert_eq!(row(&[1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]), (1..4, true));
        assert_eq!(row(&[0; 20]), (0..20, false));
        assert_eq!(row(&[1; 9]), (9..9, false));
    }
}

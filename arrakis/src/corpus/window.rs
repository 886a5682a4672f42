//! Windows: the parts of a document that fit a model's context.

use serde::{Deserialize, Serialize};

/// A part of a document that is run as one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The document it is cut from, from 0; blank documents are numbered too.
    pub document: usize,
    /// The position in the document of its first token.
    pub start: usize,
    /// Its tokens.
    pub ids: Vec<u32>,
    /// How many of its first tokens are context only and not counted.
    pub context: usize,
}

/// How documents are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cut {
    /// The most tokens of a window.
    pub(super) length: usize,
    /// How many tokens a window repeats from the one before it, as context.
    pub(super) overlap: usize,
    /// How many tokens at the start of every window are not counted.
    pub(super) skip_first: usize,
}

impl Cut {
    /// The windows of a document that count at least one token. Each token is counted once, or never if it is skipped.
    pub(super) fn windows(self, document: usize, ids: &[u32]) -> Vec<Window> {
        let stride = self.length - self.overlap;
        let starts = (0..ids.len()).step_by(stride).filter(|start| *start == 0 || start + self.overlap < ids.len());
        let window = |start: usize| {
            let end = (start + self.length).min(ids.len());
            let overlap = if start == 0 { 0 } else { self.overlap };
            Window { document, start, ids: ids[start..end].to_vec(), context: overlap.max(self.skip_first) }
        };
        starts.map(window).filter(|window| window.context < window.ids.len()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(length: usize, overlap: usize, skip_first: usize) -> Cut {
        Cut { length, overlap, skip_first }
    }

    fn spans(windows: &[Window]) -> Vec<(usize, usize, usize)> {
        windows.iter().map(|window| (window.start, window.ids.len(), window.context)).collect()
    }

    #[test]
    fn windows_by_hand() {
        let ids: Vec<u32> = (0..10).collect();
        assert_eq!(spans(&cut(4, 0, 0).windows(0, &ids)), [(0, 4, 0), (4, 4, 0), (8, 2, 0)]);
        assert_eq!(spans(&cut(4, 2, 0).windows(0, &ids)), [(0, 4, 0), (2, 4, 2), (4, 4, 2), (6, 4, 2)]);
        assert_eq!(spans(&cut(4, 2, 1).windows(0, &ids[..5])), [(0, 4, 1), (2, 3, 2)]);
        assert_eq!(spans(&cut(4, 0, 2).windows(0, &ids)), [(0, 4, 2), (4, 4, 2)]);
        assert!(cut(4, 0, 1).windows(0, &ids[..1]).is_empty() && cut(4, 0, 0).windows(0, &[]).is_empty());
    }

    #[test]
    fn every_token_is_counted_once_whatever_the_overlap() {
        for length in 2..9 {
            for overlap in 0..length {
                for count in 0..40_u32 {
                    let ids: Vec<u32> = (0..count).collect();
                    let windows = cut(length, overlap, 0).windows(3, &ids);
                    let counted: Vec<u32> =
                        windows.iter().flat_map(|window| window.ids[window.context..].to_vec()).collect();
                    assert_eq!(counted, ids, "{length} {overlap}");
                    assert!(
                        windows.iter().all(|window| window.ids[0] as usize == window.start && window.document == 3)
                    );
                }
            }
        }
    }
}

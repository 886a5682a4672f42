//! A shelf: some windows, sorted by length so that batches need little padding.

use arrakis_models::{Side, Tokens};

use super::window::Window;
use crate::error::Result;

/// Windows of whole documents, filled in document order.
#[derive(Default)]
pub(super) struct Shelf {
    windows: Vec<Window>,
    /// Tokens of all windows.
    pub(super) tokens: usize,
}

/// Windows that run together, shorter ones padded on the right.
pub(super) struct Row {
    pub(super) windows: Vec<Window>,
    pub(super) tokens: Tokens,
}

impl Shelf {
    pub(super) fn add(&mut self, windows: Vec<Window>) {
        self.tokens += windows.iter().map(|window| window.ids.len()).sum::<usize>();
        self.windows.extend(windows);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Batches of at most `most` tokens with padding, or of one window. Windows of one length are in document order.
    pub(super) fn batches(mut self, most: usize) -> Result<Vec<Row>> {
        self.windows.sort_by_key(|window| (window.ids.len(), window.document, window.start));
        let (mut batches, mut row): (Vec<Vec<Window>>, Vec<Window>) = (Vec::new(), Vec::new());
        for window in self.windows {
            if !row.is_empty() && (row.len() + 1) * window.ids.len() > most {
                batches.push(std::mem::take(&mut row));
            }
            row.push(window);
        }
        batches.extend((!row.is_empty()).then_some(row));
        batches.into_iter().map(padded).collect()
    }
}

/// Padding comes after the tokens, so positions need no shift; no window holds it and no reducer sees it.
fn padded(windows: Vec<Window>) -> Result<Row> {
    let ids: Vec<Vec<u32>> = windows.iter().map(|window| window.ids.clone()).collect();
    Ok(Row { tokens: Tokens::padded(&ids, Side::Right, 0)?, windows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_sorted_and_batches_are_filled() {
        let window = |document: usize, length: usize| Window { document, start: 0, ids: vec![1; length], context: 0 };
        let mut shelf = Shelf::default();
        shelf.add(vec![window(0, 5), window(1, 2), window(2, 9), window(3, 2), window(4, 4)]);
        assert_eq!(shelf.tokens, 22);
        let batches = shelf.batches(8).unwrap();
        let documents: Vec<Vec<usize>> =
            batches.iter().map(|row| row.windows.iter().map(|window| window.document).collect()).collect();
        assert_eq!(documents, [vec![1, 3], vec![4], vec![0], vec![2]]);
        assert!(Shelf::default().is_empty() && Shelf::default().batches(8).unwrap().is_empty());
    }
}

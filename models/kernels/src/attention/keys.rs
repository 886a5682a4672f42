//! Keys laid out for vectors: a lane is a key.

use super::shape::{Heads, Rows};
use crate::place::{GRAIN, Weights};
use crate::scratch::aligned;

/// For each head, panels of [`GRAIN`] keys: the first number of each, then the second number of each ...
pub(super) struct Keys {
    numbers: Vec<f32>,
    /// Numbers before the first panel, so that it begins a line of the cache.
    skip: usize,
    panels: usize,
    heads: Heads,
}

impl Keys {
    pub(super) fn new(heads: &Heads, k: Rows<'_>) -> Self {
        let (panels, size) = (heads.keys.div_ceil(GRAIN), heads.d_head * GRAIN);
        let count = heads.batch * heads.kv_heads * panels;
        let (mut numbers, skip) = aligned(count * size);
        let fill = |(at, panel): (usize, &mut [f32])| {
            let (place, first) = (at / panels, at % panels * GRAIN);
            let last = heads.keys.min(first + GRAIN);
            let row = |key: usize| &k.from([place / heads.kv_heads, key, place % heads.kv_heads])[..heads.d_head];
            transpose((first..last).map(row), panel);
        };
        let parts = &mut numbers[skip..skip + count * size];
        heads.share(parts.chunks_mut(size).enumerate().collect(), fill);
        Self { numbers, skip, panels, heads: *heads }
    }

    /// A panel of a head.
    pub(super) fn panel(&self, batch: usize, head: usize, panel: usize) -> Weights<'_> {
        let size = self.heads.d_head * GRAIN;
        let at = (batch * self.heads.kv_heads + self.heads.served_by(head)) * self.panels + panel;
        Weights { numbers: &self.numbers[self.skip + at * size..][..size], stride: GRAIN }
    }
}

/// Lanes without a key keep what they have.
fn transpose<'a>(rows: impl Iterator<Item = &'a [f32]>, panel: &mut [f32]) {
    for (lane, row) in rows.enumerate() {
        for (numbers, number) in panel.chunks_exact_mut(GRAIN).zip(row) {
            numbers[lane] = *number;
        }
    }
}

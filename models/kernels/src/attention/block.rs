//! Some queries of one head.

use std::ops::Range;

use pulp::Arch;

use super::keys::Keys;
use super::shape::{Heads, Rows};
use super::tiles::MeanTiles;
use super::values::Values;
use crate::place::{GRAIN, Place, RUN};
use crate::tile::Tiles;

/// Queries of a block: whole tiles of every size.
pub(super) const ROWS: usize = 24;

/// Some queries of one head.
#[derive(Clone, Debug)]
pub(super) struct Block {
    batch: usize,
    head: usize,
    queries: Range<usize>,
    /// From the first to the last key that one of them sees.
    span: Range<usize>,
}

/// All blocks: batch by batch, then head by head.
pub(super) fn blocks(heads: &Heads, spans: &[Range<usize>]) -> Vec<Block> {
    let mut all = Vec::new();
    for batch in 0..heads.batch {
        let own = if spans.len() == heads.queries { spans } else { &spans[batch * heads.queries..][..heads.queries] };
        let parts: Vec<Range<usize>> = own.chunks(ROWS).map(union).collect();
        for head in 0..heads.heads {
            let block = |(at, span): (usize, &Range<usize>)| {
                let queries = at * ROWS..heads.queries.min((at + 1) * ROWS);
                Block { batch, head, queries, span: span.clone() }
            };
            all.extend(parts.iter().enumerate().map(block));
        }
    }
    all
}

fn union(spans: &[Range<usize>]) -> Range<usize> {
    let seen = || spans.iter().filter(|span| !span.is_empty());
    let start = seen().map(|span| span.start).min().unwrap_or(0);
    start..seen().map(|span| span.end).max().unwrap_or(start)
}

impl Block {
    /// The first row of `[batch, head, query]`.
    pub(super) fn row(&self, heads: &Heads) -> usize {
        (self.batch * heads.heads + self.head) * heads.queries + self.queries.start
    }

    /// The keys whose terms are added, from the beginning of a run.
    pub(super) fn terms(&self) -> Range<usize> {
        self.span.start / RUN * RUN..self.span.end
    }

    /// Products with the keys that the block sees, into rows of all keys.
    pub(super) fn products(&self, heads: &Heads, q: Rows<'_>, keys: &Keys, out: &mut [&mut [f32]]) {
        let row = |query: usize| &q.from([self.batch, query, self.head])[..heads.d_head];
        let x: Vec<&[f32]> = self.queries.clone().map(row).collect();
        for panel in self.span.start / GRAIN..self.span.end.div_ceil(GRAIN) {
            let weights = keys.panel(self.batch, self.head, panel);
            let from = panel * GRAIN;
            let place = Place { from, width: GRAIN.min(self.span.end - from), first: true, bias: None };
            Arch::new().dispatch(Tiles::<_, false> { x: &*x, weights, place, out });
        }
    }

    /// The mean of values, from rows of the pattern of all keys.
    pub(super) fn mixed(&self, heads: &Heads, pattern: &[&[f32]], values: &Values<'_>, out: &mut [&mut [f32]]) {
        let terms = self.terms();
        if terms.is_empty() {
            return out.iter_mut().for_each(|row| row.fill(0.0));
        }
        let x: Vec<&[f32]> = pattern.iter().map(|row| &row[terms.clone()]).collect();
        let weights = values.from(heads, self.batch, terms.start, self.head);
        Arch::new().dispatch(MeanTiles { x: &x, weights, width: heads.d_head, out });
    }
}

//! Attention: products of queries and keys, and the mean of values by a pattern.
//!
//! Work is cut into blocks of queries of one head. Keys are laid out once for all blocks. A number's terms are added in an
//! order that depends on nothing but the place of a key: neighbours, threads and the cut change no bit.

mod block;
mod keys;
mod shape;
mod tiles;
mod values;

use std::ops::Range;

use block::{Block, blocks};
use keys::Keys;
pub use shape::{Heads, Rows};
use values::Values;

use crate::scratch::scratch;

/// Replaces the products of some keys by their pattern: the index of a row, `(batch * heads + head) * queries + query`,
/// the first of the keys, and the products.
pub type ToPattern<'a> = &'a (dyn Fn(usize, usize, &mut [f32]) + Sync);

/// Writes the products of queries and keys, `[batch, head, query, key]`, into zeros.
///
/// `spans` has, for each query of each batch or of all, the keys from the first to the last that it sees. Blocks of products
/// that no query of theirs sees are left as they are.
///
/// # Panics
///
/// If a slice does not have the numbers that the sizes say.
pub fn products(heads: &Heads, q: Rows<'_>, k: Rows<'_>, spans: &[Range<usize>], out: &mut [f32]) {
    let keys = Keys::new(heads, k);
    let parts =
        out.chunks_mut(heads.queries * heads.keys).flat_map(|of_head| of_head.chunks_mut(block::ROWS * heads.keys));
    let tasks = blocks(heads, spans).into_iter().zip(parts).collect();
    heads.share(tasks, |(block, out): (Block, &mut [f32])| {
        let mut out: Vec<&mut [f32]> = out.chunks_mut(heads.keys).collect();
        block.products(heads, q, &keys, &mut out);
    });
}

/// Writes the mean of values by a pattern `[batch, head, query, key]`: `[batch, query, head, d_head]`.
///
/// Terms of keys outside of a query's span are left out where its whole block does not see them. Their pattern is zero.
///
/// # Panics
///
/// If a slice does not have the numbers that the sizes say.
pub fn mixed(heads: &Heads, pattern: &[f32], v: Rows<'_>, spans: &[Range<usize>], out: &mut [f32]) {
    let values = Values::new(heads, v);
    let tasks = blocks(heads, spans).into_iter().zip(rows_of_blocks(heads, out)).collect();
    heads.share(tasks, |(block, mut out): (Block, Vec<&mut [f32]>)| {
        let rows = (0..out.len()).map(|row| &pattern[(block.row(heads) + row) * heads.keys..][..heads.keys]);
        block.mixed(heads, &rows.collect::<Vec<_>>(), &values, &mut out);
    });
}

/// [`products`], `to_pattern` and [`mixed`] in one, to the same bits: a block's pattern stays in the cache of its core.
///
/// # Panics
///
/// If a slice does not have the numbers that the sizes say.
pub fn attend(
    heads: &Heads,
    [q, k, v]: [Rows<'_>; 3],
    spans: &[Range<usize>],
    to_pattern: ToPattern<'_>,
    out: &mut [f32],
) {
    let (keys, values) = (Keys::new(heads, k), Values::new(heads, v));
    let tasks = blocks(heads, spans).into_iter().zip(rows_of_blocks(heads, out)).collect();
    heads.share(tasks, |(block, mut out): (Block, Vec<&mut [f32]>)| {
        scratch(out.len() * heads.keys, |memory| {
            let mut rows: Vec<&mut [f32]> = memory.chunks_mut(heads.keys).collect();
            block.products(heads, q, &keys, &mut rows);
            let terms = block.terms();
            for (row, numbers) in rows.iter_mut().enumerate() {
                to_pattern(block.row(heads) + row, terms.start, &mut numbers[terms.clone()]);
            }
            let rows: Vec<&[f32]> = rows.iter().map(|row| &**row).collect();
            block.mixed(heads, &rows, &values, &mut out);
        });
    });
}

/// The rows of `[batch, query, head, d_head]`, block by block.
fn rows_of_blocks<'a>(heads: &Heads, out: &'a mut [f32]) -> Vec<Vec<&'a mut [f32]>> {
    let per_head = heads.queries.div_ceil(block::ROWS);
    let mut parts: Vec<Vec<&'a mut [f32]>> =
        (0..heads.batch * heads.heads * per_head).map(|_| Vec::with_capacity(block::ROWS)).collect();
    for (at, row) in out.chunks_mut(heads.d_head).enumerate() {
        let (place, head) = (at / heads.heads, at % heads.heads);
        let (batch, query) = (place / heads.queries, place % heads.queries);
        parts[(batch * heads.heads + head) * per_head + query / block::ROWS].push(row);
    }
    parts
}

#[cfg(test)]
mod tests;

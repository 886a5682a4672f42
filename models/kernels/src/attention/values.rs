//! Values where whole vectors of a head can be read.

use super::shape::{Heads, Rows};
use crate::place::{LINE, Weights};
use crate::scratch::aligned;

/// Values in their own memory if heads are whole vectors there, else copies with rows filled up.
pub(super) enum Values<'a> {
    Own(Rows<'a>),
    Copies { numbers: Vec<f32>, skip: usize, strides: [usize; 3] },
}

impl<'a> Values<'a> {
    pub(super) fn new(heads: &Heads, v: Rows<'a>) -> Self {
        if heads.d_head.is_multiple_of(LINE) && v.strides[1].is_multiple_of(LINE) {
            return Self::Own(v);
        }
        let wide = heads.d_head.next_multiple_of(LINE);
        let strides = [heads.kv_heads * heads.keys * wide, wide, heads.keys * wide];
        let (mut numbers, skip) = aligned(heads.batch * strides[0]);
        let fill = |(place, rows): (usize, &mut [f32])| {
            for (key, row) in rows.chunks_exact_mut(wide).enumerate() {
                let from = v.from([place / heads.kv_heads, key, place % heads.kv_heads]);
                row[..heads.d_head].copy_from_slice(&from[..heads.d_head]);
            }
        };
        let parts = &mut numbers[skip..skip + heads.batch * strides[0]];
        heads.share(parts.chunks_mut(strides[2]).enumerate().collect(), fill);
        Self::Copies { numbers, skip, strides }
    }

    /// The values of a head from a key on.
    pub(super) fn from(&self, heads: &Heads, batch: usize, key: usize, head: usize) -> Weights<'_> {
        let rows = match self {
            Self::Own(rows) => *rows,
            Self::Copies { numbers, skip, strides } => Rows { numbers: &numbers[*skip..], strides: *strides },
        };
        Weights { numbers: rows.from([batch, key, heads.served_by(head)]), stride: rows.strides[1] }
    }
}

//! Four bits a number, with a scale and a least value for 32.

use super::{half, nibbles};

pub(super) const NUMBERS: usize = 32;
pub(super) const BYTES: usize = 20;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block), half(&block[2..]));
    for (index, value) in out.iter_mut().enumerate() {
        *value = scale * f32::from(nibbles(&block[4..], index)) + least;
    }
}

//! Five bits a number, with a scale and a least value for 32. The fifth bits are four bytes of their own.

use super::{half, nibbles};

pub(super) const NUMBERS: usize = 32;
pub(super) const BYTES: usize = 24;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block), half(&block[2..]));
    let fifth = u32::from_le_bytes([block[4], block[5], block[6], block[7]]);
    for (index, value) in out.iter_mut().enumerate() {
        let number = nibbles(&block[8..], index) | ((fifth >> index & 1) as u8) << 4;
        *value = scale * f32::from(number) + least;
    }
}

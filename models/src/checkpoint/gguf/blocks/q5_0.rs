//! Five bits a number, around 16, and a scale for 32. The fifth bits are four bytes of their own.

use super::{half, nibbles};

pub(super) const NUMBERS: usize = 32;
pub(super) const BYTES: usize = 22;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    let scale = half(block);
    let fifth = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
    for (index, value) in out.iter_mut().enumerate() {
        let number = nibbles(&block[6..], index) | ((fifth >> index & 1) as u8) << 4;
        *value = scale * (f32::from(number) - 16.0);
    }
}

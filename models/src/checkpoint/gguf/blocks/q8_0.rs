//! Eight bits a number, and a scale for 32.

use super::half;

pub(super) const NUMBERS: usize = 32;
pub(super) const BYTES: usize = 34;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    let scale = half(block);
    for (value, byte) in out.iter_mut().zip(&block[2..]) {
        *value = f32::from(byte.cast_signed()) * scale;
    }
}

//! Four bits a number, around 8, and a scale for 32.

use super::{half, nibbles};

pub(super) const NUMBERS: usize = 32;
pub(super) const BYTES: usize = 18;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    let scale = half(block);
    for (index, value) in out.iter_mut().enumerate() {
        *value = scale * (f32::from(nibbles(&block[2..], index)) - 8.0);
    }
}

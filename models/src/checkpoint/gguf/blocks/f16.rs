//! Half precision.

use super::half;

pub(super) const NUMBERS: usize = 1;
pub(super) const BYTES: usize = 2;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    out[0] = half(block);
}

//! Single precision.

pub(super) const NUMBERS: usize = 1;
pub(super) const BYTES: usize = 4;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    out[0] = f32::from_le_bytes([block[0], block[1], block[2], block[3]]);
}

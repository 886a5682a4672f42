//! Double precision, rounded to single.

pub(super) const NUMBERS: usize = 1;
pub(super) const BYTES: usize = 8;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&block[..8]);
    out[0] = f64::from_le_bytes(bytes) as f32;
}

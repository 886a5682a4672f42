//! Six bits a number, around 32, in 16 groups of 16 with a scale of eight bits, and a scale of these for 256. The upper two
//! bits are 64 bytes of their own.

use super::half;

pub(super) const NUMBERS: usize = 256;
pub(super) const BYTES: usize = 210;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    let (lower, upper, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let scale = half(&block[208..]);
    for (index, value) in out.iter_mut().enumerate() {
        // Two halves of 128 numbers; in each, 64 bytes hold the lower bits and 32 the upper.
        let (half, within) = (index / 128, index % 128);
        let four = lower[half * 64 + within % 64] >> (within / 64 * 4) & 15;
        let two = upper[half * 32 + within % 32] >> (within / 32 * 2) & 3;
        let by = scale * f32::from(scales[index / 16].cast_signed());
        *value = by * (f32::from(four | two << 4) - 32.0);
    }
}

//! Two bits a number, in 16 groups of 16 with four bits each for scale and least value, and a scale of both for 256.

use super::half;

pub(super) const NUMBERS: usize = 256;
pub(super) const BYTES: usize = 84;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    let (scales, numbers) = (&block[..16], &block[16..80]);
    let (scale, least) = (half(&block[80..]), half(&block[82..]));
    for (group, values) in out.chunks_exact_mut(16).enumerate() {
        let (by, minus) = (scale * f32::from(scales[group] & 15), least * f32::from(scales[group] >> 4));
        // Eight groups share 32 bytes, two bits at a time.
        let (bytes, shift) = (&numbers[group / 8 * 32 + group % 2 * 16..], group % 8 / 2 * 2);
        for (value, byte) in values.iter_mut().zip(bytes) {
            *value = by * f32::from(byte >> shift & 3) - minus;
        }
    }
}

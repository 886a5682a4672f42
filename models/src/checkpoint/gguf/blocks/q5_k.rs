//! Five bits a number, in 8 groups of 32 with six bits each for scale and least value, and a scale of both for 256. The
//! fifth bits are 32 bytes of their own.

use super::half;
use super::scales::scale_and_least;

pub(super) const NUMBERS: usize = 256;
pub(super) const BYTES: usize = 176;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block), half(&block[2..]));
    let (fifths, numbers) = (&block[16..48], &block[48..]);
    for (group, values) in out.chunks_exact_mut(32).enumerate() {
        let (by, minus) = scale_and_least(&block[4..16], group);
        let (by, minus) = (scale * f32::from(by), least * f32::from(minus));
        let bytes = numbers[group / 2 * 32..].iter().zip(fifths);
        for (value, (byte, fifth)) in values.iter_mut().zip(bytes) {
            let number = byte >> (group % 2 * 4) & 15 | (fifth >> group & 1) << 4;
            *value = by * f32::from(number) - minus;
        }
    }
}

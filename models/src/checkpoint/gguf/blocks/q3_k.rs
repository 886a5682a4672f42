//! Three bits a number, in 16 groups of 16 with a scale of six bits, and a scale of these for 256. The third bits are 32
//! bytes of their own; where one is not set, the number is 4 less.

use super::half;

pub(super) const NUMBERS: usize = 256;
pub(super) const BYTES: usize = 110;

/// Widens one block.
pub(super) fn widen(block: &[u8], out: &mut [f32]) {
    let (thirds, numbers) = (&block[..32], &block[32..96]);
    let (scales, scale) = (six_bits(&block[96..108]), half(&block[108..]));
    for (group, values) in out.chunks_exact_mut(16).enumerate() {
        let by = scale * scales[group];
        let (half, shift) = (group % 2 * 16, group % 8 / 2 * 2);
        let bytes = numbers[group / 8 * 32 + half..].iter().zip(&thirds[half..]);
        for (value, (byte, third)) in values.iter_mut().zip(bytes) {
            let less = if third >> (group / 2) & 1 == 1 { 0.0 } else { 4.0 };
            *value = by * (f32::from(byte >> shift & 3) - less);
        }
    }
}

/// The scales: four bits of each, then the upper two bits of each, around 32.
fn six_bits(packed: &[u8]) -> [f32; 16] {
    std::array::from_fn(|group| {
        let lower = packed[group % 8] >> (group / 8 * 4) & 15;
        let upper = packed[8 + group % 4] >> (group / 4 * 2) & 3;
        f32::from(lower | upper << 4) - 32.0
    })
}

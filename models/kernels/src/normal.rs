//! Normal numbers from random words by the Box–Muller transform, with the bits of the standard library's functions.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]
#![allow(clippy::needless_range_loop, reason = "one index into several arrays, which becomes vectors")]

use std::f64::consts::{LN_2, TAU};

use pulp::{Arch, Simd, WithSimd};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// Bytes that a number takes: two words.
const BYTES: usize = 16;

/// Words of the generator, of 32 bits, that a normal number takes.
pub const WORDS_OF_A_NORMAL: usize = BYTES / 4;

/// Numbers whose words are drawn at once, and stay in the cache until they are used.
const AT_ONCE: usize = 1 << 12;

/// Numbers that are computed together. Those whose rounding is not certain are then computed anew.
const BLOCK: usize = 64;

/// An error that these functions and the standard library's together do not reach, in units of the radius. A test holds them to
/// half of it.
const ERROR: f64 = 4e-15;

/// Draws standard normal numbers, [`WORDS_OF_A_NORMAL`] words for each.
pub fn draw_normal(rng: &mut ChaCha8Rng, values: &mut [f32]) {
    let mut words = vec![0; BYTES * values.len().min(AT_ONCE)];
    for values in values.chunks_mut(AT_ONCE) {
        let words = &mut words[..BYTES * values.len()];
        rng.fill_bytes(words);
        standard_normal(words, values);
    }
}

/// Standard normal numbers, one from each two words of 64 bits, which are uniform: `sqrt(-2 ln(1 - u)) cos(2π v)` in double
/// precision, rounded. `u` and `v` are the upper 53 bits of the words over 2⁵³.
fn standard_normal(words: &[u8], values: &mut [f32]) {
    for (words, values) in words.chunks(BYTES * BLOCK).zip(values.chunks_mut(BLOCK)) {
        let mut block = Block { uniform: [[0.0; BLOCK]; 2], value: [0.0; BLOCK], certain: [1; BLOCK] };
        for (at, pair) in words.chunks_exact(BYTES).enumerate() {
            block.uniform[0][at] = uniform(&pair[..8]);
            block.uniform[1][at] = uniform(&pair[8..]);
        }
        Arch::new().dispatch(Fill(&mut block));
        for (at, value) in values.iter_mut().enumerate() {
            let [u, v] = [block.uniform[0][at], block.uniform[1][at]];
            *value = if block.certain[at] == 1 { block.value[at] } else { exact(u, v) };
        }
    }
}

/// A number from 0 to below 1, from the upper 53 bits of a word.
fn uniform(word: &[u8]) -> f64 {
    let bits = u64::from_le_bytes(word.try_into().expect("BUG: a word has eight bytes"));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// The number, by the standard library.
fn exact(u: f64, v: f64) -> f32 {
    ((-2.0 * (1.0 - u).ln()).sqrt() * (TAU * v).cos()) as f32
}

/// 1.5 · 2⁵²: numbers that are added to it are rounded to whole ones, which are the low bits of the sum.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// 1/25, 1/23, .. , 1.
const OF_LN: [f64; 13] = {
    let mut terms = [0.0; 13];
    let mut at = 0;
    while at < 13 {
        terms[at] = 1.0 / (25 - 2 * at) as f64;
        at += 1;
    }
    terms
};

/// 1/(n (n - 1)) and 1/(n (n + 1)) for n from 18 down to 2 in steps of two.
const OF_COS_AND_SIN: [[f64; 2]; 9] = {
    let mut terms = [[0.0; 2]; 9];
    let mut at = 0;
    while at < 9 {
        let n = (18 - 2 * at) as f64;
        terms[at] = [1.0 / (n * (n - 1.0)), 1.0 / (n * (n + 1.0))];
        at += 1;
    }
    terms
};

struct Block {
    uniform: [[f64; BLOCK]; 2],
    value: [f32; BLOCK],
    /// 1 where every number within the error has this value.
    certain: [u32; BLOCK],
}

/// A loop without branches, which the compiler turns into vectors of the instruction set.
struct Fill<'a>(&'a mut Block);

impl WithSimd for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Block { uniform: [u, v], value, certain } = self.0;
        for at in 0..BLOCK {
            let radius = (-2.0 * ln(1.0 - u[at])).sqrt();
            let found = radius * cos_of_turn(v[at]);
            let (low, high) = ((found - ERROR * radius) as f32, (found + ERROR * radius) as f32);
            value[at] = low;
            certain[at] = u32::from(low.to_bits() == high.to_bits() && radius > 0.0);
        }
    }
}

/// The natural logarithm of a number above 0 and at most 1: of its exponent, and of its mantissa between √½ and √2 by the series
/// of the inverse hyperbolic tangent.
#[inline(always)]
fn ln(x: f64) -> f64 {
    const HALF: i64 = std::f64::consts::FRAC_1_SQRT_2.to_bits() as i64;
    let bits = x.to_bits() as i64;
    let exponent = (bits - HALF) >> 52;
    let mantissa = f64::from_bits((bits - (exponent << 52)) as u64);
    let exponent = f64::from_bits((MAGIC.to_bits() as i64 + exponent) as u64) - MAGIC;
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let mut sum = 0.0;
    for term in OF_LN {
        sum = sum * square + term;
    }
    2.0 * t * sum + exponent * LN_2
}

/// The cosine of a part of a turn, from 0 to below 1: of at most an eighth of a turn from the nearest quarter, by Taylor's series.
#[inline(always)]
fn cos_of_turn(turn: f64) -> f64 {
    let shifted = 4.0 * turn + MAGIC;
    let quarter = shifted.to_bits() & 3;
    let x = TAU * (turn - 0.25 * (shifted - MAGIC));
    let square = x * x;
    let (mut cos, mut sin) = (1.0, 1.0);
    for [of_cos, of_sin] in OF_COS_AND_SIN {
        cos = 1.0 - cos * square * of_cos;
        sin = 1.0 - sin * square * of_sin;
    }
    let size = if quarter & 1 == 0 { cos } else { sin * x };
    if quarter == 1 || quarter == 2 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that look random and are the same everywhere.
    fn words(count: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut word = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d)
        };
        (0..2 * count).flat_map(|_| word().to_le_bytes()).collect()
    }

    fn expected(words: &[u8]) -> Vec<f32> {
        let pairs = words.chunks_exact(BYTES);
        pairs.map(|pair| exact(uniform(&pair[..8]), uniform(&pair[8..]))).collect()
    }

    #[test]
    fn the_bits_are_those_of_the_standard_library() {
        for count in [0, 1, BLOCK - 1, BLOCK, 300_001] {
            let words = words(count);
            let mut values = vec![0.0; count];
            standard_normal(&words, &mut values);
            let same = values.iter().zip(expected(&words)).filter(|(value, other)| value.to_bits() == other.to_bits());
            assert_eq!(same.count(), count);
        }
    }

    /// The ends of both ranges, quarters of a turn, and the numbers next to them.
    #[test]
    fn the_edges() {
        let last = (1_u64 << 53) - 1;
        let near = |at: u64| [at.saturating_sub(1), at, (at + 1).min(last)];
        let edges: Vec<u64> = (0..=16).flat_map(|eighth| near((eighth << 50).min(last))).collect();
        let pairs = edges.iter().flat_map(|u| edges.iter().map(move |v| [*u << 11, *v << 11]));
        let words: Vec<u8> = pairs.flatten().flat_map(u64::to_le_bytes).collect();
        let mut values = vec![0.0; edges.len() * edges.len()];
        standard_normal(&words, &mut values);
        for (value, other) in values.iter().zip(expected(&words)) {
            assert_eq!(value.to_bits(), other.to_bits(), "{value} {other}");
        }
    }

    #[test]
    fn the_error_is_well_within_what_is_allowed() {
        let mut largest = 0.0_f64;
        for pair in words(100_000).chunks_exact(BYTES) {
            let [u, v] = [uniform(&pair[..8]), uniform(&pair[8..])];
            let radius = (-2.0 * (1.0 - u).ln()).sqrt();
            let close = (-2.0 * ln(1.0 - u)).sqrt() * cos_of_turn(v);
            largest = largest.max((close - radius * (TAU * v).cos()).abs() / radius.max(f64::MIN_POSITIVE));
        }
        assert!(largest < 0.5 * ERROR, "{largest}");
    }
}

//! Rotary positions (Su et al., 2021): the frequencies, their cosines and sines, and the rotation.
//!
//! Frequencies and angles are rounded to float32 where transformers rounds them, so that large positions agree too.

use std::f64::consts::TAU;

use burn::tensor::Tensor;

use crate::config::{Rope, RopeScaling};
use crate::kernels::{self, Rotating};

impl Rope {
    /// Cosines and sines, each `[positions, dims / 2]` row by row, in a sequence of `seq_len` positions.
    ///
    /// `seq_len` is the largest position plus one. Only dynamic and `LongRoPE` rotations depend on it.
    pub fn tables(&self, positions: &[i64], seq_len: usize) -> (Vec<f32>, Vec<f32>) {
        let (frequencies, factor) = (self.frequencies(seq_len), self.attention_factor() as f32);
        let angles = positions
            .iter()
            .flat_map(|position| frequencies.iter().map(move |frequency| f64::from(*position as f32 * frequency)));
        angles.map(|angle| (angle.cos() as f32 * factor, angle.sin() as f32 * factor)).unzip()
    }

    /// Radians per position for each rotated pair, `dims / 2` numbers.
    pub fn frequencies(&self, seq_len: usize) -> Vec<f32> {
        let wavelengths = self.wavelengths(self.theta as f32);
        let plain = || wavelengths.iter().map(|w| w.recip());
        match &self.scaling {
            RopeScaling::Default => plain().collect(),
            RopeScaling::Linear { factor } => plain().map(|f| f / *factor as f32).collect(),
            RopeScaling::Dynamic { factor, original_n_ctx } => self.dynamic(*factor as f32, *original_n_ctx, seq_len),
            RopeScaling::Yarn { factor, original_n_ctx, beta_fast, beta_slow, truncate, .. } => {
                let range = self.correction_range(*original_n_ctx as f64, [*beta_fast, *beta_slow], *truncate);
                yarn(&wavelengths, *factor as f32, range)
            }
            RopeScaling::Longrope { short, long, original_n_ctx, .. } => {
                let factors = if seq_len > *original_n_ctx { long } else { short };
                wavelengths.iter().zip(factors).map(|(w, factor)| (*factor as f32 * w).recip()).collect()
            }
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_n_ctx } => {
                let bands = [*low_freq_factor as f32, *high_freq_factor as f32];
                plain().map(|f| llama3(f, *factor as f32, bands, *original_n_ctx as f32)).collect()
            }
        }
    }

    /// Cosines and sines are multiplied by this.
    pub fn attention_factor(&self) -> f64 {
        match self.scaling {
            RopeScaling::Yarn { attention_factor, .. } | RopeScaling::Longrope { attention_factor, .. } => {
                attention_factor
            }
            _ => 1.0,
        }
    }

    /// Rotates the leading `dims` of each head: `[batch, pos, head, d_head]` to the same, with
    /// cosines and sines `[batch or 1, pos, 1, dims / 2]`.
    #[must_use]
    pub fn rotate(&self, x: Tensor<4>, cos: &Tensor<4>, sin: &Tensor<4>) -> Tensor<4> {
        if self.dims == 0 {
            return x;
        }
        let how = Rotating { dims: self.dims, interleaved: self.interleaved };
        kernels::rotate(x, cos, sin, how).unwrap_or_else(|x| self.rotate_by_burn(x, cos, sin))
    }

    fn rotate_by_burn(&self, x: Tensor<4>, cos: &Tensor<4>, sin: &Tensor<4>) -> Tensor<4> {
        let d_head = x.dims()[3];
        if self.dims == d_head {
            return self.rotate_whole(x, cos, sin);
        }
        let rotated = self.rotate_whole(x.clone().narrow(3, 0, self.dims), cos, sin);
        Tensor::cat(vec![rotated, x.narrow(3, self.dims, d_head - self.dims)], 3)
    }

    fn rotate_whole(&self, x: Tensor<4>, cos: &Tensor<4>, sin: &Tensor<4>) -> Tensor<4> {
        let [batch, pos, heads, dims] = x.dims();
        let half = dims / 2;
        // Pairs are `(x_i, x_{i + half})`, or neighbours. One view is the other with its last two axes swapped.
        let (shape, axis) =
            if self.interleaved { ([batch, pos, heads, half, 2], 4) } else { ([batch, pos, heads, 2, half], 3) };
        let pairs: Tensor<5> = x.reshape(shape);
        let part = |index: usize| -> Tensor<4> { pairs.clone().narrow(axis, index, 1).squeeze_dim(axis) };
        let (first, second) = (part(0), part(1));
        let turned =
            [first.clone() * cos.clone() - second.clone() * sin.clone(), second * cos.clone() + first * sin.clone()];
        Tensor::stack::<5>(turned.to_vec(), axis).reshape([batch, pos, heads, dims])
    }

    /// `theta^(2i / dims)`.
    fn wavelengths(&self, theta: f32) -> Vec<f32> {
        let exponent = |i: usize| f64::from((2 * i) as f32 / self.dims as f32);
        (0..self.dims / 2).map(|i| f64::from(theta).powf(exponent(i)) as f32).collect()
    }

    /// The base grows with the sequence (<https://huggingface.co/papers/2309.00071>, "NTK by parts").
    fn dynamic(&self, factor: f32, original: usize, seq_len: usize) -> Vec<f32> {
        let stretch = factor * seq_len.max(original) as f32 / original as f32 - (factor - 1.0);
        let exponent = self.dims as f64 / (self.dims as f64 - 2.0);
        let grown = f64::from(stretch).powf(f64::from(exponent as f32)) as f32;
        self.wavelengths(self.theta as f32 * grown).iter().map(|w| w.recip()).collect()
    }

    /// The range of pairs in which `YaRN` blends from keeping a frequency to dividing it.
    fn correction_range(&self, original: f64, betas: [f64; 2], truncate: bool) -> [f64; 2] {
        let dims = self.dims as f64;
        let [low, high] = betas.map(|rotations| dims * (original / (rotations * TAU)).ln() / (2.0 * self.theta.ln()));
        let (low, high) = if truncate { (low.floor(), high.ceil()) } else { (low, high) };
        [low.max(0.0), high.min(dims - 1.0)]
    }
}

/// Equations 23 to 25 of Peng et al. (2023).
fn yarn(wavelengths: &[f32], factor: f32, [low, high]: [f64; 2]) -> Vec<f32> {
    let width = if low == high { 0.001 } else { high - low };
    let blend = |(i, w): (usize, &f32)| {
        let ramp = ((i as f32 - low as f32) / width as f32).clamp(0.0, 1.0);
        let kept = 1.0 - ramp;
        (factor * w).recip() * (1.0 - kept) + w.recip() * kept
    };
    wavelengths.iter().enumerate().map(blend).collect()
}

/// Divides the frequencies of long wavelengths by the factor, keeps those of short ones, and blends in between.
fn llama3(frequency: f32, factor: f32, [low, high]: [f32; 2], original: f32) -> f32 {
    let wavelength = TAU as f32 / frequency;
    if wavelength > original / low {
        return frequency / factor;
    }
    if wavelength < original / high {
        return frequency;
    }
    let smooth = (original / wavelength - low) / (high - low);
    (1.0 - smooth) * frequency / factor + smooth * frequency
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Int};
    use serde::Deserialize;

    /// One rotation from `rotary_reference.py`, with the numbers that transformers computes for it.
    #[derive(Deserialize)]
    struct Case {
        name: String,
        rope: Rope,
        seq_len: usize,
        positions: Vec<i64>,
        frequencies: Vec<f32>,
        cos: Vec<f32>,
        sin: Vec<f32>,
    }

    fn rope(dims: usize, interleaved: bool) -> Rope {
        Rope { theta: 100.0, dims, interleaved, scaling: RopeScaling::Default }
    }

    fn rotated(rope: &Rope, x: [f32; 6]) -> Vec<f32> {
        let device = Device::flex();
        let (cos, sin) = rope.tables(&[1], 2);
        let table =
            |values: Vec<f32>| Tensor::<1>::from_floats(values.as_slice(), &device).reshape([1, 1, 1, rope.dims / 2]);
        let x = Tensor::<1>::from_floats(x, &device).reshape([1, 1, 1, 6]);
        crate::device::read(rope.rotate(x, &table(cos), &table(sin))).unwrap()
    }

    fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32, what: &str) {
        assert_eq!(actual.len(), expected.len(), "{what}");
        for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
            assert!((a - e).abs() <= tolerance, "{what}[{i}]: {a} is not {e}");
        }
    }

    #[test]
    fn halves_and_neighbours_by_hand() {
        let (c0, s0, c1, s1) = (1f32.cos(), 1f32.sin(), 0.1f32.cos(), 0.1f32.sin());
        let halves = [c0 - 3.0 * s0, 2.0 * c1 - 4.0 * s1, 3.0 * c0 + s0, 4.0 * c1 + 2.0 * s1, 5.0, 6.0];
        assert_close(&rotated(&rope(4, false), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), &halves, 1e-6, "halves");
        let neighbours = [c0 - 2.0 * s0, 2.0 * c0 + s0, 3.0 * c1 - 4.0 * s1, 4.0 * c1 + 3.0 * s1, 5.0, 6.0];
        assert_close(&rotated(&rope(4, true), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), &neighbours, 1e-6, "neighbours");
    }

    /// Numbers from -3 to 3 without a pattern.
    fn noise(shape: [usize; 4], device: &Device) -> Tensor<4> {
        let places = Tensor::<1, Int>::arange(0..shape.iter().product::<usize>() as i64, device);
        ((places.float() * 1.7).sin() * 3.0).reshape(shape)
    }

    /// The kernel rounds as Burn's operations do. Widths with and without whole vectors; a table of one row and of each.
    #[test]
    fn the_kernel_gives_the_bits_of_burn() {
        let device = Device::flex();
        for (dims, d_head) in [(2, 2), (6, 8), (32, 32), (64, 64), (70, 80), (130, 130)] {
            for interleaved in [false, true] {
                for tables in [1, 3] {
                    let (rope, x) = (rope(dims, interleaved), noise([3, 5, 2, d_head], &device));
                    let (cos, sin) =
                        (noise([tables, 5, 1, dims / 2], &device), noise([tables, 5, 1, dims / 2], &device));
                    let ours = crate::device::read(rope.rotate(x.clone(), &cos, &sin)).unwrap();
                    let burns = crate::device::read(rope.rotate_by_burn(x, &cos, &sin)).unwrap();
                    assert_eq!(ours, burns, "{dims} of {d_head}, interleaved: {interleaved}");
                }
            }
        }
    }

    #[test]
    fn the_kernels_gradient_is_that_of_burn() {
        let device = Device::flex().autodiff();
        for interleaved in [false, true] {
            let (rope, x) = (rope(70, interleaved), noise([2, 3, 2, 80], &device).require_grad());
            let (cos, sin, weight) =
                (noise([1, 3, 1, 35], &device), noise([1, 3, 1, 35], &device), noise([2, 3, 2, 80], &device));
            let gradient = |out: Tensor<4>| {
                crate::device::read(x.grad(&(out * weight.clone()).sum().backward()).unwrap()).unwrap()
            };
            let ours = gradient(rope.rotate(x.clone(), &cos, &sin));
            let burns = gradient(rope.rotate_by_burn(x.clone(), &cos, &sin));
            assert_close(&ours, &burns, 2e-6, "gradient");
        }
    }

    #[test]
    fn a_layer_without_positions_rotates_nothing() {
        let (x, table) = (noise([1, 2, 1, 6], &Device::flex()), Tensor::ones([1, 2, 1, 1], &Device::flex()));
        let after = crate::device::read(Rope::none().rotate(x.clone(), &table, &table)).unwrap();
        assert_eq!(after, crate::device::read(x).unwrap());
        assert!(Rope::none().frequencies(9).is_empty());
    }

    #[test]
    fn lengths_are_kept() {
        let x = [0.3, -1.2, 2.0, 0.7, -0.4, 1.1];
        let length = |x: &[f32]| x.iter().map(|v| v * v).sum::<f32>();
        for interleaved in [false, true] {
            let after = length(&rotated(&rope(6, interleaved), x));
            assert!((after - length(&x)).abs() < 1e-5, "{after}");
        }
    }

    #[test]
    fn tables_match_transformers() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/fixtures/rotary_reference.json")).unwrap();
        assert!(cases.len() >= 10);
        for case in cases {
            for (ours, theirs) in case.rope.frequencies(case.seq_len).iter().zip(&case.frequencies) {
                assert!((ours / theirs - 1.0).abs() < 2.5e-7, "{}: frequency {ours} is not {theirs}", case.name);
            }
            let (cos, sin) = case.rope.tables(&case.positions, case.seq_len);
            let per = case.rope.dims / 2;
            for (row, position) in case.positions.iter().enumerate() {
                // One unit in the last place of a frequency, times the position.
                let tolerance = 1e-6 + 1.5e-7 * *position as f32;
                let rows = row * per..(row + 1) * per;
                assert_close(
                    &cos[rows.clone()],
                    &case.cos[rows.clone()],
                    tolerance,
                    &format!("{} cos at {position}", case.name),
                );
                assert_close(
                    &sin[rows.clone()],
                    &case.sin[rows],
                    tolerance,
                    &format!("{} sin at {position}", case.name),
                );
            }
        }
    }
}

//! Rotary positions (Su et al., 2021): pairs of a head's numbers turned by the angle of their position.

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use pulp::{Simd, WithSimd};

use super::flex::{Kernel, constant, run};
use super::lanes::{Lanes, in_vectors};
use super::memory::{numbers, overwrite};

/// How heads are rotated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rotating {
    /// Leading numbers of each head that are rotated.
    pub(crate) dims: usize,
    /// Whether pairs are neighbours, instead of `(x_i, x_{i + dims / 2})`.
    pub(crate) interleaved: bool,
}

/// Rotates `[batch, pos, head, d_head]` with cosines and sines `[batch or 1, pos, 1, dims / 2]`.
///
/// # Errors
///
/// The input, where kernels do not run.
pub(crate) fn rotate(x: Tensor<4>, cos: &Tensor<4>, sin: &Tensor<4>, how: Rotating) -> Result<Tensor<4>, Tensor<4>> {
    let [_, pos, heads, d_head] = x.dims();
    let batches = cos.dims()[0];
    let (Some(cos), Some(sin)) = (constant(cos.clone()), constant(sin.clone())) else { return Err(x) };
    let turns = [cos, sin].map(|table| how.spread(&numbers(&table)));
    run(&Rotation { turns, how, batches, pos, heads, d_head }, [x]).map_err(|[x]| x)
}

impl Rotating {
    /// One number for each that is rotated, in the order of the pairs.
    fn spread(self, table: &[f32]) -> Vec<f32> {
        if self.interleaved { table.iter().flat_map(|x| [*x, *x]).collect() } else { table.to_vec() }
    }
}

#[derive(Clone, Debug)]
struct Rotation {
    /// Cosines and sines.
    turns: [Vec<f32>; 2],
    how: Rotating,
    batches: usize,
    pos: usize,
    heads: usize,
    d_head: usize,
}

impl Rotation {
    /// `sign` is -1 for the rotation back.
    fn rotated(&self, x: FlexTensor, sign: f32) -> FlexTensor {
        overwrite(x, self.d_head, |start, rows| {
            in_vectors(RotatedRows { rotation: self, first: start / self.d_head, rows, sign });
        })
    }

    /// Cosines and sines of a row.
    fn of_row(&self, row: usize) -> [&[f32]; 2] {
        let place = row / self.heads;
        let place = if self.batches == 1 { place % self.pos } else { place };
        let width = self.turns[0].len() / (self.batches * self.pos);
        self.turns.each_ref().map(|table| &table[place * width..(place + 1) * width])
    }
}

impl Kernel<1> for Rotation {
    type Kept = ();

    fn value(&self, [x]: [FlexTensor; 1]) -> FlexTensor {
        self.rotated(x, 1.0)
    }

    fn kept(&self, inputs: [FlexTensor; 1]) -> (FlexTensor, ()) {
        (self.value(inputs), ())
    }

    /// The rotation back.
    fn gradients(&self, (): (), gradient: FlexTensor) -> [FlexTensor; 1] {
        [self.rotated(gradient, -1.0)]
    }
}

struct RotatedRows<'a> {
    rotation: &'a Rotation,
    first: usize,
    rows: &'a mut [f32],
    sign: f32,
}

impl WithSimd for RotatedRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = Lanes(simd);
        let Rotation { how: Rotating { dims, interleaved }, d_head, .. } = *self.rotation;
        for (index, row) in self.rows.chunks_exact_mut(d_head).enumerate() {
            let [cos, sin] = self.rotation.of_row(self.first + index);
            if interleaved {
                turn_neighbours(lanes, &mut row[..dims], cos, sin, self.sign);
            } else {
                let (first, second) = row[..dims].split_at_mut(dims / 2);
                turn_halves(lanes, first, second, [cos, sin], self.sign);
            }
        }
    }
}

#[inline(always)]
fn turn_halves<S: Simd>(lanes: Lanes<S>, first: &mut [f32], second: &mut [f32], table: [&[f32]; 2], sign: f32) {
    let (first, first_tail) = S::as_mut_simd_f32s(first);
    let (second, second_tail) = S::as_mut_simd_f32s(second);
    let [(cos, cos_tail), (sin, sin_tail)] = table.map(S::as_simd_f32s);
    for (((first, second), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        [*first, *second] = turned(lanes, [*first, *second], [*cos, *sin], sign);
    }
    if !first_tail.is_empty() {
        let load = |slice: &[f32]| lanes.0.partial_load_f32s(slice);
        let pair = [load(first_tail), load(second_tail)];
        let pair = turned(lanes, pair, [load(cos_tail), load(sin_tail)], sign);
        lanes.0.partial_store_f32s(first_tail, pair[0]);
        lanes.0.partial_store_f32s(second_tail, pair[1]);
    }
}

/// Cosines and sines are given twice, once for each number of a pair.
#[inline(always)]
fn turn_neighbours<S: Simd>(lanes: Lanes<S>, x: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) {
    let (body, _) = S::as_mut_simd_f32s(x);
    let (twos, _) = body.as_chunks_mut::<2>();
    let (cos_twos, sin_twos) = (S::as_simd_f32s(cos).0.as_chunks::<2>().0, S::as_simd_f32s(sin).0.as_chunks::<2>().0);
    let done = twos.len() * 2 * S::F32_LANES;
    let apart = |two: [S::f32s; 2]| lanes.0.deinterleave_shfl_f32s(two);
    for ((two, cos), sin) in twos.iter_mut().zip(cos_twos).zip(sin_twos) {
        let table = [apart(*cos)[0], apart(*sin)[0]];
        *two = lanes.0.interleave_shfl_f32s(turned(lanes, apart(*two), table, sign));
    }
    let tables = cos[done..].chunks_exact(2).zip(sin[done..].chunks_exact(2));
    for (pair, (cos, sin)) in x[done..].chunks_exact_mut(2).zip(tables) {
        let (first, second, cos, sin) = (pair[0], pair[1], cos[0], sin[0] * sign);
        pair[0] = first * cos - second * sin;
        pair[1] = second * cos + first * sin;
    }
}

/// `(a cos - b sin, b cos + a sin)`. Products are rounded first, as by separate operations.
#[inline(always)]
fn turned<S: Simd>(lanes: Lanes<S>, [a, b]: [S::f32s; 2], [cos, sin]: [S::f32s; 2], sign: f32) -> [S::f32s; 2] {
    let sin = lanes.mul(sin, lanes.all(sign));
    [lanes.sub(lanes.mul(a, cos), lanes.mul(b, sin)), lanes.add(lanes.mul(b, cos), lanes.mul(a, sin))]
}

//! Attention scores from the products of queries and keys: scaled, penalised by distance, capped, masked.

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use burn::tensor::{Bool, DType, Tensor, activation};
use pulp::{Simd, WithSimd};

use super::flex::{Kernel, constant, constant_mask, plain, run, with_numbers};
use super::lanes::{Lanes, OfOne, OfTwo, Times, TimesPlus, in_vectors};
use super::memory::{numbers, overwrite};
use super::seen::Seen;
use super::softmax::{softmax, softmax_row};

/// How products become scores.
#[derive(Clone, Debug)]
pub(crate) struct Scoring<'a> {
    /// Products are multiplied by this.
    pub(crate) scale: f64,
    /// Then added, `[batch or 1, head, query, key]`.
    pub(crate) penalty: Option<Tensor<4>>,
    /// Then `cap * tanh(scores / cap)`.
    pub(crate) cap: Option<f64>,
    /// Then -inf where this is true, `[batch or 1, 1, query, key]`.
    pub(crate) mask: &'a Tensor<4, Bool>,
}

/// The scores `[batch, head, query, key]` of products of the same shape.
pub(crate) fn scores(products: Tensor<4>, how: &Scoring) -> Tensor<4> {
    let [_, heads, queries, keys] = products.dims();
    with_kernel(Scores::of([heads, queries, keys], how).as_ref(), products, how)
}

/// The softmax of [`scores`], to the same bits, in one pass. A graph and half precision need the scores themselves.
pub(crate) fn pattern(products: Tensor<4>, how: &Scoring) -> Tensor<4> {
    let [_, heads, queries, keys] = products.dims();
    let kernel = Scores::of([heads, queries, keys], how);
    let products = match &kernel {
        Some(kernel) if products.dtype() == DType::F32 => match plain(products) {
            Ok(products) => return with_numbers(kernel.rows(products, Then::Softmax)),
            Err(products) => products,
        },
        _ => products,
    };
    softmax(with_kernel(kernel.as_ref(), products, how))
}

fn with_kernel(kernel: Option<&Scores>, products: Tensor<4>, how: &Scoring) -> Tensor<4> {
    match kernel {
        Some(kernel) => run(kernel, [products]).unwrap_or_else(|[products]| by_burn(products, how)),
        None => by_burn(products, how),
    }
}

/// The same with Burn's own operations.
fn by_burn(products: Tensor<4>, how: &Scoring) -> Tensor<4> {
    let mut scores = products * how.scale;
    if let Some(penalty) = &how.penalty {
        scores = scores + penalty.clone();
    }
    if let Some(cap) = how.cap {
        scores = activation::tanh(scores / cap) * cap;
    }
    let shape = scores.dims();
    scores.mask_fill(how.mask.clone().expand(shape), f32::NEG_INFINITY)
}

#[derive(Clone, Debug)]
pub(super) struct Scores {
    scale: f32,
    penalty: Option<FlexTensor>,
    cap: Option<f32>,
    seen: Seen,
    /// Of the scores: heads, queries and keys, and the batches of mask and penalty.
    heads: usize,
    queries: usize,
    keys: usize,
    mask_batches: usize,
    penalty_batches: usize,
}

/// What follows.
#[derive(Clone, Copy)]
enum Then {
    Nothing,
    Softmax,
}

impl Scores {
    /// `None` where mask or penalty are not on the CPU.
    pub(super) fn of([heads, queries, keys]: [usize; 3], how: &Scoring) -> Option<Self> {
        let penalty = match &how.penalty {
            Some(penalty) => Some(constant(penalty.clone())?),
            None => None,
        };
        Some(Self {
            scale: how.scale as f32,
            penalty,
            cap: how.cap.map(|cap| cap as f32),
            seen: Seen::of(&constant_mask(how.mask.clone())?)?,
            heads,
            queries,
            keys: keys.max(1),
            mask_batches: how.mask.dims()[0],
            penalty_batches: how.penalty.as_ref().map_or(1, |penalty| penalty.dims()[0]),
        })
    }

    fn rows(&self, products: FlexTensor, then: Then) -> FlexTensor {
        let penalty = self.penalty.as_ref().map(numbers);
        overwrite(products, self.keys, |start, rows| {
            in_vectors(ScoreRows { scores: self, penalty: penalty.as_deref(), first: start / self.keys, rows, then });
        })
    }

    pub(super) fn penalty(&self) -> Option<&FlexTensor> {
        self.penalty.as_ref()
    }

    /// From the first to the last key that each query sees.
    pub(super) fn spans(&self) -> Vec<Range<usize>> {
        self.seen.spans()
    }

    /// Overwrites the products of a row, from key `from` on, with its pattern. They hold all keys that the query sees.
    pub(super) fn to_pattern(&self, penalty: Option<&[f32]>, row: usize, from: usize, products: &mut [f32]) {
        in_vectors(PatternRow { scores: self, penalty, row, from, products });
    }

    /// The row of the mask for a row of scores.
    fn mask_row(&self, row: usize) -> usize {
        let batch = if self.mask_batches == 1 { 0 } else { row / (self.heads * self.queries) };
        batch * self.queries + row % self.queries
    }

    /// The penalties of a row of scores.
    fn penalties<'a>(&self, all: &'a [f32], row: usize) -> &'a [f32] {
        let row = if self.penalty_batches == 1 { row % (self.heads * self.queries) } else { row };
        &all[row * self.keys..(row + 1) * self.keys]
    }

    /// Scores without cap, of the products of the query's span.
    #[inline(always)]
    fn uncapped<S: Simd>(&self, lanes: Lanes<S>, penalty: Option<&[f32]>, row: usize, products: &mut [f32]) {
        match penalty {
            Some(all) => {
                let penalties = &self.penalties(all, row)[self.seen.span(self.mask_row(row))];
                lanes.each_with(TimesPlus(self.scale), products, penalties);
            }
            None => lanes.each(Times(self.scale), products),
        }
    }

    /// Scores of the products of the query's span.
    #[inline(always)]
    fn of_span<S: Simd>(&self, lanes: Lanes<S>, penalty: Option<&[f32]>, row: usize, products: &mut [f32]) {
        self.uncapped(lanes, penalty, row, products);
        if let Some(cap) = self.cap {
            lanes.each(Capped(cap), products);
        }
    }
}

struct ScoreRows<'a> {
    scores: &'a Scores,
    penalty: Option<&'a [f32]>,
    first: usize,
    rows: &'a mut [f32],
    then: Then,
}

impl WithSimd for ScoreRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = Lanes(simd);
        for (index, row) in self.rows.chunks_exact_mut(self.scores.keys).enumerate() {
            let index = self.first + index;
            let mask_row = self.scores.mask_row(index);
            let span = self.scores.seen.span(mask_row);
            self.scores.of_span(lanes, self.penalty, index, &mut row[span.clone()]);
            self.scores.seen.hide(mask_row, row, f32::NEG_INFINITY);
            if let Then::Softmax = self.then {
                softmax_row(lanes, row, span);
            }
        }
    }
}

/// One row, from key `from` on.
struct PatternRow<'a> {
    scores: &'a Scores,
    penalty: Option<&'a [f32]>,
    row: usize,
    from: usize,
    products: &'a mut [f32],
}

impl WithSimd for PatternRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (lanes, scores) = (Lanes(simd), self.scores);
        let mask_row = scores.mask_row(self.row);
        let Range { start, end } = scores.seen.span(mask_row);
        let span = if start < end { start - self.from..end - self.from } else { 0..0 };
        let products = &mut self.products[span.clone()];
        scores.of_span(lanes, self.penalty, self.row, products);
        scores.seen.hide_between(mask_row, products, f32::NEG_INFINITY);
        softmax_row(lanes, self.products, span);
    }
}

impl Kernel<1> for Scores {
    /// The products, if a cap bends the slope.
    type Kept = Option<FlexTensor>;

    fn value(&self, [products]: [FlexTensor; 1]) -> FlexTensor {
        self.rows(products, Then::Nothing)
    }

    fn kept(&self, [products]: [FlexTensor; 1]) -> (FlexTensor, Option<FlexTensor>) {
        let kept = self.cap.map(|_| products.clone());
        (self.value([products]), kept)
    }

    fn gradients(&self, products: Option<FlexTensor>, gradient: FlexTensor) -> [FlexTensor; 1] {
        let penalty = self.penalty.as_ref().map(numbers);
        let products = products.as_ref().map(numbers);
        [overwrite(gradient, self.keys, |start, rows| {
            let products = products.as_ref().map(|products| &products[start..start + rows.len()]);
            let (penalty, first) = (penalty.as_deref(), start / self.keys);
            in_vectors(GradientRows { scores: self, penalty, products, first, rows });
        })]
    }
}

struct GradientRows<'a> {
    scores: &'a Scores,
    penalty: Option<&'a [f32]>,
    products: Option<&'a [f32]>,
    first: usize,
    rows: &'a mut [f32],
}

impl WithSimd for GradientRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (lanes, scores) = (Lanes(simd), self.scores);
        let mut inner = vec![0.0; scores.keys];
        for (index, row) in self.rows.chunks_exact_mut(scores.keys).enumerate() {
            if let (Some(products), Some(cap)) = (self.products, scores.cap) {
                inner.copy_from_slice(&products[index * scores.keys..(index + 1) * scores.keys]);
                let span = scores.seen.span(scores.mask_row(self.first + index));
                scores.uncapped(lanes, self.penalty, self.first + index, &mut inner[span]);
                lanes.each_with(TimesSlopeOfCap(cap), row, &inner);
            }
            lanes.each(Times(scores.scale), row);
            scores.seen.hide(scores.mask_row(self.first + index), row, 0.0);
        }
    }
}

/// `c tanh(x / c)`
#[derive(Clone, Copy)]
struct Capped(f32);

impl OfOne for Capped {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        let cap = lanes.all(self.0);
        lanes.mul(lanes.tanh(lanes.div(x, cap)), cap)
    }
}

/// `g tanh'(x / c)` with `tanh'(z) = 4 σ'(2z)`
#[derive(Clone, Copy)]
struct TimesSlopeOfCap(f32);

impl OfTwo for TimesSlopeOfCap {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, gradient: S::f32s, x: S::f32s) -> S::f32s {
        let z = lanes.div(x, lanes.all(self.0 / 2.0));
        lanes.mul(gradient, lanes.mul(lanes.sigmoid_slope(z), lanes.all(4.0)))
    }
}

#[cfg(test)]
mod tests;

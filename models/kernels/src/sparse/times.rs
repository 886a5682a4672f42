//! Products with matrices of which few numbers are not zero.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::Sparse;
use crate::memory::zeros;
use crate::share::share;

/// Vectors of columns whose sums stay in registers.
const VECTORS: usize = 8;

/// Tasks a thread, so that none waits long for another.
const TASKS: usize = 8;

impl Sparse {
    /// `S W + b`: `W` is `[width, d]` and `b` `[d]`, to `[rows, d]`. The terms of a sum are added in the order of the columns, whatever
    /// the other rows.
    ///
    /// # Panics
    ///
    /// If the slices do not have the numbers that the shapes say.
    pub fn times(&self, weight: &[f32], d: usize, bias: Option<&[f32]>) -> Vec<f32> {
        assert!(weight.len() == self.width * d && bias.is_none_or(|bias| bias.len() == d), "BUG: the shapes fit");
        let mut out = zeros(self.rows() * d);
        let parts = self.parts();
        let mut rest = out.as_mut_slice();
        let tasks = parts.into_iter().map(|rows| {
            let (own, after) = std::mem::take(&mut rest).split_at_mut(rows.len() * d);
            rest = after;
            (rows, own)
        });
        let tasks: Vec<(Range<usize>, &mut [f32])> = tasks.collect();
        share(tasks, |(rows, out)| Arch::new().dispatch(Times { of: self, rows, weight, d, bias, out }));
        out
    }

    /// For each number that is not zero, of row `r` and column `c`: the product of row `r` of `a` `[rows, d]` and row `c` of `b`
    /// `[width, d]`.
    ///
    /// # Panics
    ///
    /// If the slices do not have the numbers that the shapes say.
    pub fn dots(&self, a: &[f32], b: &[f32], d: usize) -> Vec<f32> {
        assert!(a.len() == self.rows() * d && b.len() == self.width * d, "BUG: the shapes fit");
        let mut out = vec![0.0; self.values.len()];
        let mut rest = out.as_mut_slice();
        let tasks = self.parts().into_iter().map(|rows| {
            let count = self.starts[rows.end] - self.starts[rows.start];
            let (own, after) = std::mem::take(&mut rest).split_at_mut(count);
            rest = after;
            (rows, own)
        });
        let tasks: Vec<(Range<usize>, &mut [f32])> = tasks.collect();
        share(tasks, |(rows, out)| Arch::new().dispatch(Dots { of: self, rows, a, b, d, out }));
        out
    }

    /// Rows cut into tasks of about as many numbers that are not zero.
    fn parts(&self) -> Vec<Range<usize>> {
        let tasks = TASKS * rayon::current_num_threads();
        let (count, rows) = (self.values.len() + self.rows(), self.rows());
        let mut parts = Vec::new();
        let mut from = 0;
        for task in 1..=tasks {
            let goal = count * task / tasks;
            let to = if task == tasks { rows } else { self.row_at(goal).max(from) };
            if to > from {
                parts.push(from..to);
                from = to;
            }
        }
        parts
    }

    /// The first row before which there are so many rows and numbers.
    fn row_at(&self, goal: usize) -> usize {
        let (mut low, mut high) = (0, self.rows());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.starts[middle] + middle < goal { low = middle + 1 } else { high = middle }
        }
        low
    }
}

struct Times<'a, 'o> {
    of: &'a Sparse,
    rows: Range<usize>,
    weight: &'a [f32],
    d: usize,
    bias: Option<&'a [f32]>,
    out: &'o mut [f32],
}

impl WithSimd for Times<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let wide = VECTORS * S::F32_LANES;
        for (row, out) in self.rows.clone().zip(self.out.chunks_exact_mut(self.d)) {
            let (columns, values) = self.of.row(row);
            let mut from = 0;
            while from + wide <= self.d {
                let list = List { columns, values, weight: self.weight, d: self.d, from };
                list.whole(simd, self.bias, &mut out[from..from + wide]);
                from += wide;
            }
            while from < self.d {
                let to = self.d.min(from + S::F32_LANES);
                let list = List { columns, values, weight: self.weight, d: self.d, from };
                list.part(simd, self.bias, &mut out[from..to]);
                from = to;
            }
        }
    }
}

/// The terms of some sums of a row.
#[derive(Clone, Copy)]
struct List<'a> {
    columns: &'a [u32],
    values: &'a [f32],
    weight: &'a [f32],
    d: usize,
    from: usize,
}

impl List<'_> {
    /// [`VECTORS`] vectors of sums.
    #[inline(always)]
    fn whole<S: Simd>(self, simd: S, bias: Option<&[f32]>, out: &mut [f32]) {
        let mut sums = [simd.splat_f32s(0.0); VECTORS];
        for (column, value) in self.columns.iter().zip(self.values) {
            let start = *column as usize * self.d + self.from;
            let row = S::as_simd_f32s(&self.weight[start..start + VECTORS * S::F32_LANES]).0;
            let value = simd.splat_f32s(*value);
            let mut at = 0;
            while at < VECTORS {
                sums[at] = simd.mul_add_f32s(value, row[at], sums[at]);
                at += 1;
            }
        }
        let out = S::as_mut_simd_f32s(out).0;
        match bias {
            Some(bias) => {
                let bias = S::as_simd_f32s(&bias[self.from..self.from + VECTORS * S::F32_LANES]).0;
                (0..VECTORS).for_each(|at| out[at] = simd.add_f32s(sums[at], bias[at]));
            }
            None => (0..VECTORS).for_each(|at| out[at] = sums[at]),
        }
    }

    /// A vector of sums, or less.
    #[inline(always)]
    fn part<S: Simd>(self, simd: S, bias: Option<&[f32]>, out: &mut [f32]) {
        let mut sum = simd.splat_f32s(0.0);
        for (column, value) in self.columns.iter().zip(self.values) {
            let start = *column as usize * self.d + self.from;
            let row = simd.partial_load_f32s(&self.weight[start..start + out.len()]);
            sum = simd.mul_add_f32s(simd.splat_f32s(*value), row, sum);
        }
        if let Some(bias) = bias {
            sum = simd.add_f32s(sum, simd.partial_load_f32s(&bias[self.from..self.from + out.len()]));
        }
        simd.partial_store_f32s(out, sum);
    }
}

struct Dots<'a, 'o> {
    of: &'a Sparse,
    rows: Range<usize>,
    a: &'a [f32],
    b: &'a [f32],
    d: usize,
    out: &'o mut [f32],
}

impl WithSimd for Dots<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut at = 0;
        for row in self.rows {
            let a = &self.a[row * self.d..(row + 1) * self.d];
            for column in self.of.row(row).0 {
                let b = &self.b[*column as usize * self.d..(*column as usize + 1) * self.d];
                self.out[at] = dot(simd, a, b);
                at += 1;
            }
        }
    }
}

/// Four vectors of sums, so that no addition waits for the one before.
#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (S::as_simd_f32s(a), S::as_simd_f32s(b));
    let mut sums = [simd.splat_f32s(0.0); 4];
    for (a, b) in a.chunks(4).zip(b.chunks(4)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum = simd.mul_add_f32s(*a, *b, *sum);
        }
    }
    sums[0] = simd.mul_add_f32s(simd.partial_load_f32s(a_rest), simd.partial_load_f32s(b_rest), sums[0]);
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(at: usize) -> f32 {
        ((at * 7919 + 13) % 1009) as f32 / 1009.0 - 0.5
    }

    /// About one number in `one_in` is not zero.
    fn matrix(rows: usize, width: usize, one_in: usize) -> Vec<f32> {
        let of = |at: usize| if (at * 31 + at / width * 7).is_multiple_of(one_in) { number(at) } else { -0.0 };
        (0..rows * width).map(of).collect()
    }

    fn exact(a: impl Iterator<Item = (f32, f32)>) -> f64 {
        a.map(|(a, b)| f64::from(a) * f64::from(b)).sum()
    }

    #[test]
    fn by_hand() {
        let own =
            Sparse::of(&[0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, -0.0], 8).unwrap();
        assert_eq!((own.rows(), own.columns.as_slice(), own.values.as_slice()), (2, &[1, 6][..], &[2.0, 3.0][..]));
        let weight: Vec<f32> = (0..16).map(|at| at as f32).collect();
        assert_eq!(own.times(&weight, 2, Some(&[100.0, 200.0])), [104.0, 206.0, 136.0, 239.0]);
        assert_eq!(own.dots(&[1.0, 1.0, 0.0, 2.0], &weight, 2), [5.0, 26.0]);
        assert_eq!(own.scattered(&[7.0, 8.0])[..2], [0.0, 7.0]);
        assert_eq!(own.transposed().sums(), [0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0]);
        assert_eq!(own.transposed().transposed(), own);
        assert_eq!(Sparse::of(&[0.0, 2.0, 0.0, 0.0, 0.0], 5), None, "one in five");
    }

    #[test]
    fn sums_of_every_shape_are_those_in_double_precision() {
        for (rows, width, d) in [(1, 9, 1), (3, 40, 15), (200, 300, 129), (70, 65, 300), (5, 1000, 16)] {
            let numbers = matrix(rows, width, 11);
            let own = Sparse::of(&numbers, width).unwrap();
            let weight: Vec<f32> = (0..width * d).map(|at| number(at + 3)).collect();
            let bias: Vec<f32> = (0..d).map(|at| number(at + 9)).collect();
            let out = own.times(&weight, d, Some(&bias));
            let (a, dots) = ((0..rows * d).map(|at| number(at + 1)).collect::<Vec<_>>(), own.values.len());
            let found = own.scattered(&own.dots(&a, &weight, d));
            assert_eq!(own.scattered(&own.values).iter().filter(|x| **x != 0.0).count(), dots);
            for row in 0..rows {
                for at in 0..d {
                    let terms = (0..width).map(|column| (numbers[row * width + column], weight[column * d + at]));
                    let expected = exact(terms) + f64::from(bias[at]);
                    assert!((f64::from(out[row * d + at]) - expected).abs() < 1e-5, "{rows} {width} {d}");
                }
                for column in (0..width).filter(|column| numbers[row * width + column] != 0.0) {
                    let expected = exact((0..d).map(|at| (a[row * d + at], weight[column * d + at])));
                    assert!((f64::from(found[row * width + column]) - expected).abs() < 1e-5, "{rows} {width} {d}");
                }
            }
        }
    }

    #[test]
    fn neither_other_rows_nor_threads_change_a_bit() {
        let (width, d) = (200, 150);
        let numbers = matrix(90, width, 17);
        let weight: Vec<f32> = (0..width * d).map(number).collect();
        let all = Sparse::of(&numbers, width).unwrap().times(&weight, d, None);
        let some = Sparse::of(&numbers[30 * width..37 * width], width).unwrap().times(&weight, d, None);
        assert_eq!(some, all[30 * d..37 * d]);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let again = pool.install(|| Sparse::of(&numbers, width).unwrap().times(&weight, d, None));
            assert_eq!(again, all);
        }
    }
}

//! A product, cut into columns for the threads.

use crate::by_lane::{self, ByLane};
use crate::columns;
use crate::dots;
use crate::part::Part;
use crate::place::GRAIN;
use crate::scratch::scratch;
use crate::share::share;
use crate::weight::{Matrix, Number, Numbers, Order};

/// Multiplications below which one thread is faster than several.
pub(crate) const SMALL: usize = 1 << 18;

/// Tasks a thread, so that none waits long for another.
const TASKS: usize = 4;

/// The same for few rows, which wait for memory: longer stretches of it come faster.
const TASKS_OF_FEW_ROWS: usize = 2;

/// Tasks a thread from [`MANY_ROWS`] on: each takes so long that the last one is worth sharing.
const TASKS_OF_MANY_ROWS: usize = 16;

const MANY_ROWS: usize = 64;

/// Whether the CPU has vectors with fused multiply-add, which these loops are for.
pub fn has_vectors() -> bool {
    !matches!(pulp::Arch::new(), pulp::Arch::Scalar)
}

/// A product that is asked for: `x W + b`, with `W` `[d_in, d_out]` and `b` `[d_out]`.
#[derive(Debug)]
pub struct Product<'a> {
    /// `W`
    pub weight: Matrix<'a>,
    /// `b`
    pub bias: Option<&'a [f32]>,
    /// Where the product is written, `[rows, d_out]`.
    pub out: &'a mut [f32],
}

/// Writes products of the same rows `[rows, d_in]`. They share one call of the threads: those of a few columns would leave
/// some of them idle.
///
/// The order in which the terms of a number are added depends on nothing but the inner axis and which axis of the weight
/// is contiguous: a row's bits are the same beside any other rows and products, and on any number of threads. Sums are
/// taken in short runs, so they round less than in one pass. Weights in half precision are widened a panel at a time, for
/// few rows in registers.
///
/// # Panics
///
/// If an axis is empty, or a slice does not have the numbers that the shapes say.
pub fn multiply<'a>(x: &'a [f32], products: Vec<Product<'a>>) {
    let weights = products.iter().map(|product| product.weight.shape.iter().product::<usize>()).sum();
    let columns = products.iter().find(|product| matches!(product.weight.order, Order::Columns(_)));
    let by_lane = columns.and_then(|product| ByLane::of(x, product.weight.shape[0]));
    let tasks = products.into_iter().flat_map(|product| cut(x, weights, product));
    share(tasks.collect(), |(at, weight, bias, mut out)| match weight.numbers {
        Numbers::F32(numbers) => some_columns(x, by_lane.as_ref(), numbers, &weight, at, bias, &mut out),
        Numbers::F16(numbers) => some_columns(x, by_lane.as_ref(), numbers, &weight, at, bias, &mut out),
        Numbers::BF16(numbers) => some_columns(x, by_lane.as_ref(), numbers, &weight, at, bias, &mut out),
    });
}

/// Some columns of a product: the first of them, and each row's place for them.
type Task<'a> = (usize, Matrix<'a>, Option<&'a [f32]>, Vec<&'a mut [f32]>);

/// A product's columns, cut for the threads, each of which reads only its own columns of the weight. `weights` counts those
/// of all products.
fn cut<'a>(x: &[f32], weights: usize, Product { weight, bias, out }: Product<'a>) -> Vec<Task<'a>> {
    let [d_in, d_out] = weight.shape;
    let wide = d_out.div_ceil(GRAIN).div_ceil(tasks(x.len() / d_in, weights)) * GRAIN;
    let rows = || Vec::with_capacity(x.len() / d_in);
    let mut parts: Vec<Vec<&'a mut [f32]>> = (0..d_out.div_ceil(wide)).map(|_| rows()).collect();
    for row in out.chunks_mut(d_out) {
        parts.iter_mut().zip(row.chunks_mut(wide)).for_each(|(part, columns)| part.push(columns));
    }
    parts.into_iter().enumerate().map(|(at, out)| (at * wide, weight, bias, out)).collect()
}

/// A single row waits for memory alone, and longer stretches of memory come faster.
fn tasks(rows: usize, weights: usize) -> usize {
    match rows {
        _ if rows * weights < SMALL => 1,
        1 => rayon::current_num_threads(),
        _ if rows <= f32::FEW => TASKS_OF_FEW_ROWS * rayon::current_num_threads(),
        _ if rows < MANY_ROWS => TASKS * rayon::current_num_threads(),
        _ => TASKS_OF_MANY_ROWS * rayon::current_num_threads(),
    }
}

fn some_columns<'a, T: Number>(
    x: &'a [f32],
    by_lane: Option<&ByLane>,
    numbers: &'a [T],
    weight: &Matrix<'_>,
    from: usize,
    bias: Option<&'a [f32]>,
    out: &mut [&'a mut [f32]],
) {
    let d_in = weight.shape[0];
    let bias = bias.map(|bias| &bias[from..]);
    match (weight.order, by_lane) {
        (Order::Rows(stride), _) => scratch(columns::panel_length(d_in), |panel| {
            Part { x, d_in, weight: &numbers[from..], stride, bias, out, panel }.write_from_rows();
        }),
        (Order::Columns(stride), Some(rows)) => scratch(by_lane::panel_length(d_in), |panel| {
            Part { x, d_in, weight: &numbers[from * stride..], stride, bias, out, panel }.write_by_lane(rows);
        }),
        (Order::Columns(stride), None) => scratch(dots::panel_length(d_in), |panel| {
            Part { x, d_in, weight: &numbers[from * stride..], stride, bias, out, panel }.write_from_columns();
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(at: usize) -> f32 {
        ((at * 7919) % 1009) as f32 / 1009.0 - 0.5
    }

    #[test]
    fn many_rows_have_the_bits_of_few() {
        for (d_in, d_out) in [(16, 60), (301, 51), (1500, 100)] {
            let rows = by_lane::LARGE.div_ceil(d_in).max(by_lane::MANY);
            let x: Vec<f32> = (0..rows * d_in).map(number).collect();
            let (numbers, bias): (Vec<f32>, Vec<f32>) =
                ((0..d_in * d_out).map(|at| number(at + 5)).collect(), (0..d_out).map(|at| number(at + 9)).collect());
            let weight = Matrix { numbers: Numbers::F32(&numbers), shape: [d_in, d_out], order: Order::Columns(d_in) };
            let product = |x: &[f32]| {
                let mut out = vec![0.0; x.len() / d_in * d_out];
                multiply(x, vec![Product { weight, bias: Some(&bias), out: &mut out }]);
                out.iter().map(|x| x.to_bits()).collect::<Vec<u32>>()
            };
            assert!(ByLane::of(&x[..30 * d_in], d_in).is_none());
            assert_eq!(ByLane::of(&x, d_in).is_some(), cfg!(target_arch = "x86_64"));
            let few: Vec<u32> = x.chunks(30 * d_in).flat_map(product).collect();
            assert!(product(&x) == few, "{d_in} {d_out}");
        }
    }
}

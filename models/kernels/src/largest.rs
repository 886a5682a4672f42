//! The largest numbers of rows, and of all rows together.

use rayon::prelude::*;

use crate::memory::zeros;

/// Rows that a thread takes at a time.
const ROWS: usize = 16;

/// Numbers that a thread counts at a time.
const CHUNK: usize = 1 << 16;

/// Of each row of `width` numbers the `k` largest that are positive, zeros elsewhere. Of equal numbers the first count.
///
/// # Panics
///
/// If `width` is 0.
pub fn largest_of_rows(numbers: &[f32], width: usize, k: usize) -> Vec<f32> {
    let mut out = zeros(numbers.len());
    let rows = out.par_chunks_mut(width).with_min_len(ROWS).zip(numbers.par_chunks(width));
    rows.for_each_init(Vec::new, |room, (out, row)| keep(row, k, out, room));
    out
}

/// Copies the `k` largest positive numbers of a row.
fn keep(row: &[f32], k: usize, out: &mut [f32], room: &mut Vec<f32>) {
    room.clear();
    room.extend(row.iter().filter(|x| **x > 0.0 || x.is_nan()));
    let (least, ties) = match k {
        0 => return,
        k if k >= room.len() => (0.0, 0),
        k => {
            let (above, least, _) = room.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
            let least = *least;
            (least, k - above.iter().filter(|x| **x > least).count())
        }
    };
    copy(row, least, ties, out);
}

/// Copies numbers above a positive number, and the first that are equal to it. What is not a number is copied too: it must not
/// go unseen.
fn copy(row: &[f32], least: f32, mut ties: usize, out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(row) {
        if *x > least || x.is_nan() {
            *out = *x;
        } else if *x == least && ties > 0 {
            *out = *x;
            ties -= 1;
        }
    }
}

/// Of all numbers the `k` largest that are positive, zeros elsewhere. Of equal numbers the first count.
pub fn largest_of_all(numbers: &[f32], k: usize) -> Vec<f32> {
    let mut out = zeros(numbers.len());
    let Some((least, ties)) = least(numbers, k) else { return out };
    // How many of the equal numbers lie in each chunk decides which of them are the first.
    let equal = |chunk: &[f32]| if ties == 0 { 0 } else { chunk.iter().filter(|x| **x == least).count() };
    let counts: Vec<usize> = numbers.par_chunks(CHUNK).map(equal).collect();
    let before = counts.iter().scan(0, |sum, count| {
        *sum += count;
        Some(*sum - count)
    });
    let left: Vec<usize> = before.map(|before| ties.saturating_sub(before)).collect();
    let chunks = out.par_chunks_mut(CHUNK).zip(numbers.par_chunks(CHUNK)).zip(left);
    chunks.for_each(|((out, chunk), ties)| copy(chunk, least, ties, out));
    out
}

/// The least of the `k` largest positive numbers, and how many that are equal to it are among them; zeros if there are fewer
/// than `k`. `None` for `k` of 0.
fn least(numbers: &[f32], k: usize) -> Option<(f32, usize)> {
    if k == 0 {
        return None;
    }
    // The upper half of a positive number's bits grows with it.
    let high = |x: f32| (x.to_bits() >> 16) as usize;
    let counts = counted(numbers, |x| (x > 0.0).then(|| high(x)));
    let Some((at, above)) = place(&counts, k) else { return Some((0.0, 0)) };
    let counts = counted(numbers, |x| (x > 0.0 && high(x) == at).then(|| (x.to_bits() & 0xffff) as usize));
    let left = k - above;
    let (low, above) = place(&counts, left).expect("BUG: there are as many numbers as were counted before");
    Some((f32::from_bits(((at as u32) << 16) | low as u32), left - above))
}

/// How many numbers have each key of 16 bits.
fn counted(numbers: &[f32], key: impl Fn(f32) -> Option<usize> + Sync) -> Vec<usize> {
    let empty = || vec![0_usize; 1 << 16];
    let chunk = numbers.len().div_ceil(rayon::current_num_threads()).max(CHUNK);
    let count = |chunk: &[f32]| {
        let mut counts = empty();
        chunk.iter().filter_map(|x| key(*x)).for_each(|key| counts[key] += 1);
        counts
    };
    let add = |mut a: Vec<usize>, b: Vec<usize>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    numbers.par_chunks(chunk).map(count).reduce(empty, add)
}

/// The largest key from which on there are at least `k`, and how many are above it; `None` if there are fewer in all.
fn place(counts: &[usize], k: usize) -> Option<(usize, usize)> {
    let mut above = 0;
    for (key, count) in counts.iter().enumerate().rev() {
        if above + count >= k {
            return Some((key, above));
        }
        above += count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of which some are equal, in no order.
    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|at| (((at * 7919) % 211) as f32 - 105.0) / 16.0).collect()
    }

    /// By sorting: the largest first, of equal ones the first.
    fn sorted(row: &[f32], k: usize) -> Vec<f32> {
        let mut order: Vec<usize> = (0..row.len()).filter(|at| row[*at] > 0.0).collect();
        order.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
        let mut out = vec![0.0; row.len()];
        order.into_iter().take(k).for_each(|at| out[at] = row[at]);
        out
    }

    #[test]
    fn by_hand() {
        assert_eq!(
            largest_of_rows(&[1.0, -2.0, 3.0, 0.5, 2.0, 2.0, 2.0, -1.0], 4, 2),
            [1.0, 0.0, 3.0, 0.0, 2.0, 2.0, 0.0, 0.0]
        );
        assert_eq!(
            largest_of_all(&[1.0, -2.0, 3.0, 0.5, 2.0, 2.0, 2.0, -1.0], 2),
            [0.0, 0.0, 3.0, 0.0, 2.0, 0.0, 0.0, 0.0]
        );
        assert_eq!(largest_of_all(&[1.0, -2.0, 3.0], 9), [1.0, 0.0, 3.0]);
        assert_eq!(largest_of_all(&[1.0, 3.0], 0), [0.0, 0.0]);
        assert_eq!(largest_of_rows(&[f32::NEG_INFINITY, f32::INFINITY], 2, 1), [0.0, f32::INFINITY]);
    }

    #[test]
    fn they_are_those_of_a_sort() {
        let (width, all) = (301, numbers(301 * 500));
        for k in [0, 1, 2, 57, 150, 151, 301] {
            let expected: Vec<f32> = all.chunks(width).flat_map(|row| sorted(row, k)).collect();
            assert!(largest_of_rows(&all, width, k) == expected, "{k} of a row");
        }
        for k in [1, 2, 999, 70_000, all.len()] {
            let expected = sorted(&all, k);
            assert!(largest_of_all(&all, k) == expected, "{k} of all");
            let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
            assert!(pool.install(|| largest_of_all(&all, k)) == expected, "{k} of all, in three threads");
        }
    }
}

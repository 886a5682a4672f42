//! The distribution of a difference of means under exchanged labels, at every shift at once.
//!
//! Source: Fisher, "The Design of Experiments" (1935); studentised, Janssen, "Studentized permutation tests for non-iid
//! hypotheses and the generalized Behrens-Fisher problem" (1997); the Monte Carlo p-value is (b + 1) / (B + 1) as in
//! Phipson & Smyth (2010).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Alternative;
use super::crossing::Drawn;
use super::guard::{largest, mean, power_of_two};
use super::units::{Unit, count, equal_blocks};

/// All relabellings are enumerated if there are at most this many.
const EXACT_UP_TO: f64 = 4096.0;

/// What the difference of means is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Nothing.
    Plain,
    /// Its standard error if variances may differ.
    Studentised,
}

/// What is labelled `a` in one relabelling.
#[derive(Clone, Copy, Default)]
pub(crate) struct Labelled {
    sum: f64,
    squares: f64,
    /// Of these, the number of values that are in `a`, and their sum: they move if `a` is shifted.
    moving: f64,
    moving_sum: f64,
}

impl Labelled {
    fn add(&mut self, unit: Unit, of_a: bool) {
        self.sum += unit.sum;
        self.squares += unit.squares;
        if of_a {
            self.moving += unit.n;
            self.moving_sum += unit.sum;
        }
    }

    /// The sum and the sum of squares if `a` is shifted down by `by`.
    fn shifted(&self, by: f64) -> [f64; 2] {
        [self.sum - by * self.moving, self.squares - 2.0 * by * self.moving_sum + by * by * self.moving]
    }
}

/// Relabellings of two samples, each centred on its mean and in units of `size`.
pub(crate) struct Labels {
    n_a: f64,
    n_b: f64,
    /// The difference of the means, in units of `size`.
    difference: f64,
    size: f64,
    observed: Labelled,
    all: Labelled,
    relabelled: Vec<Labelled>,
    exact: bool,
    scale: Scale,
    is_constant: bool,
}

impl Labels {
    /// All relabellings if there are at most 4096, otherwise `draws` random ones. Very long samples are relabelled in
    /// blocks of one length.
    pub(crate) fn of(a: &[f64], b: &[f64], scale: Scale, draws: usize, seed: u64) -> Self {
        let (n_a, n_b) = (a.len(), b.len());
        let size = power_of_two(largest(a).max(largest(b)));
        let (mean_a, mean_b) = (mean(a) / size, mean(b) / size);
        let centred = |values: &[f64], mean: f64| values.iter().map(|value| value / size - mean).collect::<Vec<f64>>();
        let (a, b) = (centred(a, mean_a), centred(b, mean_b));
        let difference = mean_a - mean_b;
        let is_constant = difference == 0.0 && a.iter().chain(&b).all(|&value| value == 0.0);
        let length = (n_a + n_b).div_ceil(count(n_a + n_b, draws));
        let ((blocks_a, rest_a), (blocks_b, rest_b)) = (equal_blocks(&a, length), equal_blocks(&b, length));
        let mut fixed = Labelled::default();
        fixed.add(rest_a, true);
        let (mut observed, mut all) = (fixed, fixed);
        for unit in &blocks_a {
            observed.add(*unit, true);
            all.add(*unit, true);
        }
        blocks_b.iter().chain([&rest_b]).for_each(|unit| all.add(*unit, false));
        let pool = Pool { of_a: blocks_a.len(), all: [blocks_a, blocks_b].concat(), fixed };
        let exact = length == 1 && relabellings(n_a, n_b) <= EXACT_UP_TO;
        let relabelled = if exact { pool.enumerate() } else { pool.sample(draws, seed) };
        let (n_a, n_b) = (n_a as f64, n_b as f64);
        Self { n_a, n_b, difference, size, observed, all, relabelled, exact, scale, is_constant }
    }

    /// Whether all values of both samples are the same.
    pub(crate) fn is_constant(&self) -> bool {
        self.is_constant
    }

    /// How the p-value is computed.
    pub(crate) fn method(&self) -> &'static str {
        if self.exact { "exact" } else { "monte carlo" }
    }

    /// The smallest p-value that is possible. With equal lengths, swapping the samples gives the same magnitude, so the
    /// two-sided test counts at least two.
    pub(crate) fn floor(&self, alternative: Alternative) -> f64 {
        let count = self.relabelled.len() as f64;
        match self.exact {
            true if self.n_a == self.n_b => alternative.tails() as f64 / count,
            true => 1.0 / count,
            false => 1.0 / (count + 1.0),
        }
    }

    /// The observed statistic.
    pub(crate) fn statistic(&self) -> f64 {
        let found = self.at(-self.difference).contrast(&self.observed);
        if self.scale == Scale::Plain { found * self.size } else { found }
    }

    /// An equal statistic in another order counts as equal.
    fn rounding(&self, by: f64, observed: f64) -> f64 {
        match self.scale {
            Scale::Plain => 1e-13 * (self.n_a + self.n_b) * (1.0 + by.abs()) / self.n_a.min(self.n_b),
            Scale::Studentised if observed.is_finite() => 1e-10 * (1.0 + observed.abs()),
            Scale::Studentised => 0.0,
        }
    }

    /// What all relabellings have in common if `a` is shifted down by `by`.
    fn at(&self, by: f64) -> Shifted {
        let ([all, all_squares], n) = (self.all.shifted(by), self.n_a + self.n_b);
        let rounding = 1e-8 * (all_squares / n).sqrt() / n.sqrt();
        let (n_a, n_b, studentised) = (self.n_a, self.n_b, self.scale == Scale::Studentised);
        Shifted { n_a, n_b, by, all, all_squares, rounding, zero: 1e-13 * (1.0 + by.abs()), studentised }
    }
}

impl Drawn for Labels {
    type Draw = Labelled;

    fn drawn(&self) -> &[Labelled] {
        &self.relabelled
    }

    fn p_of(&self, extreme: usize) -> f64 {
        let (extreme, total) = (extreme as f64, self.relabelled.len() as f64);
        if self.exact { extreme / total } else { (extreme + 1.0) / (total + 1.0) }
    }

    fn is_extreme(&self, shift: f64, alternative: Alternative) -> impl Fn(&Labelled) -> bool {
        let by = shift / self.size - self.difference;
        let at = self.at(by);
        let extremeness = move |labelled: &Labelled| alternative.extremeness(at.contrast(labelled));
        let observed = extremeness(&self.observed);
        let threshold = observed - self.rounding(by, observed);
        move |labelled| extremeness(labelled) >= threshold
    }
}

/// Relabellings at one shift.
struct Shifted {
    n_a: f64,
    n_b: f64,
    by: f64,
    /// The sum of all values, and of their squares.
    all: f64,
    all_squares: f64,
    /// A standard error that is no more than rounding, and such a difference.
    rounding: f64,
    zero: f64,
    studentised: bool,
}

impl Shifted {
    fn contrast(&self, labelled: &Labelled) -> f64 {
        let [sum, squares] = labelled.shifted(self.by);
        let (mean_a, mean_b) = (sum / self.n_a, (self.all - sum) / self.n_b);
        let difference = mean_a - mean_b;
        if !self.studentised {
            return difference;
        }
        let variance = |squares: f64, sum: f64, mean: f64, n: f64| (squares - sum * mean).max(0.0) / (n - 1.0) / n;
        let of_b = variance(self.all_squares - squares, self.all - sum, mean_b, self.n_b);
        let error = (variance(squares, sum, mean_a, self.n_a) + of_b).sqrt();
        match difference.abs() <= self.zero {
            true => 0.0,
            false if error <= self.rounding => f64::INFINITY.copysign(difference),
            false => difference / error,
        }
    }
}

/// What is relabelled.
struct Pool {
    of_a: usize,
    all: Vec<Unit>,
    /// What is left over from the blocks of `a` and keeps its label.
    fixed: Labelled,
}

impl Pool {
    fn enumerate(&self) -> Vec<Labelled> {
        let (mut chosen, mut all) = ((0..self.of_a).collect::<Vec<usize>>(), Vec::new());
        loop {
            all.push(self.labelled(chosen.iter().copied()));
            if !next_combination(&mut chosen, self.all.len()) {
                return all;
            }
        }
    }

    fn sample(&self, draws: usize, seed: u64) -> Vec<Labelled> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let count = self.all.len();
        let mut order: Vec<usize> = (0..count).collect();
        let mut next = || {
            for index in 0..self.of_a {
                let other = rng.random_range(index as u32..count as u32) as usize;
                order.swap(index, other);
            }
            self.labelled(order[..self.of_a].iter().copied())
        };
        (0..draws).map(|_| next()).collect()
    }

    fn labelled(&self, chosen: impl Iterator<Item = usize>) -> Labelled {
        let mut labelled = self.fixed;
        chosen.for_each(|index| labelled.add(self.all[index], index < self.of_a));
        labelled
    }
}

/// The number of ways to choose which of the pooled values are labelled `a`; infinite if it overflows.
pub(crate) fn relabellings(a: usize, b: usize) -> f64 {
    let few = a.min(b);
    (1..=few).map(|k| (a + b - few + k) as f64 / k as f64).product::<f64>().round()
}

/// Moves to the next increasing sequence of indices below `n`; false after the last.
fn next_combination(chosen: &mut [usize], n: usize) -> bool {
    let k = chosen.len();
    let Some(turn) = (0..k).rev().find(|&i| chosen[i] < n - k + i) else {
        return false;
    };
    chosen[turn] += 1;
    for i in turn + 1..k {
        chosen[i] = chosen[i - 1] + 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, normals, seeded};
    use super::*;

    #[test]
    fn relabellings_are_binomial_coefficients() {
        assert_eq!([relabellings(7, 7), relabellings(2, 5), relabellings(5, 2)], [3432.0, 21.0, 21.0]);
        assert!(relabellings(5000, 5000).is_infinite());
    }

    #[test]
    fn a_shift_of_the_data_is_a_shift_of_the_test() {
        let (a, b) = (normals(&mut seeded(1), 9), normals(&mut seeded(2), 14));
        for scale in [Scale::Plain, Scale::Studentised] {
            let labels = Labels::of(&a, &b, scale, 499, 3);
            for shift in [-1.5, 0.0, 0.4] {
                let moved: Vec<f64> = a.iter().map(|value| value - shift).collect();
                for alternative in [Alternative::Greater, Alternative::Less, Alternative::TwoSided] {
                    let direct = Labels::of(&moved, &b, scale, 499, 3).p_at(0.0, alternative);
                    assert_close(labels.p_at(shift, alternative), direct, 1e-12);
                }
            }
        }
    }

    #[test]
    fn blocks_of_long_samples_give_nearly_the_p_value_of_single_values() {
        let rng = &mut seeded(4);
        let (a, b) = (normals(rng, 5000), normals(rng, 3000));
        let a: Vec<f64> = a.iter().map(|value| value + 0.03).collect();
        for scale in [Scale::Plain, Scale::Studentised] {
            let p = Labels::of(&a, &b, scale, 3999, 0).p_at(0.0, Alternative::Greater);
            let student = crate::hypothesis::stats::welch(&a, &b, Alternative::Greater).unwrap().p_value;
            assert_close(p, student, 0.03);
        }
    }
}

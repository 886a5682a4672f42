//! Sums that have the same bits in any order.

use serde::{Deserialize, Serialize};

/// Bits of a digit.
const DIGIT: i32 = 32;

/// Digits that are kept of a sum: 64 bits and more below its largest number.
const KEPT: usize = 3;

/// The top digit of a sum of nothing, and below it that of one with a number that is not finite.
const EMPTY: i32 = i32::MIN;
const NOT_FINITE: i32 = i32::MAX;

/// A list of sums whose bits depend neither on the order in which numbers are added nor on how they are split among machines.
///
/// A number is cut into digits of 32 bits at fixed places, and each place is summed as an integer. The three highest places
/// of a sum are kept, those of its largest number, so that a sum of `n` numbers is off by less than `n · 2⁻⁶⁴` of the
/// largest one (Demmel and Nguyen 2015, "Parallel reproducible summation", with integers). It holds 28 bytes a sum. Up to
/// 2³¹ numbers can be added.
///
/// ```
/// use arrakis::corpus::Sums;
///
/// let mut sums = Sums::new(1);
/// [1e16, 1.0, -1e16].iter().for_each(|number| sums.add(0, *number));
/// assert_eq!(sums.get(0), 1.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    tops: Vec<i32>,
    digits: Vec<[i64; KEPT]>,
}

impl Sums {
    /// So many sums of nothing.
    pub fn new(count: usize) -> Self {
        Self { tops: vec![EMPTY; count], digits: vec![[0; KEPT]; count] }
    }

    /// How many sums there are.
    pub fn len(&self) -> usize {
        self.tops.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tops.is_empty()
    }

    /// Adds a number to one of the sums. A sum with a number that is not finite is NaN.
    ///
    /// # Panics
    ///
    /// If there is no such sum.
    pub fn add(&mut self, at: usize, number: f64) {
        if !number.is_finite() {
            self.raise(at, NOT_FINITE);
            return;
        }
        if number == 0.0 {
            return;
        }
        let (lowest, places) = cut(number.abs());
        let highest = (0..KEPT as i32).rev().find(|place| places[*place as usize] > 0).unwrap_or(0);
        self.raise(at, lowest + highest);
        for (place, digit) in (lowest..).zip(places) {
            if let Some(kept) = self.place(at, place) {
                *kept += if number < 0.0 { -digit } else { digit };
            }
        }
    }

    /// Adds the sums of other numbers.
    ///
    /// # Panics
    ///
    /// If they are not as many.
    pub fn join(&mut self, other: &Self) {
        assert_eq!(self.len(), other.len(), "as many sums are joined");
        for at in 0..self.len() {
            let top = other.tops[at];
            self.raise(at, top);
            for (below, digit) in other.digits[at].iter().enumerate() {
                if let Some(kept) = self.place(at, top.saturating_sub(below as i32)) {
                    *kept += digit;
                }
            }
        }
    }

    /// One of the sums, rounded to the nearest `f64`.
    ///
    /// # Panics
    ///
    /// If there is no such sum.
    pub fn get(&self, at: usize) -> f64 {
        match self.tops[at] {
            EMPTY => 0.0,
            NOT_FINITE => f64::NAN,
            top => {
                let whole = self.digits[at].iter().fold(0_i128, |sum, digit| (sum << DIGIT) + i128::from(*digit));
                let scale = DIGIT * (top - (KEPT as i32 - 1));
                whole as f64 * 2f64.powi(scale / 2) * 2f64.powi(scale - scale / 2)
            }
        }
    }

    /// All sums.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        (0..self.len()).map(|at| self.get(at))
    }

    /// Makes the top digit of a sum at least this one. Digits that are too low for it are dropped, as they would be if
    /// the larger number had come first.
    fn raise(&mut self, at: usize, top: i32) {
        let before = self.tops[at];
        if top <= before {
            return;
        }
        let digits = &mut self.digits[at];
        let by = usize::try_from(i64::from(top) - i64::from(before)).unwrap_or(KEPT).min(KEPT);
        digits.rotate_right(by % KEPT);
        digits[..by].fill(0);
        self.tops[at] = top;
    }

    /// The digit of a sum at a place, if it is kept.
    fn place(&mut self, at: usize, place: i32) -> Option<&mut i64> {
        let top = self.tops[at];
        if matches!(top, EMPTY | NOT_FINITE) {
            return None;
        }
        self.digits[at].get_mut(usize::try_from(i64::from(top) - i64::from(place)).ok()?)
    }

    /// The bits of everything, as numbers that are only stored.
    pub(super) fn to_numbers(&self) -> Vec<f64> {
        let one = |(top, digits): (&i32, &[i64; KEPT])| {
            let bits = |digit: i64| f64::from_bits(digit as u64);
            [f64::from(*top), bits(digits[0]), bits(digits[1]), bits(digits[2])]
        };
        self.tops.iter().zip(&self.digits).flat_map(one).collect()
    }

    /// The inverse of [`Sums::to_numbers`].
    pub(super) fn of_numbers(numbers: &[f64]) -> Self {
        let one = |numbers: &[f64]| (numbers[0] as i32, [1, 2, 3].map(|at| numbers[at].to_bits() as i64));
        let (tops, digits) = numbers.chunks_exact(1 + KEPT).map(one).unzip();
        Self { tops, digits }
    }
}

/// The place of the lowest digit of a positive number, and its digits from there on.
fn cut(number: f64) -> (i32, [i64; KEPT]) {
    let bits = number.to_bits();
    let (exponent, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    let mantissa = if exponent == 0 { fraction } else { fraction | 1 << 52 };
    let shift = exponent.max(1) - 1075;
    let whole = u128::from(mantissa) << shift.rem_euclid(DIGIT);
    let digit = |place: i32| (whole >> (DIGIT * place)) as i64 & ((1 << DIGIT) - 1);
    (shift.div_euclid(DIGIT), [digit(0), digit(1), digit(2)])
}

#[cfg(test)]
mod tests {
    use rand::seq::SliceRandom as _;
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn sum(numbers: &[f64]) -> Sums {
        let mut sums = Sums::new(1);
        for number in numbers {
            sums.add(0, *number);
        }
        sums
    }

    #[test]
    fn by_hand() {
        let cases: [(&[f64], f64); 8] = [
            (&[], 0.0),
            (&[0.1], 0.1),
            (&[-3.5, 1.25], -2.25),
            (&[1e16, 1.0, -1e16], 1.0),
            (&[f64::MAX], f64::MAX),
            (&[5e-324, 5e-324], 1e-323),
            (&[1e300, 1e-300], 1e300),
            // Python: math.fsum([0.1] * 10)
            (&[0.1; 10], 1.0),
        ];
        for (numbers, expected) in cases {
            assert_eq!(sum(numbers).get(0).to_bits(), expected.to_bits(), "{numbers:?}");
        }
        assert!(sum(&[1.0, f64::INFINITY, 2.0]).get(0).is_nan());
    }

    /// Numbers of many sizes, in any order and in any pieces.
    #[test]
    fn no_order_and_no_split_changes_a_bit() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut numbers: Vec<f64> =
            (0..500).map(|_| (rng.random::<f64>() - 0.5) * 10f64.powi(rng.random_range(-30..30))).collect();
        let whole = sum(&numbers);
        for pieces in [1, 2, 3, 7, 499] {
            numbers.shuffle(&mut rng);
            let mut joined = Sums::new(1);
            for piece in numbers.chunks(numbers.len().div_ceil(pieces)) {
                joined.join(&Sums::of_numbers(&sum(piece).to_numbers()));
            }
            assert_eq!(joined, whole);
        }
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<Sums>(&text).unwrap(), whole);
    }

    /// Integers have an exact sum to compare with.
    #[test]
    fn the_error_is_within_the_stated_bound() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let numbers: Vec<i64> = (0..1000).map(|_| rng.random::<i64>() >> rng.random_range(0..63)).collect();
        let numbers: Vec<i64> = numbers.into_iter().map(|number| number as f64 as i64).collect();
        let exact: i128 = numbers.iter().map(|number| i128::from(*number)).sum();
        let found = sum(&numbers.iter().map(|number| *number as f64).collect::<Vec<_>>());
        assert_eq!(found.get(0).to_bits(), (exact as f64).to_bits());
    }
}

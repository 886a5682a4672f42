//! The sum of a given rank among all sums of two sorted lists, without making them all.
//!
//! Source: Johnson & Mizoguchi, "Selecting the Kth element in X + Y" (1978): what is left of the
//! matrix of sums is a range of columns a row, and a bound cuts it in one walk down its stairs. The bounds are those of
//! Floyd & Rivest, "Expected time bounds for selection" (1975): sums around the rank in a sample of what is left.

/// How many sums are looked at to find the next bounds.
const SAMPLE: usize = 2048;

/// How far the bounds are from the rank in a sorted sample: about four of its standard errors.
const AROUND: usize = 90;

/// All sums `rows[i] + columns[j]` of sorted, finite lists.
pub(crate) struct Sums<'a> {
    rows: &'a [f64],
    columns: &'a [f64],
    /// Only those with `j >= i`, of one list with itself.
    triangle: bool,
}

impl<'a> Sums<'a> {
    /// Every value of one list plus every value of the other.
    pub(crate) fn of(rows: &'a [f64], columns: &'a [f64]) -> Self {
        Self { rows, columns, triangle: false }
    }

    /// Every value of a list plus itself and every later one.
    pub(crate) fn of_pairs(values: &'a [f64]) -> Self {
        Self { rows: values, columns: values, triangle: true }
    }

    /// How many sums there are.
    pub(crate) fn count(&self) -> usize {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        if self.triangle { rows * (rows + 1) / 2 } else { rows * columns }
    }

    /// The median: the mean of the middle two of an even number.
    pub(crate) fn median(&self) -> f64 {
        let count = self.count();
        f64::midpoint(self.at((count - 1) / 2), self.at(count / 2))
    }

    /// The sum of a rank, from 0.
    pub(crate) fn at(&self, rank: usize) -> f64 {
        let mut left = Left::all(self);
        while left.count > 2 * (self.rows.len() + self.columns.len()) + 2 * SAMPLE {
            let mut sample = left.sample(self);
            sample.sort_unstable_by(f64::total_cmp);
            let share = (rank - left.below) as f64 / left.count as f64;
            let middle = (share * SAMPLE as f64) as usize;
            let bounds = [middle.saturating_sub(AROUND), (middle + AROUND).min(SAMPLE - 1)].map(|at| sample[at]);
            if let Some(found) = bounds.into_iter().find(|bound| left.cut(self, *bound, rank)) {
                return found;
            }
        }
        let mut sums = left.sums(self);
        let at = rank - left.below;
        *sums.select_nth_unstable_by(at, f64::total_cmp).1
    }

    /// For each row, the columns before which sums are below `bound`, and not above it.
    fn stairs(&self, bound: f64) -> Vec<[usize; 2]> {
        let (mut below, mut up_to) = (self.columns.len(), self.columns.len());
        let step = |(row, value): (usize, &f64)| {
            while up_to > 0 && value + self.columns[up_to - 1] > bound {
                up_to -= 1;
            }
            below = below.min(up_to);
            while below > 0 && value + self.columns[below - 1] >= bound {
                below -= 1;
            }
            let first = if self.triangle { row } else { 0 };
            [below.max(first), up_to.max(first)]
        };
        self.rows.iter().enumerate().map(step).collect()
    }
}

/// The sums that may still be the one that is looked for.
struct Left {
    /// Of each row, a range of columns.
    ranges: Vec<[usize; 2]>,
    /// How many they are, and how many are known to come before them.
    count: usize,
    below: usize,
}

impl Left {
    fn all(sums: &Sums) -> Self {
        let first = |row: usize| if sums.triangle { row } else { 0 };
        let ranges = (0..sums.rows.len()).map(|row| [first(row), sums.columns.len()]).collect();
        Self { ranges, count: sums.count(), below: 0 }
    }

    /// Leaves out the sums on the other side of `bound`, and `bound` itself; true if it is the sum of that rank.
    fn cut(&mut self, sums: &Sums, bound: f64, rank: usize) -> bool {
        let stairs = sums.stairs(bound);
        let columns_before = |range: &[usize; 2], to: usize| to.clamp(range[0], range[1]) - range[0];
        let before = |side: usize| -> usize {
            self.ranges.iter().zip(&stairs).map(|(range, stair)| columns_before(range, stair[side])).sum()
        };
        let (below, up_to) = (self.below + before(0), self.below + before(1));
        if below <= rank && rank < up_to {
            return true;
        }
        let lower = rank < below;
        for (range, stair) in self.ranges.iter_mut().zip(&stairs) {
            let [start, end] = *range;
            *range = if lower { [start, stair[0].clamp(start, end)] } else { [stair[1].clamp(start, end), end] };
        }
        (self.count, self.below) =
            if lower { (below - self.below, self.below) } else { (self.count + self.below - up_to, up_to) };
        false
    }

    /// Sums that are spread evenly over what is left, row by row, not at equal distances.
    fn sample(&self, sums: &Sums) -> Vec<f64> {
        let golden = (5f64.sqrt() - 1.0) / 2.0;
        let stride = self.count as f64 / SAMPLE as f64;
        let place = |index: usize| (stride * (index as f64 + (golden * index as f64).fract())) as usize;
        let (mut row, mut passed) = (0, 0);
        let mut next = |index: usize| {
            let place = place(index).min(self.count - 1);
            while place >= passed + self.ranges[row][1] - self.ranges[row][0] {
                passed += self.ranges[row][1] - self.ranges[row][0];
                row += 1;
            }
            sums.rows[row] + sums.columns[self.ranges[row][0] + place - passed]
        };
        (0..SAMPLE).map(&mut next).collect()
    }

    fn sums(&self, sums: &Sums) -> Vec<f64> {
        let row = |(value, [start, end]): (&f64, &[usize; 2])| {
            let value = *value;
            sums.columns[*start..*end].iter().map(move |column| value + column)
        };
        sums.rows.iter().zip(&self.ranges).flat_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::rank::sorted;
    use super::super::testing::{normals, seeded};
    use super::*;

    fn plain(sums: &Sums) -> Vec<f64> {
        let of = |(row, value): (usize, &f64)| {
            let value = *value;
            let first = if sums.triangle { row } else { 0 };
            sums.columns[first..].iter().map(move |column| value + column).collect::<Vec<f64>>()
        };
        sorted(&sums.rows.iter().enumerate().flat_map(of).collect::<Vec<f64>>())
    }

    #[test]
    fn a_hand_computed_case() {
        let sums = Sums::of(&[0.0, 1.0], &[10.0, 20.0, 30.0]);
        let found: Vec<f64> = (0..sums.count()).map(|rank| sums.at(rank)).collect();
        assert_eq!(found, [10.0, 11.0, 20.0, 21.0, 30.0, 31.0]);
        assert_eq!(sums.median(), 20.5);
        assert_eq!(Sums::of_pairs(&[1.0, 2.0, 4.0]).median(), 4.5, "of 2, 3, 4, 5, 6 and 8");
    }

    #[test]
    fn every_rank_is_that_of_all_sums_in_order() {
        let rng = &mut seeded(3);
        let rounded =
            |values: &[f64], by: f64| sorted(&values.iter().map(|x| (by * x).round() / by).collect::<Vec<f64>>());
        let (a, b) = (sorted(&normals(rng, 700)), sorted(&normals(rng, 431)));
        let (tied_a, tied_b) = (rounded(&a, 2.0), rounded(&b, 2.0));
        let (few_a, few_b) = (rounded(&a, 10.0), vec![0.5; 431]);
        let skewed: Vec<f64> = a.iter().map(|x| (3.0 * x).exp()).collect();
        for (rows, columns) in [(&a, &b), (&tied_a, &tied_b), (&few_a, &few_b), (&few_b, &few_b), (&skewed, &b)] {
            for sums in [Sums::of(rows, columns), Sums::of_pairs(rows)] {
                let expected = plain(&sums);
                assert_eq!(expected.len(), sums.count());
                let last = sums.count() - 1;
                for rank in (0..last).step_by(9973).chain([1, 2, last - 1, last]) {
                    assert_eq!(sums.at(rank), expected[rank], "{rank} of {last}");
                }
            }
        }
    }
}

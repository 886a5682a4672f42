//! Where the number of extreme draws falls below what a test needs, found by looking at ever fewer of them.

use super::Alternative;
use super::dual::Near;

/// Halvings of a bracket, and doublings of a distance: those of [`dual`](super::dual) for the same bracket.
const HALVINGS: usize = 48;
const DOUBLINGS: usize = 70;

/// A null that is drawn once and compared with the observed value at every shift.
pub(crate) trait Drawn {
    /// One draw.
    type Draw;

    /// All draws.
    fn drawn(&self) -> &[Self::Draw];

    /// The p-value if so many draws are extreme.
    fn p_of(&self, extreme: usize) -> f64;

    /// Whether a draw is at least as extreme as the observed value if the data are shifted down by `shift`.
    fn is_extreme(&self, shift: f64, alternative: Alternative) -> impl Fn(&Self::Draw) -> bool;

    /// The p-value if the data are shifted down by `shift`.
    fn p_at(&self, shift: f64, alternative: Alternative) -> f64 {
        let is_extreme = self.is_extreme(shift, alternative);
        self.p_of(self.drawn().iter().filter(|draw| is_extreme(draw)).count())
    }
}

/// Where the ends of an interval probably are. `step` is a first distance from `estimate`; shifts below the interval are
/// rejected against the first of `directions`, those above it against the second.
///
/// Most draws are extreme at both ends of a bracket, or at neither. They are taken to be the same between them, so that
/// halving looks at the others alone. Where that is wrong, [`dual::ends`](super::dual::ends) finds out.
pub(crate) fn near(
    drawn: &impl Drawn,
    estimate: f64,
    step: f64,
    directions: [Alternative; 2],
    rejects: impl Fn(f64) -> bool,
) -> Option<Near> {
    let kept = (0..=drawn.drawn().len()).take_while(|extreme| rejects(drawn.p_of(*extreme))).count();
    let low = bracket(drawn, [estimate, -step], kept, directions[0])?;
    let high = bracket(drawn, [estimate, step], kept, directions[1])?;
    let width = |[inside, outside]: [f64; 2]| (inside - outside).abs();
    Some(Near { brackets: [low, high], resolution: width(low).max(width(high)) })
}

/// The last shift found with at least `kept` extreme draws, and the first one with fewer.
fn bracket<D: Drawn>(
    drawn: &D,
    [mut inside, mut step]: [f64; 2],
    kept: usize,
    alternative: Alternative,
) -> Option<[f64; 2]> {
    let mut open: Vec<&D::Draw> = drawn.drawn().iter().collect();
    let is_kept = |shift: f64, open: &[&D::Draw], settled: usize| {
        let is_extreme = drawn.is_extreme(shift, alternative);
        settled + open.iter().filter(|draw| is_extreme(draw)).count() >= kept
    };
    let mut outside = inside + step;
    for _ in 0..DOUBLINGS {
        if !is_kept(outside, &open, 0) {
            break;
        }
        (inside, step) = (outside, 2.0 * step);
        outside = inside + step;
    }
    let mut settled = 0;
    for _ in 0..HALVINGS {
        let (at_inside, at_outside) = (drawn.is_extreme(inside, alternative), drawn.is_extreme(outside, alternative));
        open.retain(|draw| {
            let ends = [at_inside(draw), at_outside(draw)];
            settled += usize::from(ends == [true; 2]);
            ends[0] != ends[1]
        });
        let middle = f64::midpoint(inside, outside);
        if middle == inside || middle == outside {
            break;
        }
        *(if is_kept(middle, &open, settled) { &mut inside } else { &mut outside }) = middle;
    }
    outside.is_finite().then_some([inside, outside])
}

#[cfg(test)]
mod tests {
    use super::super::flips::Flips;
    use super::super::labels::{Labels, Scale};
    use super::super::testing::{assert_close, normals, seeded};
    use super::super::units;
    use super::*;
    use crate::hypothesis::data::Terms;

    fn terms(alternative: Alternative) -> Terms<'static> {
        Terms { alternative, alpha: 0.05, draws: 999, seed: 0, margin: None, groups: None, crossed: None }
    }

    /// The interval with a guess, and without one.
    fn both(drawn: &impl Drawn, estimate: f64, terms: &Terms) -> [(f64, f64); 2] {
        let p_value = |shift, alternative| drawn.p_at(shift, alternative);
        let guess = terms.near(drawn, estimate, 0.3);
        assert!(guess.is_some());
        [guess, None].map(|near| {
            let found = terms.dual_near(estimate, 0.3, near, "test", p_value).unwrap().unwrap();
            (found.low, found.high)
        })
    }

    #[test]
    fn the_guess_is_where_halving_all_draws_ends() {
        for (seed, alternative) in (0..10)
            .flat_map(|seed| [Alternative::Greater, Alternative::Less, Alternative::TwoSided].map(|way| (seed, way)))
        {
            let (a, b) = (normals(&mut seeded(seed), 14), normals(&mut seeded(seed + 50), 9));
            let terms = terms(alternative);
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            for scale in [Scale::Plain, Scale::Studentised] {
                let [near, far] = both(&Labels::of(&a, &b, scale, 499, 1), mean(&a) - mean(&b), &terms);
                assert_close(near.0, far.0, 1e-12);
                assert_close(near.1, far.1, 1e-12);
            }
            for values in [&a, &b] {
                let [near, far] = both(&Flips::of(&units::blocks(values, 499), 499, 1), mean(values), &terms);
                assert_close(near.0, far.0, 1e-12);
                assert_close(near.1, far.1, 1e-12);
            }
        }
    }

    #[test]
    fn it_looks_at_few_draws() {
        struct Counted<'a>(&'a Labels, std::cell::Cell<usize>);
        impl Drawn for Counted<'_> {
            type Draw = <Labels as Drawn>::Draw;
            fn drawn(&self) -> &[Self::Draw] {
                self.0.drawn()
            }
            fn p_of(&self, extreme: usize) -> f64 {
                self.0.p_of(extreme)
            }
            fn is_extreme(&self, shift: f64, alternative: Alternative) -> impl Fn(&Self::Draw) -> bool {
                let is_extreme = self.0.is_extreme(shift, alternative);
                move |draw| {
                    self.1.set(self.1.get() + 1);
                    is_extreme(draw)
                }
            }
        }
        let (a, b) = (normals(&mut seeded(1), 30), normals(&mut seeded(2), 30));
        let labels = Labels::of(&a, &b, Scale::Studentised, 999, 1);
        let counted = Counted(&labels, std::cell::Cell::new(0));
        let terms = terms(Alternative::TwoSided);
        terms.near(&counted, 0.0, 0.3).unwrap();
        let looks = counted.1.replace(0);
        terms.dual(0.0, 0.3, "test", |shift, alternative| counted.p_at(shift, alternative)).unwrap().unwrap();
        assert!(5 * looks < counted.1.get(), "{looks} of {}", counted.1.get());
    }
}

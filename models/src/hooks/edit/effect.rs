//! How much an edit changed. An edit that fired may still have changed nothing.

use burn::tensor::{Bool, Tensor};

use crate::device;
use crate::error::Result;
use crate::hooks::tensor::activation::Activation;

/// How much an edit changed, over all its firings in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effect {
    /// How many numbers differ after the edit.
    pub changed: f64,
    /// How many numbers there were.
    pub of: f64,
    /// Euclidean norm of the difference, over the numbers that are finite before and after.
    pub size: f64,
    /// Euclidean norm of the values before the edit, over the same numbers.
    pub before: f64,
}

impl Effect {
    /// Adds the effect of the same edit in another run.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            changed: self.changed + other.changed,
            of: self.of + other.of,
            size: self.size.hypot(other.size),
            before: self.before.hypot(other.before),
        }
    }

    /// Norm of the difference divided by the norm before; infinite if that was zero.
    pub fn relative(&self) -> f64 {
        if self.size == 0.0 { 0.0 } else { self.size / self.before }
    }

    /// Whether the edit changed no number, although some of them were not zero.
    pub fn changed_nothing(&self) -> bool {
        self.changed == 0.0 && self.before > 0.0
    }
}

/// An effect still on the device, `[3]`: numbers changed, sum of squared differences, sum of squares before.
#[derive(Debug)]
pub(in crate::hooks) struct Pending {
    sums: Tensor<1>,
    of: usize,
}

impl Pending {
    /// Compares a tensor with its edited version. Nothing is read from the device yet.
    pub(in crate::hooks) fn of(before: &Activation, after: &Activation) -> Result<Self> {
        let (before, after) = (before.detached().to_flat()?, after.detached().to_flat()?);
        let [of] = before.dims();
        let changed: Tensor<1, Bool> = before.clone().not_equal(after.clone());
        let infinite = before.clone().is_finite().bool_and(after.clone().is_finite()).bool_not();
        let difference = (after - before.clone()).mask_fill(infinite.clone(), 0.0);
        let before = before.mask_fill(infinite, 0.0);
        let squares = |x: Tensor<1>| (x.clone() * x).sum();
        let sums = Tensor::cat(vec![changed.float().sum(), squares(difference), squares(before)], 0);
        Ok(Self { sums, of })
    }
}

/// Reads the effects of each edit, summed over its firings.
pub(in crate::hooks) fn read(pending: Vec<Vec<Pending>>) -> Result<Vec<Effect>> {
    let sum = |firings: Vec<Pending>| {
        let mut effect = Effect::default();
        for firing in firings {
            let sums = device::read(firing.sums)?;
            effect.changed += f64::from(sums[0]);
            effect.of += firing.of as f64;
            effect.size += f64::from(sums[1]);
            effect.before += f64::from(sums[2]);
        }
        effect.size = effect.size.sqrt();
        effect.before = effect.before.sqrt();
        Ok(effect)
    };
    pending.into_iter().map(sum).collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn effect(before: &[f32], after: &[f32]) -> Effect {
        let of = |values: &[f32]| Activation::from_vec(values.to_vec(), &[values.len()], &Device::flex()).unwrap();
        read(vec![vec![Pending::of(&of(before), &of(after)).unwrap()]]).unwrap()[0]
    }

    #[test]
    fn by_hand() {
        let found = effect(&[3.0, 4.0, 1.0], &[0.0, 0.0, 1.0]);
        assert_eq!((found.changed, found.of, found.size), (2.0, 3.0, 5.0));
        assert!((found.relative() - 5.0 / 26f64.sqrt()).abs() < 1e-6);
        assert!(effect(&[1.0, 2.0], &[1.0, 2.0]).changed_nothing());
        assert!(!effect(&[0.0], &[0.0]).changed_nothing(), "zeros set to zero are a trivial input");
    }

    #[test]
    fn masked_scores_count_as_changed_but_add_no_size() {
        let found = effect(&[2.0, f32::NEG_INFINITY], &[f32::NEG_INFINITY, f32::NEG_INFINITY]);
        assert_eq!((found.changed, found.size), (1.0, 0.0));
        assert!(!found.changed_nothing());
    }
}

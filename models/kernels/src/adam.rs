//! One step of `AdamW` in one pass over a parameter.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use pulp::{Arch, Simd, WithSimd};

use crate::share::share;

/// Numbers that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// A step of `AdamW` (Loshchilov and Hutter, 2019). Every operation is rounded to single precision, none is fused with another.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Decay rates of the moments.
    pub betas: [f32; 2],
    /// What the gradient is multiplied by first.
    pub scale: f32,
    /// What the moments are divided by.
    pub corrections: [f32; 2],
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// What the parameter is multiplied by first.
    pub kept: f32,
    /// The learning rate.
    pub rate: f32,
}

impl AdamStep {
    /// Changes a parameter and its moments on all cores.
    ///
    /// # Panics
    ///
    /// If the slices differ in length.
    pub fn take(self, own: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        assert!([gradient.len(), first.len(), second.len()] == [own.len(); 3], "BUG: one of each");
        let moments = first.chunks_mut(CHUNK).zip(second.chunks_mut(CHUNK));
        let tasks = own.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK)).zip(moments);
        let tasks = tasks.map(|((own, gradient), (first, second))| One { step: self, own, gradient, first, second });
        share(tasks.collect(), |one| Arch::new().dispatch(one));
    }
}

/// A part of a parameter.
struct One<'a, 'g> {
    step: AdamStep,
    own: &'a mut [f32],
    gradient: &'g [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl WithSimd for One<'_, '_> {
    type Output = ();

    /// The loop becomes vectors of the instruction set that this is compiled for.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let AdamStep { betas: [beta_1, beta_2], scale, corrections, epsilon, kept, rate } = self.step;
        let [rest_1, rest_2] = [1.0 - beta_1, 1.0 - beta_2];
        let moments = self.first.iter_mut().zip(self.second);
        for ((own, gradient), (first, second)) in self.own.iter_mut().zip(self.gradient).zip(moments) {
            let gradient = gradient * scale;
            *first = *first * beta_1 + gradient * rest_1;
            *second = *second * beta_2 + gradient * gradient * rest_2;
            let step = (*first / corrections[0]) / ((*second / corrections[1]).sqrt() + epsilon);
            *own = *own * kept - step * rate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_by_hand_in_every_chunk() {
        let count = 2 * CHUNK + 3;
        let (mut own, gradient) = (vec![1.0; count], vec![4.0; count]);
        let (mut first, mut second) = (vec![0.0; count], vec![0.0; count]);
        let step =
            AdamStep { betas: [0.5, 0.75], scale: 0.5, corrections: [0.5, 0.25], epsilon: 2.0, kept: 0.5, rate: 0.25 };
        step.take(&mut own, &gradient, &mut first, &mut second);
        // The gradient is 2: moments 1 and 1, corrected 2 and 4, a step of 2 / (2 + 2).
        assert!(own.iter().all(|x| *x == 0.5 - 0.125) && first.iter().chain(&second).all(|x| *x == 1.0));
    }
}

//! How many passes a piece of code runs.

use std::cell::Cell;
use std::ops::Sub;

use burn::tensor::{Gradients, Tensor};
use serde::{Deserialize, Serialize};

/// Passes on one thread. A forward that starts or stops inside the model counts like a whole one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passes {
    /// Forward passes of a model.
    pub forwards: usize,
    /// Backward passes.
    pub backwards: usize,
}

impl Sub for Passes {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { forwards: self.forwards - other.forwards, backwards: self.backwards - other.backwards }
    }
}

thread_local! {
    /// All passes of this thread so far.
    static PASSES: Cell<Passes> = const { Cell::new(Passes { forwards: 0, backwards: 0 }) };
}

/// Runs `body` and counts its passes on this thread.
pub fn count_passes<R>(body: impl FnOnce() -> R) -> (R, Passes) {
    let before = PASSES.get();
    let found = body();
    (found, PASSES.get() - before)
}

/// Burn's gradients of a number `[1]`, as one counted backward pass.
pub fn backward(of: &Tensor<1>) -> Gradients {
    let before = PASSES.get();
    PASSES.set(Passes { backwards: before.backwards + 1, ..before });
    of.backward()
}

/// Counts a forward pass.
pub(crate) fn forward_begins() {
    let before = PASSES.get();
    PASSES.set(Passes { forwards: before.forwards + 1, ..before });
}

/// Says that the next pass goes on with the blocks of the last one, as one forward.
pub(crate) fn forward_goes_on() {
    let before = PASSES.get();
    PASSES.set(Passes { forwards: before.forwards.saturating_sub(1), ..before });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::Plan;
    use crate::model::{HookedAutoModel, RunOptions};
    use crate::transformer::TransformerConfig;

    #[test]
    fn whole_and_partial_forwards_and_each_backward_pass_count_once() {
        let model = HookedAutoModel::lively(&TransformerConfig::plain("test", 2, 12, 3, 20, 16), 1).unwrap();
        let ((), passes) = count_passes(|| {
            model.forward([1, 2, 3]).unwrap();
            let part = RunOptions::new().stop_at_layer(1);
            model.run_from([1, 2, 3], Plan::new().capture("blocks.0.resid_post"), None, &part).unwrap();
            let (_, inner) = count_passes(|| model.forward([4]).unwrap());
            assert_eq!(inner, Passes { forwards: 1, backwards: 0 });
            let outcome = model.run([1, 2], Plan::new().grad("embed")).unwrap();
            outcome.gradients(outcome.output.clone().sum()).unwrap();
        });
        assert_eq!(passes, Passes { forwards: 4, backwards: 1 });
        let (generated, passes) = count_passes(|| model.generate([1, 2], &crate::Generation::greedy(3)));
        assert!(generated.is_ok() && passes.forwards == 3, "{passes:?}");
    }
}

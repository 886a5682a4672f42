//! The operations as scopes: a closure gets the model, and nothing is left afterwards.
//!
//! The closure borrows a model of its own. The original is not touched, so there is nothing to restore when the closure
//! returns, fails or panics.

use arrakis_models::HookedTransformer;

use super::ModelSurgery;
use crate::error::Result;
use crate::tools::Layer;

impl ModelSurgery {
    /// Calls `body` with the model without these layers: [`ModelSurgery::delete_layers`].
    ///
    /// # Errors
    ///
    /// Those of the operation, and those of `body`.
    pub fn with_layers_deleted<T>(
        &self,
        layers: impl IntoIterator<Item = impl Into<Layer>>,
        body: impl FnOnce(&HookedTransformer) -> Result<T>,
    ) -> Result<T> {
        body(self.delete_layers(layers)?.model())
    }

    /// Calls `body` with the layers in this order: [`ModelSurgery::permute_layers`].
    ///
    /// # Errors
    ///
    /// Those of the operation, and those of `body`.
    pub fn with_layers_permuted<T>(
        &self,
        order: impl IntoIterator<Item = impl Into<Layer>>,
        body: impl FnOnce(&HookedTransformer) -> Result<T>,
    ) -> Result<T> {
        body(self.permute_layers(order)?.model())
    }

    /// Calls `body` with the model in which these layers run `times` times: [`ModelSurgery::repeat_layers`].
    ///
    /// # Errors
    ///
    /// Those of the operation, and those of `body`.
    pub fn with_layers_repeated<T>(
        &self,
        layers: impl IntoIterator<Item = impl Into<Layer>>,
        times: usize,
        body: impl FnOnce(&HookedTransformer) -> Result<T>,
    ) -> Result<T> {
        body(self.repeat_layers(layers, times)?.model())
    }

    /// Calls `body` with layers of another model in place of these: [`ModelSurgery::replace_layers`].
    ///
    /// # Errors
    ///
    /// Those of the operation, and those of `body`.
    pub fn with_layers_replaced<T>(
        &self,
        layers: impl IntoIterator<Item = impl Into<Layer>>,
        other: &HookedTransformer,
        by: impl IntoIterator<Item = impl Into<Layer>>,
        body: impl FnOnce(&HookedTransformer) -> Result<T>,
    ) -> Result<T> {
        body(self.replace_layers(layers, other, by)?.model())
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::error::Error;
    use crate::tools::Tool;
    use crate::tools::testing::fixture;
    use arrakis_models::device;

    fn logits(model: &HookedTransformer) -> Vec<u32> {
        device::read(model.forward([34, 17, 29]).unwrap()).unwrap().into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn a_scope_leaves_nothing_however_it_ends() {
        let model = fixture("gpt2");
        let (before, surgery) = (logits(&model), ModelSurgery::new(&model).unwrap());
        let fingerprint = model.fingerprint().unwrap();
        let inside = surgery.with_layers_deleted([1], |cut| Ok(logits(cut))).unwrap();
        assert_eq!(inside, logits(surgery.delete_layers([1]).unwrap().model()));
        let early = surgery.with_layers_permuted([2, 1, 0], |_| -> Result<()> {
            Err(Error::Value { of: "test", problem: "early".into() })
        });
        assert_eq!(early.unwrap_err().to_string(), "`test`: early");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            surgery.with_layers_repeated([0], 2, |outer| {
                ModelSurgery::new(outer)?.with_layers_replaced([0], &model, [2], |_| -> Result<()> { panic!("inside") })
            })
        }));
        assert!(panicked.is_err());
        assert_eq!((logits(&model), logits(surgery.model())), (before.clone(), before));
        assert_eq!(model.with_net(model.net().clone()).fingerprint().unwrap(), fingerprint);
    }
}

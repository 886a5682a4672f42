//! How `#[hooked]` tells a float tensor from any other value without type information.
//!
//! Method lookup prefers a type's own methods to those of traits. `Slot<Tensor<D>>` has its own, and every other slot those
//! of [`PassAny`].

use std::panic::Location;

use burn::tensor::{Float, Tensor};

use super::call::Call;
use super::current;

/// A value on its way through a site.
#[derive(Debug)]
pub struct Slot<T>(pub T);

/// A float tensor reports to the run, which may replace it.
impl<const D: usize> Slot<Tensor<D, Float>> {
    /// Passes the value through the site called `name` in the current scope.
    pub fn arrakis_pass(self, name: &'static str) -> Tensor<D, Float> {
        current::site(name, self.0)
    }

    /// The same, for a name that several `let`s bind: the run fails if one call binds two tensors to it.
    #[doc(hidden)]
    #[track_caller]
    pub fn arrakis_pass_once(self, name: &'static str, call: Call) -> Tensor<D, Float> {
        current::bind_once(name, call, Location::caller());
        current::site(name, self.0)
    }
}

/// Any other value passes unchanged.
pub trait PassAny {
    /// The value after the site.
    type Value;
    /// Returns the value.
    fn arrakis_pass(self, name: &'static str) -> Self::Value;
    /// Returns the value.
    #[doc(hidden)]
    fn arrakis_pass_once(self, name: &'static str, call: Call) -> Self::Value;
}

impl<T> PassAny for Slot<T> {
    type Value = T;
    fn arrakis_pass(self, _name: &'static str) -> T {
        self.0
    }
    fn arrakis_pass_once(self, _name: &'static str, _call: Call) -> T {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_a_tensor_passes_through() {
        let value = String::from("mask");
        assert_eq!(Slot(value).arrakis_pass("name"), "mask");
    }

    #[test]
    fn a_tensor_without_a_run_passes_through() {
        let tensor = Tensor::<1>::from_floats([1.0, 2.0], &burn::tensor::Device::flex());
        let passed = Slot(tensor).arrakis_pass("name");
        assert_eq!(crate::device::read(passed).unwrap(), [1.0, 2.0]);
    }
}

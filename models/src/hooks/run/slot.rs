//! How `#[hooked]` tells a float tensor from any other value without type information.
//!
//! Method lookup tries a receiver as it is before it tries a borrow of it. [`PassTensor`] is implemented for
//! `Slot<Tensor<D>>` and [`PassAny`] for `&mut Slot<T>`, so a tensor finds the first and every other value the second.

use burn::tensor::{Float, Tensor};

use super::current;

/// A value on its way through a site.
#[derive(Debug)]
pub struct Slot<T>(Option<T>);

impl<T> Slot<T> {
    /// Holds the value until it passes.
    pub fn new(value: T) -> Self {
        Self(Some(value))
    }

    fn take(&mut self) -> T {
        self.0.take().expect("BUG: a slot passes once")
    }
}

/// A float tensor reports to the run, which may replace it.
pub trait PassTensor {
    /// The value after the site.
    type Value;
    /// Passes the value through the site called `name` in the current scope.
    fn arrakis_pass(&mut self, name: &'static str) -> Self::Value;
}

impl<const D: usize> PassTensor for Slot<Tensor<D, Float>> {
    type Value = Tensor<D, Float>;
    fn arrakis_pass(&mut self, name: &'static str) -> Self::Value {
        current::site(name, self.take())
    }
}

/// Any other value passes unchanged.
pub trait PassAny {
    /// The value after the site.
    type Value;
    /// Returns the value.
    fn arrakis_pass(&mut self, name: &'static str) -> Self::Value;
}

impl<T> PassAny for &mut Slot<T> {
    type Value = T;
    fn arrakis_pass(&mut self, _name: &'static str) -> T {
        self.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_a_tensor_passes_through() {
        let value = String::from("mask");
        assert_eq!((&mut Slot::new(value)).arrakis_pass("name"), "mask");
    }

    #[test]
    fn a_tensor_without_a_run_passes_through() {
        let tensor = Tensor::<1>::from_floats([1.0, 2.0], &burn::tensor::Device::flex());
        let passed = Slot::new(tensor).arrakis_pass("name");
        assert_eq!(crate::device::read(passed).unwrap(), [1.0, 2.0]);
    }
}

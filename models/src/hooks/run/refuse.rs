//! What the compiler refuses about a variable that turns out to be a float tensor.
//!
//! `#[hooked]` knows names and no types. Where a tensor could not be a site, it calls a method whose bound no tensor meets;
//! for any other value the call finds [`AcceptAny`]. [`super::slot`] says how one is chosen.

use burn::tensor::{Float, Tensor};

use super::slot::Slot;

/// No tensor implements it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a tensor that is bound with `mut` is not a site: the site would hold its first value",
    label = "can change after it is bound",
    note = "list it in `#[hooked(skip(..))]` and bind its last value with a `let` of another name, or drop the `mut`"
)]
pub trait Unchanged {}

/// No tensor implements it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a tensor that gets its value after its `let` is not a site",
    label = "gets its value here",
    note = "write `let name = ..;` with the value, such as `let name = if ..`, or list it in `#[hooked(skip(..))]`"
)]
pub trait Initialised {}

/// No tensor implements it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a tensor that is bound in a loop is not a site: the site would mean one tensor per iteration",
    label = "bound in each iteration",
    note = "list it in `#[hooked(skip(..))]`, or bind it in a method of the module that is looped over"
)]
pub trait MetOnce {}

/// What an earlier variable of the same name is.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "two tensors are bound to one name: the site would mean both",
    label = "bound a second time",
    note = "rename one, or list the name in `#[hooked(skip(..))]`"
)]
pub trait OtherThanTensor {}

/// A float tensor.
#[doc(hidden)]
#[derive(Debug)]
pub struct IsTensor;

/// Anything else.
#[doc(hidden)]
#[derive(Debug)]
pub struct IsOther;

impl OtherThanTensor for IsOther {}

/// Whether a variable is a tensor, for the variables of the same name that follow. Holds no value.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Seen<K>(std::marker::PhantomData<K>);

impl<K> Seen<K> {
    /// Not yet known.
    pub const fn new() -> Self {
        Self(std::marker::PhantomData)
    }

    /// Fixes the type.
    pub const fn is(&self, _kind: &K) {}
}

/// Calls that do not compile for a float tensor.
#[doc(hidden)]
impl<const D: usize> Slot<&Tensor<D, Float>> {
    pub fn arrakis_kind(self) -> IsTensor {
        IsTensor
    }
    pub fn arrakis_mut(self)
    where
        Self: Unchanged,
    {
    }
    pub fn arrakis_later(self)
    where
        Self: Initialised,
    {
    }
    pub fn arrakis_in_loop(self)
    where
        Self: MetOnce,
    {
    }
    pub fn arrakis_again<K: OtherThanTensor>(self, _earlier: &Seen<K>) {}
}

/// The same calls for any other value.
#[doc(hidden)]
pub trait AcceptAny: Sized {
    fn arrakis_kind(self) -> IsOther {
        IsOther
    }
    fn arrakis_mut(self) {}
    fn arrakis_later(self) {}
    fn arrakis_in_loop(self) {}
    fn arrakis_again<K>(self, _earlier: &Seen<K>) {}
}

impl<T: ?Sized> AcceptAny for Slot<&T> {}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int};

    use super::*;

    #[test]
    fn only_a_float_tensor_is_told_apart() {
        let device = Device::flex();
        let (float, int) = (Tensor::<1>::zeros([1], &device), Tensor::<1, Int>::zeros([1], &device));
        let seen = Seen::new();
        seen.is(&Slot(&float).arrakis_kind());
        let _: Seen<IsTensor> = seen;
        let seen = Seen::new();
        seen.is(&Slot(&int).arrakis_kind());
        Slot(&float).arrakis_again(&seen);
        Slot("text").arrakis_mut();
        Slot(&vec![float]).arrakis_in_loop();
        let _: Seen<IsOther> = seen;
    }
}

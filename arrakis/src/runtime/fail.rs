//! How our own errors leave a function with any return type.

use std::marker::PhantomData;

use crate::error::Error;

/// Stands for the return type `R`.
pub struct Fail<R>(PhantomData<fn() -> R>);

impl<R> Fail<R> {
    /// The error on its way out of a function that returns `R`.
    pub(super) fn with(error: Error) -> (Self, Error) {
        (Self(PhantomData), error)
    }
}

/// As the error of a `Result`, if our error converts into it.
pub trait FailByResult {
    /// The return type.
    type Output;
    /// The error, converted.
    fn arrakis_fail(&self, error: Error) -> Self::Output;
}

impl<T, E: From<Error>> FailByResult for &Fail<Result<T, E>> {
    type Output = Result<T, E>;
    fn arrakis_fail(&self, error: Error) -> Result<T, E> {
        Err(error.into())
    }
}

/// As a panic with the error's message, if the return type cannot hold the error.
pub trait FailByPanic {
    /// The return type.
    type Output;
    /// Panics.
    fn arrakis_fail(&self, error: Error) -> Self::Output;
}

impl<R> FailByPanic for Fail<R> {
    type Output = R;
    #[track_caller]
    fn arrakis_fail(&self, error: Error) -> R {
        panic!("{error}")
    }
}

//! What `#[test_hypothesis]` generates: the null, the measurement and the test.

use std::cell::RefCell;

use super::describe::Seen;
use super::held::{BenchSource, Held};
use crate::bench::Bench;
use crate::error::{Error, Result};
use crate::experiment::Outcome;
use crate::hypothesis::{IntoSample, Null, Number as _, Sample, Verdict, with_numbers};

/// A null that needs its bench.
pub struct NullMaker<'a> {
    pub(super) make: Box<dyn FnOnce(&'a Bench) -> Result<Null<'a>> + 'a>,
}

/// A number, a sample, or a function of bench and seed.
///
/// `How` separates the impls for values and for functions. It is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a null",
    label = "give a number, a `Vec` of numbers, or `|bench, seed| ..`"
)]
pub trait IntoNull<'a, How> {
    /// The null on this bench.
    ///
    /// # Errors
    ///
    /// As [`Sample::new`].
    fn into_null(self, bench: &'a Bench) -> Result<Null<'a>>;
}

macro_rules! samples {
    ($($type:ty),*) => {$(
        impl<'a> IntoNull<'a, Sample> for $type {
            fn into_null(self, _bench: &'a Bench) -> Result<Null<'a>> {
                self.into_sample().map(Null::Sample)
            }
        }
    )*};
}

samples!(Sample);

/// A number is a null, several are one, and a number is a draw.
macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl<'a> IntoNull<'a, f64> for $number {
            fn into_null(self, _bench: &'a Bench) -> Result<Null<'a>> {
                Ok(Null::Value(self.number()))
            }
        }

        samples!(Vec<$number>, &Vec<$number>, &[$number]);

        impl<'a, const N: usize> IntoNull<'a, Sample> for [$number; N] {
            fn into_null(self, _bench: &'a Bench) -> Result<Null<'a>> {
                self.into_sample().map(Null::Sample)
            }
        }

        impl Draw for $number {
            fn draw(self) -> Result<f64> {
                Ok(self.number())
            }
        }
    )*};
}

with_numbers!(numbers);

impl<'a, F, D: Draw> IntoNull<'a, (D,)> for F
where
    F: FnMut(&Bench, u64) -> D + 'a,
{
    fn into_null(mut self, bench: &'a Bench) -> Result<Null<'a>> {
        Ok(Null::Draws(Box::new(move |seed| self(bench, seed).draw())))
    }
}

/// The result of one draw of the null.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a draw of a null",
    label = "return a number, or `arrakis::Result` of one"
)]
pub trait Draw {
    /// The value drawn.
    ///
    /// # Errors
    ///
    /// An error if the measurement failed.
    fn draw(self) -> Result<f64>;
}

impl<D: Draw> Draw for Result<D, Error> {
    fn draw(self) -> Result<f64> {
        self?.draw()
    }
}

/// A null that is a number, a sample, or a named function.
pub fn null<'a, How>(value: impl IntoNull<'a, How> + 'a) -> NullMaker<'a> {
    NullMaker { make: Box::new(|bench| value.into_null(bench)) }
}

/// A null that a closure draws. The bound gives the closure its argument types.
pub fn draws<'a, D: Draw + 'a>(draw: impl FnMut(&Bench, u64) -> D + 'a) -> NullMaker<'a> {
    null(draw)
}

/// A result that is itself a number or a sample.
///
/// # Errors
///
/// As [`Sample::new`].
pub fn measure<T: IntoSample + Clone>(value: &T) -> Result<Sample> {
    value.clone().into_sample()
}

/// The result, measured by `statistic = ..`.
///
/// # Errors
///
/// As [`Sample::new`].
pub fn measure_by<T, S: IntoSample>(value: &T, statistic: impl FnOnce(&T) -> S) -> Result<Sample> {
    statistic(value).into_sample()
}

thread_local! {
    static LAST: RefCell<Option<Verdict>> = const { RefCell::new(None) };
}

/// Keeps a verdict for the generated test, which reads it after the call.
pub(super) fn keep(verdict: &Verdict) {
    LAST.with_borrow_mut(|last| *last = Some(verdict.clone()));
}

/// Calls the function and fails if its claim does not hold. Prints the verdict in both cases.
///
/// # Panics
///
/// If the claim does not hold, or the function fails.
pub fn assert_holds(name: &str, bench: impl BenchSource, call: impl FnOnce(&Bench) -> Seen) {
    LAST.take();
    let held = Held::of(bench);
    let bench = held.lend().unwrap_or_else(|error| panic!("`{name}` has no bench: {error}"));
    if let Outcome::Error(message) = call(bench).outcome {
        panic!("`{name}` failed: {message}");
    }
    let verdict = LAST.take().unwrap_or_else(|| panic!("`{name}` reached no verdict"));
    println!("{verdict}");
    assert!(verdict.holds, "the claim of `{name}` does not hold\n{verdict}");
}

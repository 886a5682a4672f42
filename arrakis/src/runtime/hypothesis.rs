//! What `#[test_hypothesis]` generates: the null, the measurement and the test.

use std::cell::RefCell;

use crate::bench::Bench;
use crate::error::{Error, Result};
use crate::hypothesis::{IntoSample, Null, Number as _, Sample, Verdict, with_numbers};

/// What the result of a call is compared with. `D` draws it, if it is drawn.
pub enum Against<D> {
    /// A number.
    Value(f64),
    /// A sample.
    Sample(Sample),
    /// A function of bench and seed.
    Draws(D),
}

impl<D: DrawNull> Against<D> {
    /// The null on this bench.
    pub(super) fn on<'a>(self, bench: &'a Bench) -> Null<'a>
    where
        D: 'a,
    {
        match self {
            Self::Value(value) => Null::Value(value),
            Self::Sample(sample) => Null::Sample(sample),
            Self::Draws(mut draws) => Null::Draws(Box::new(move |seed| draws.draw_null(bench, seed))),
        }
    }
}

/// A null that is drawn.
pub trait DrawNull {
    /// The value under the null for a seed.
    ///
    /// # Errors
    ///
    /// An error if the measurement failed.
    fn draw_null(&mut self, bench: &Bench, seed: u64) -> Result<f64>;
}

/// What draws a number or a sample: nothing.
pub enum NoNull {}

impl DrawNull for NoNull {
    fn draw_null(&mut self, _bench: &Bench, _seed: u64) -> Result<f64> {
        match *self {}
    }
}

/// A closure of the attribute. It is not boxed, so that a call is `Send` if the closure is.
pub struct Drawn<F>(F);

impl<F: FnMut(&Bench, u64) -> D, D: Draw> DrawNull for Drawn<F> {
    fn draw_null(&mut self, bench: &Bench, seed: u64) -> Result<f64> {
        (self.0)(bench, seed).draw()
    }
}

/// A function that is named. With this type, what is not a null is one error.
pub type BoxedDraws<'a> = Box<dyn FnMut(&Bench, u64) -> Result<f64> + Send + 'a>;

impl DrawNull for BoxedDraws<'_> {
    fn draw_null(&mut self, bench: &Bench, seed: u64) -> Result<f64> {
        self(bench, seed)
    }
}

/// A number, a sample, or a function of bench and seed.
///
/// `How` separates the impls for values and for functions. It is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a null",
    label = "give a number, a `Vec` of numbers, or `|bench, seed| ..`"
)]
pub trait IntoNull<'a, How> {
    /// The null.
    ///
    /// # Errors
    ///
    /// As [`Sample::new`].
    fn into_null(self) -> Result<Against<BoxedDraws<'a>>>;
}

macro_rules! samples {
    ($($type:ty),*) => {$(
        impl<'a> IntoNull<'a, Sample> for $type {
            fn into_null(self) -> Result<Against<BoxedDraws<'a>>> {
                self.into_sample().map(Against::Sample)
            }
        }
    )*};
}

samples!(Sample);

/// A number is a null, several are one, and a number is a draw.
macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl<'a> IntoNull<'a, f64> for $number {
            fn into_null(self) -> Result<Against<BoxedDraws<'a>>> {
                Ok(Against::Value(self.number()))
            }
        }

        samples!(Vec<$number>, &Vec<$number>, &[$number]);

        impl<'a, const N: usize> IntoNull<'a, Sample> for [$number; N] {
            fn into_null(self) -> Result<Against<BoxedDraws<'a>>> {
                self.into_sample().map(Against::Sample)
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

impl<'a, F: FnMut(&Bench, u64) -> D + Send + 'a, D: Draw> IntoNull<'a, (D,)> for F {
    fn into_null(mut self) -> Result<Against<BoxedDraws<'a>>> {
        Ok(Against::Draws(Box::new(move |bench, seed| self(bench, seed).draw())))
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

/// A null that is a number, a sample, or a named function, with the words for it.
pub fn null<'a, How>(
    words: &'static str,
    value: impl IntoNull<'a, How>,
) -> (&'static str, Result<Against<BoxedDraws<'a>>>) {
    (words, value.into_null())
}

/// A null that a closure draws. The bound gives the closure its argument types.
pub fn draws<F: FnMut(&Bench, u64) -> D, D: Draw>(draw: F) -> (&'static str, Result<Against<Drawn<F>>>) {
    ("draws of the null", Ok(Against::Draws(Drawn(draw))))
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

/// The verdict of a call. `name` is the function, for messages.
pub(super) fn judged(
    name: &str,
    bench: &Bench,
    call: impl FnOnce(&Bench) -> Result<(), String>,
) -> Result<Verdict, String> {
    LAST.take();
    call(bench).map_err(|message| format!("`{name}` failed: {message}"))?;
    LAST.take().ok_or_else(|| format!("`{name}` reached no verdict"))
}

//! The outcome of a call: its value or error, and the sample that a claim is about.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};

use super::show::{Probe, Shown};
use crate::error::Result;
use crate::experiment::Outcome;
use crate::experiment::json::Blobs;
use crate::hypothesis::Sample;

/// A `Result` is its value or its error.
pub trait SplitResult<'a> {
    /// The type of a success.
    type Value;
    /// The type of a failure.
    type Error;
    /// Splits it into one of the two.
    fn arrakis_split(&self) -> Result<&'a Self::Value, &'a Self::Error>;
}

impl<'a, T, E> SplitResult<'a> for &Probe<'a, Result<T, E>> {
    type Value = T;
    type Error = E;
    fn arrakis_split(&self) -> Result<&'a T, &'a E> {
        self.0.as_ref()
    }
}

/// Any other value is a success.
pub trait SplitPlain<'a> {
    /// The type of a success.
    type Value;
    /// Returns the value.
    fn arrakis_split(&self) -> Result<&'a Self::Value, &'a Infallible>;
}

impl<'a, T> SplitPlain<'a> for Probe<'a, T> {
    type Value = T;
    fn arrakis_split(&self) -> Result<&'a T, &'a Infallible> {
        Ok(self.0)
    }
}

/// An error's message, with the messages of its causes that it does not repeat.
pub trait DisplayMessage {
    /// The message.
    fn arrakis_message(&self) -> String;
}

impl<T: Display> DisplayMessage for &&Probe<'_, T> {
    fn arrakis_message(&self) -> String {
        self.0.to_string()
    }
}

/// An error without a message.
pub trait DebugMessage {
    /// Its debug text.
    fn arrakis_message(&self) -> String;
}

impl<T: Debug> DebugMessage for &Probe<'_, T> {
    fn arrakis_message(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// An error without message and debug text.
pub trait OpaqueMessage {
    /// Its type.
    fn arrakis_message(&self) -> String;
}

impl<T> OpaqueMessage for Probe<'_, T> {
    fn arrakis_message(&self) -> String {
        format!("an error of type `{}`", std::any::type_name::<T>())
    }
}

/// The outcome of a call.
#[derive(Debug)]
pub struct Seen {
    pub(super) outcome: Outcome,
    pub(super) sample: Option<Result<Sample>>,
    /// The large arrays of the outcome.
    pub(super) blobs: Blobs,
}

impl Seen {
    /// A success, as JSON.
    pub fn value(shown: Shown) -> Self {
        Self { outcome: Outcome::Ok(shown.value), sample: None, blobs: shown.blobs }
    }

    /// A failure, as its message.
    pub fn error(message: String) -> Self {
        Self { outcome: Outcome::Error(message), sample: None, blobs: Blobs::default() }
    }

    /// Adds the sample that the claim is about.
    #[must_use]
    pub fn measured(self, sample: Result<Sample>) -> Self {
        Self { sample: Some(sample), ..self }
    }
}

/// The message of a panic.
pub(super) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
}

/// A chain of causes in one line.
pub(super) fn with_causes(error: &dyn StdError) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = next.source();
    }
    message
}

/// Describes a call's result, and measures it if a claim is about it.
#[doc(hidden)]
#[macro_export]
macro_rules! __see {
    ($value:expr) => { $crate::__see!(@ $value, seen, _value, seen) };
    ($value:expr, measured) => { $crate::__see!(@ $value, seen, value, seen.measured($crate::__private::measure(value))) };
    ($value:expr, by $statistic:expr) => { $crate::__see!(@ $value, seen, value, seen.measured($crate::__private::measure_by(value, $statistic))) };
    (@ $value:expr, $seen:ident, $held:ident, $finish:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{DebugMessage as _, DisplayMessage as _, OpaqueMessage as _, SplitPlain as _, SplitResult as _};
        match (&&$crate::__private::Probe($value)).arrakis_split() {
            ::core::result::Result::Ok($held) => {
                let $seen = $crate::__private::Seen::value($crate::__show!($held));
                $finish
            }
            ::core::result::Result::Err(error) => $crate::__private::Seen::error((&&&$crate::__private::Probe(error)).arrakis_message()),
        }
    }};
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::Value;

    use super::*;

    #[derive(Serialize)]
    struct Kept {
        score: f64,
    }

    struct Opaque;

    #[test]
    fn results_split_and_everything_else_is_a_success() {
        let good: Result<u8, Opaque> = Ok(3);
        let bad: Result<Opaque, String> = Err("no".into());
        let silent: Result<u8, Opaque> = Err(Opaque);
        assert_eq!(__see!(&good).outcome, Outcome::Ok(3.into()));
        assert_eq!(__see!(&bad).outcome, Outcome::Error("no".into()));
        assert!(matches!(__see!(&silent).outcome, Outcome::Error(message) if message.ends_with("Opaque`")));
        assert_eq!(__see!(&()).outcome, Outcome::Ok(Value::Null));
    }

    #[test]
    fn a_measured_result_has_its_sample() {
        let result: Result<Kept> = Ok(Kept { score: 0.5 });
        let seen = __see!(&result, by | kept | kept.score);
        assert_eq!(seen.sample.unwrap().unwrap().values(), [0.5]);
        assert_eq!(__see!(&vec![1.0, 2.0], measured).sample.unwrap().unwrap().n(), 2);
    }
}

//! How a value of any type is written down: by `Serialize`, else `Debug`, else its type's name.
//!
//! Method lookup removes one `&` at a time, so in `(&&&Probe(x)).show()` the impl for `&&Probe` is tried
//! before the one for `&Probe` and that before the one for `Probe`. The bounds of each impl decide where
//! lookup stops; a value of a generic type has the bounds its function writes.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::experiment::{Outcome, json as lossless};
use crate::hypothesis::Sample;

/// A value to be written down.
pub struct Probe<'a, T>(pub &'a T);

/// By `Serialize`.
pub trait ShowSerialize {
    /// The value as JSON.
    fn show(&self) -> Value;
}

impl<T: Serialize> ShowSerialize for &&Probe<'_, T> {
    fn show(&self) -> Value {
        lossless::to_value(self.0)
            .unwrap_or_else(|error| json!({"type": std::any::type_name::<T>(), "problem": error.to_string()}))
    }
}

/// By `Debug`.
pub trait ShowDebug {
    /// The value's type and debug text.
    fn show(&self) -> Value;
}

impl<T: Debug> ShowDebug for &Probe<'_, T> {
    fn show(&self) -> Value {
        json!({"type": std::any::type_name::<T>(), "debug": format!("{:?}", self.0)})
    }
}

/// By the type alone.
pub trait ShowType {
    /// The value's type.
    fn show(&self) -> Value;
}

impl<T> ShowType for Probe<'_, T> {
    fn show(&self) -> Value {
        json!({"type": std::any::type_name::<T>(), "opaque": true})
    }
}

/// A `Result` is its value or its error.
pub trait SplitResult<'a> {
    /// What a success holds.
    type Value;
    /// What a failure holds.
    type Error;
    /// Which it is.
    fn split(&self) -> Result<&'a Self::Value, &'a Self::Error>;
}

impl<'a, T, E> SplitResult<'a> for &Probe<'a, Result<T, E>> {
    type Value = T;
    type Error = E;
    fn split(&self) -> Result<&'a T, &'a E> {
        self.0.as_ref()
    }
}

/// Any other value is a success.
pub trait SplitPlain<'a> {
    /// What a success holds.
    type Value;
    /// The value.
    fn split(&self) -> Result<&'a Self::Value, &'a Infallible>;
}

impl<'a, T> SplitPlain<'a> for Probe<'a, T> {
    type Value = T;
    fn split(&self) -> Result<&'a T, &'a Infallible> {
        Ok(self.0)
    }
}

/// An error's message and those of its causes that it does not repeat.
pub trait DisplayMessage {
    /// The message.
    fn message(&self) -> String;
}

impl<T: Display> DisplayMessage for &&Probe<'_, T> {
    fn message(&self) -> String {
        self.0.to_string()
    }
}

/// An error without a message.
pub trait DebugMessage {
    /// Its debug text.
    fn message(&self) -> String;
}

impl<T: Debug> DebugMessage for &Probe<'_, T> {
    fn message(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// An error that says nothing.
pub trait OpaqueMessage {
    /// Its type.
    fn message(&self) -> String;
}

impl<T> OpaqueMessage for Probe<'_, T> {
    fn message(&self) -> String {
        format!("an error of type `{}`", std::any::type_name::<T>())
    }
}

/// What a call came to.
#[derive(Debug)]
pub struct Seen {
    pub(super) outcome: Outcome,
    pub(super) sample: Option<Result<Sample>>,
}

impl Seen {
    /// A success, as JSON.
    pub fn value(value: Value) -> Self {
        Self { outcome: Outcome::Ok(value), sample: None }
    }

    /// A failure, as its message.
    pub fn error(message: String) -> Self {
        Self { outcome: Outcome::Error(message), sample: None }
    }

    /// With what the claim is about.
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

/// Writes a value down.
#[doc(hidden)]
#[macro_export]
macro_rules! __show {
    ($value:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{ShowDebug as _, ShowSerialize as _, ShowType as _};
        (&&&$crate::__private::Probe($value)).show()
    }};
}

/// Writes a call's result down; measures it where a claim is about it.
#[doc(hidden)]
#[macro_export]
macro_rules! __see {
    ($value:expr) => { $crate::__see!(@ $value, seen, _value, seen) };
    ($value:expr, measured) => { $crate::__see!(@ $value, seen, value, seen.measured($crate::__private::measure(value))) };
    ($value:expr, by $statistic:expr) => { $crate::__see!(@ $value, seen, value, seen.measured($crate::__private::measure_by(value, $statistic))) };
    (@ $value:expr, $seen:ident, $held:ident, $finish:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{DebugMessage as _, DisplayMessage as _, OpaqueMessage as _, SplitPlain as _, SplitResult as _};
        match (&&$crate::__private::Probe($value)).split() {
            ::core::result::Result::Ok($held) => {
                let $seen = $crate::__private::Seen::value($crate::__show!($held));
                $finish
            }
            ::core::result::Result::Err(error) => $crate::__private::Seen::error((&&&$crate::__private::Probe(error)).message()),
        }
    }};
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    struct Kept {
        score: f64,
    }

    #[derive(Debug)]
    struct Printed(#[allow(dead_code, reason = "read by Debug")] u8);

    struct Opaque;

    #[test]
    fn the_best_way_to_write_a_value_is_found() {
        assert_eq!(__show!(&Kept { score: f64::NAN }).to_string(), r#"{"score":{"$float":"NaN"}}"#);
        assert_eq!(__show!(&Printed(3))["debug"], "Printed(3)");
        assert_eq!(__show!(&Opaque)["opaque"], true);
        assert_eq!(__show!(&"text"), "text");
    }

    #[test]
    fn a_generic_value_is_written_by_its_bounds() {
        fn bounded<T: Serialize>(value: &T) -> Value {
            __show!(value)
        }
        fn unbounded<T>(value: &T) -> Value {
            __show!(value)
        }
        assert_eq!(bounded(&3), 3);
        assert_eq!(unbounded(&3)["type"], "i32");
    }

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

//! The outcome of a call: its value or error, and the sample that a claim is about.
//!
//! Method lookup chooses as in [`show`](super::show).

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::ops::Deref;

use super::show::{Probe, Shown};
use crate::error::Result;
use crate::experiment::Outcome;
use crate::experiment::json::Blobs;
use crate::hypothesis::Sample;

/// A `Result` is its value or its error.
pub trait SplitResult<'a> {
    /// The type of a success.
    type Value: 'a;
    /// The type of a failure.
    type Error: 'a;
    /// Describes the one that it is.
    fn arrakis_split<S>(
        &self,
        success: impl FnOnce(&'a Self::Value) -> S,
        failure: impl FnOnce(&'a Self::Error) -> String,
    ) -> Described<S>;
}

impl<'a, T, E> SplitResult<'a> for &Probe<'a, Result<T, E>> {
    type Value = T;
    type Error = E;
    fn arrakis_split<S>(
        &self,
        success: impl FnOnce(&'a T) -> S,
        failure: impl FnOnce(&'a E) -> String,
    ) -> Described<S> {
        match self.0 {
            Ok(value) => Ok(success(value)),
            Err(error) => Err(failure(error)),
        }
    }
}

/// Any other value is a success.
pub trait SplitPlain<'a> {
    /// The type of a success.
    type Value: 'a;
    /// Describes the value.
    fn arrakis_split<S>(
        &self,
        success: impl FnOnce(&'a Self::Value) -> S,
        failure: impl FnOnce(&'a Infallible) -> String,
    ) -> Described<S>;
}

impl<'a, T> SplitPlain<'a> for Probe<'a, T> {
    type Value = T;
    fn arrakis_split<S>(
        &self,
        success: impl FnOnce(&'a T) -> S,
        _failure: impl FnOnce(&'a Infallible) -> String,
    ) -> Described<S> {
        Ok(success(self.0))
    }
}

/// An error's message, with the messages of its causes that it does not repeat.
pub trait ErrorMessage {
    /// The message.
    fn arrakis_message(&self) -> String;
}

impl<T: StdError> ErrorMessage for &&&&Probe<'_, T> {
    fn arrakis_message(&self) -> String {
        with_causes(self.0)
    }
}

/// A pointer to an error, such as `Box<dyn Error>`.
pub trait PointerMessage {
    /// The message of the error, with its causes.
    fn arrakis_message(&self) -> String;
}

impl<T: Deref<Target: StdError>> PointerMessage for &&&Probe<'_, T> {
    fn arrakis_message(&self) -> String {
        with_causes(&**self.0)
    }
}

/// A text.
pub trait DisplayMessage {
    /// The text.
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

/// A success, or the message of a failure.
pub type Described<S> = std::result::Result<S, String>;

/// The outcome of a call, with the sample that its claim is about.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) outcome: Outcome,
    pub(super) sample: Option<Result<Sample>>,
    /// The large arrays of the outcome.
    pub(super) blobs: Blobs,
}

impl Seen {
    pub(super) fn of(described: Described<impl Success>) -> Self {
        let failed = |message| Self { outcome: Outcome::Error(message), sample: None, blobs: Blobs::default() };
        described.map_or_else(failed, |success| {
            let (shown, sample) = success.parts();
            Self { outcome: Outcome::Ok(shown.value), sample, blobs: shown.blobs }
        })
    }
}

/// A result as JSON, with or without its sample.
pub trait Success {
    /// Both.
    fn parts(self) -> (Shown, Option<Result<Sample>>);
}

impl Success for Shown {
    fn parts(self) -> (Shown, Option<Result<Sample>>) {
        (self, None)
    }
}

impl Success for (Shown, Result<Sample>) {
    fn parts(self) -> (Shown, Option<Result<Sample>>) {
        (self.0, Some(self.1))
    }
}

/// A chain of causes in one line.
pub(super) fn with_causes<E: StdError + ?Sized>(error: &E) -> String {
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

#[cfg(test)]
mod tests {
    use std::num::ParseIntError;

    use serde_json::Value;

    use super::*;
    use crate::__private::traits::*;

    struct Opaque;

    #[derive(Debug)]
    struct Caused(ParseIntError);

    impl Display for Caused {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bad layer")
        }
    }

    impl StdError for Caused {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    macro_rules! described {
        ($value:expr) => {
            (&&Probe(&$value)).arrakis_split(
                |value| (&&&&&&Probe(value)).arrakis_shown(),
                |error| (&&&&&Probe(error)).arrakis_message(),
            )
        };
    }

    #[test]
    fn results_split_and_everything_else_is_a_success() {
        let good: Result<u8, Opaque> = Ok(3);
        let silent: Result<u8, Opaque> = Err(Opaque);
        assert_eq!(Seen::of(described!(good)).outcome, Outcome::Ok(3.into()));
        assert!(described!(silent).unwrap_err().ends_with("Opaque`"));
        assert_eq!(Seen::of(described!(())).outcome, Outcome::Ok(Value::Null));
    }

    #[test]
    fn an_error_keeps_its_causes_behind_any_pointer() {
        let error = || Caused("x".parse::<u8>().unwrap_err());
        let causes = Err("bad layer: invalid digit found in string".to_owned());
        let plain: Result<Opaque, Caused> = Err(error());
        let boxed: Result<Opaque, Box<dyn StdError>> = Err(Box::new(error()));
        let sent: Result<Opaque, Box<dyn StdError + Send + Sync>> = Err(Box::new(error()));
        let text: Result<Opaque, String> = Err("no".into());
        let debug: Result<Opaque, [u8; 1]> = Err([3]);
        assert_eq!(described!(plain).map(|_| ()), causes);
        assert_eq!(described!(boxed).map(|_| ()), causes);
        assert_eq!(described!(sent).map(|_| ()), causes);
        assert_eq!(described!(text).map(|_| ()), Err("no".into()));
        assert_eq!(described!(debug).map(|_| ()), Err("[3]".into()));
    }
}

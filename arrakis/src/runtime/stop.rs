//! What ends a call early: an error of ours or a panic.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::describe::with_causes;
use crate::error::Error;
use crate::experiment::Outcome;

/// An error, or a panic that goes on once it is recorded.
pub(super) enum Stop {
    Error(Error),
    Panic(Box<dyn Any + Send>),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Stop {
    pub(super) fn message(&self) -> String {
        match self {
            Self::Error(error) => with_causes(error),
            Self::Panic(payload) => panic_message(&**payload),
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Error(_) => Outcome::Error(self.message()),
            Self::Panic(_) => Outcome::Panic(self.message()),
        }
    }

    /// The error. A panic goes on.
    pub(super) fn go_on(self) -> Error {
        match self {
            Self::Error(error) => error,
            Self::Panic(payload) => resume_unwind(payload),
        }
    }
}

/// The value of `of`, or its panic. Little of it is compiled again for each experiment.
pub(super) fn caught<T>(of: impl FnOnce() -> T) -> Result<T, Stop> {
    let (mut of, mut value) = (Some(of), None);
    catch(&mut || value = of.take().map(|of| of()))?;
    Ok(value.expect("BUG: what does not panic has a value"))
}

/// Runs a step, and catches its panic.
pub(super) fn catch(step: &mut dyn FnMut()) -> Result<(), Stop> {
    catch_unwind(AssertUnwindSafe(step)).map_err(Stop::Panic)
}

/// The message of a panic.
fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
}

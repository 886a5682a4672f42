//! The bench of a call, from the argument or from the value of `bench = ..`.

use std::sync::Arc;

use crate::bench::Bench;
use crate::error::{Error, Result};

/// Any value that can be given as `bench = ..`.
///
/// A call holds a clone of the bench, not a borrow: its body may change or move what the bench is in.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a bench",
    label = "give a `Bench`, `&Bench`, `Arc<Bench>`, or a `Result` of one"
)]
pub trait BenchSource {
    /// The bench, if there is one.
    ///
    /// # Errors
    ///
    /// The reason why there is none.
    fn hold(self) -> Result<Bench>;
}

impl BenchSource for Bench {
    fn hold(self) -> Result<Bench> {
        Ok(self)
    }
}

impl BenchSource for &Bench {
    fn hold(self) -> Result<Bench> {
        Ok(self.clone())
    }
}

impl BenchSource for Arc<Bench> {
    fn hold(self) -> Result<Bench> {
        Ok(Bench::clone(&self))
    }
}

impl<S: BenchSource, E: Into<Error>> BenchSource for Result<S, E> {
    fn hold(self) -> Result<Bench> {
        self.map_err(Into::into)?.hold()
    }
}

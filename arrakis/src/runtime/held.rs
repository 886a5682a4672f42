//! The bench of a call, from the value of `bench = ..`.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::sync::Arc;

use crate::bench::Bench;
use crate::error::{Error, Result};

/// Any value that can be given as `bench = ..`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a bench",
    label = "give a `Bench`, `&Bench`, `Arc<Bench>`, or a `Result` of one"
)]
pub trait BenchSource {
    /// What holds the bench.
    type Holder: Borrow<Bench>;
    /// The holder, if there is one.
    fn hold(self) -> Result<Self::Holder>;
}

impl BenchSource for Bench {
    type Holder = Bench;
    fn hold(self) -> Result<Bench> {
        Ok(self)
    }
}

impl<'a> BenchSource for &'a Bench {
    type Holder = &'a Bench;
    fn hold(self) -> Result<&'a Bench> {
        Ok(self)
    }
}

impl BenchSource for Arc<Bench> {
    type Holder = Arc<Bench>;
    fn hold(self) -> Result<Arc<Bench>> {
        Ok(self)
    }
}

impl<S: BenchSource, E: Into<Error>> BenchSource for Result<S, E> {
    type Holder = S::Holder;
    fn hold(self) -> Result<S::Holder> {
        self.map_err(Into::into)?.hold()
    }
}

/// A bench for the duration of a call, or the reason why there is none.
pub struct Held<H> {
    bench: Option<H>,
    error: RefCell<Option<Error>>,
}

impl<H: Borrow<Bench>> Held<H> {
    /// Holds what `bench = ..` gave.
    pub fn of(source: impl BenchSource<Holder = H>) -> Self {
        match source.hold() {
            Ok(bench) => Self { bench: Some(bench), error: RefCell::default() },
            Err(error) => Self { bench: None, error: RefCell::new(Some(error)) },
        }
    }

    /// The bench. The error is returned once.
    ///
    /// # Errors
    ///
    /// The reason why there is no bench.
    pub fn lend(&self) -> Result<&Bench> {
        self.bench.as_ref().map(Borrow::borrow).ok_or_else(|| self.error.take().expect("BUG: a bench is lent once"))
    }
}

//! The passes that a tool's page states for each method, and the calls that are counted against them.

mod formula;
mod page;

use std::fmt::Display;

pub(crate) use formula::Letters;
pub(crate) use page::Page;

/// One call of a method, whose passes are counted.
pub(crate) struct Call<'a> {
    pub(crate) method: &'static str,
    /// The row that the word `kind` stands for.
    pub(crate) kind: Option<&'static str>,
    /// The numbers that the formulas of the page speak of.
    pub(crate) letters: Letters,
    /// Whether fewer passes than stated are right here, because some edits change nothing or share a forward.
    pub(crate) at_most: bool,
    run: Box<dyn FnOnce() -> Result<(), String> + 'a>,
}

impl<'a> Call<'a> {
    pub(crate) fn new<T, E: Display>(method: &'static str, run: impl FnOnce() -> Result<T, E> + 'a) -> Self {
        let run = Box::new(move || run().map(drop).map_err(|error| error.to_string()));
        Self { method, kind: None, letters: Letters::new(), at_most: false, run }
    }

    /// Gives numbers to letters of the page's formulas.
    pub(crate) fn with<const N: usize>(mut self, letters: [(&'static str, usize); N]) -> Self {
        self.letters.extend(letters);
        self
    }

    /// The row that the word `kind` stands for.
    pub(crate) fn of_kind(self, kind: &'static str) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Some edits change nothing or share a forward.
    pub(crate) fn at_most(self) -> Self {
        Self { at_most: true, ..self }
    }

    pub(crate) fn run(self) -> Result<(), String> {
        (self.run)()
    }
}

//! What `#[tracked]` adds to an item: it tells the experiments that are running that they use it.
//!
//! Method lookup finds whether a name is that of a tracked constant, as in [`show`](super::show).

use std::borrow::Cow;
use std::marker::PhantomData;

use crate::context;
use crate::experiment::{Helper, UsedHelper};

/// A tracked function runs. `constants` notes the tracked constants that it names; the name of its type has the function's
/// path.
pub fn used<F: FnOnce(&mut Noted)>(helper: &'static Helper, constants: F) {
    let body = std::any::type_name::<F>();
    if context::lacks(body) {
        let mut noted = Noted::default();
        noted.add(helper, body);
        constants(&mut noted);
        context::tell(noted.helpers);
    }
}

/// Tracked items that code uses.
#[derive(Debug, Default)]
pub struct Noted {
    helpers: Vec<(UsedHelper, Cow<'static, str>)>,
}

impl Noted {
    /// Adds an item that is not a function which runs. Returns whether it is new.
    pub fn note(&mut self, helper: &'static Helper) -> bool {
        self.add(helper, "")
    }

    fn add(&mut self, helper: &'static Helper, body: &'static str) -> bool {
        let used = helper.used(body);
        let is_new = self.helpers.iter().all(|(known, _)| *known != used);
        if is_new {
            self.helpers.push((used, helper.source.into()));
        }
        is_new
    }

    pub(super) fn helpers(&self) -> Vec<(UsedHelper, Cow<'static, str>)> {
        self.helpers.clone()
    }
}

/// The hidden type of a tracked constant.
pub trait Constant {
    /// Notes the constant, and those that its value names.
    fn note(to: &mut Noted);
}

/// A type that may be that of a tracked constant.
#[derive(Debug)]
pub struct Constants<T>(PhantomData<T>);

impl<T> Constants<T> {
    /// Asks about a type.
    #[expect(clippy::new_without_default, reason = "attributes make it, and nobody else")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

/// A tracked constant.
pub trait NoteConstant {
    /// Notes it.
    fn arrakis_note(&self, to: &mut Noted);
}

impl<T: Constant> NoteConstant for Constants<T> {
    fn arrakis_note(&self, to: &mut Noted) {
        T::note(to);
    }
}

/// Any other type.
pub trait NoteNothing {
    /// Notes nothing.
    fn arrakis_note(&self, to: &mut Noted);
}

impl<T> NoteNothing for &Constants<T> {
    fn arrakis_note(&self, _to: &mut Noted) {}
}

/// An item as the runtime knows it, from its name, line and text.
#[doc(hidden)]
#[macro_export]
macro_rules! __helper {
    ($name:expr, $line:expr, $source:expr) => {
        const { &$crate::__private::Helper::new($crate::__here!(), $name, $line, $source) }
    };
}

/// The statement of a tracked function.
#[doc(hidden)]
#[macro_export]
macro_rules! __used {
    ($name:expr, $line:expr, $source:expr, $constants:expr) => {
        $crate::__private::used($crate::__private::helper!($name, $line, $source), $constants)
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    mod widths {
        use crate::tracked;

        #[tracked]
        pub(super) const WIDTH: usize = 1 + HALF;
        #[tracked]
        const HALF: usize = 2;
        pub(super) const OTHER: usize = 1;
    }

    use widths::{OTHER, WIDTH};

    #[tracked]
    fn wide(x: usize) -> usize {
        x * WIDTH + OTHER + widths::WIDTH
    }

    #[log_experiment]
    fn widen(_bench: &Bench, wider: bool) -> usize {
        if wider { wide(3) } else { 3 }
    }

    fn helpers(wider: bool) -> Vec<String> {
        let bench = Bench::embedded().unwrap();
        widen(&bench, wider);
        let record = bench.last().unwrap().record.unwrap();
        record.helpers.iter().map(|helper| helper.path.rsplit("tests::").next().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_run_has_the_helpers_it_used_and_the_constants_they_name() {
        assert_eq!(helpers(true), ["wide", "widths::HALF", "widths::WIDTH"]);
        assert_eq!(helpers(false), [] as [String; 0]);
    }

    #[tracked]
    fn told(x: usize) -> String {
        format!("{x:>WIDTH$}")
    }

    #[log_experiment]
    fn tell_it(_bench: &Bench) -> String {
        told(3)
    }

    #[test]
    fn a_constant_that_a_format_captures_is_used() {
        let bench = Bench::embedded().unwrap();
        assert_eq!(tell_it(&bench), "  3");
        let record = bench.last().unwrap().record.unwrap();
        let used: Vec<&str> = record.helpers.iter().filter_map(|helper| helper.path.split("tests::").nth(1)).collect();
        assert_eq!(used, ["told", "widths::HALF", "widths::WIDTH"]);
    }

    #[test]
    fn outside_an_experiment_nothing_is_noted() {
        assert_eq!(wide(1), 7);
    }
}

//! The index of a module in a list, kept from the moment the module is bound to a variable.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::rc::Rc;

use super::active::is_active;

thread_local! {
    /// Texts by number. A number is `Copy`, so closures that capture one borrow nothing.
    static TEXTS: RefCell<Texts> = RefCell::default();
}

#[derive(Default)]
struct Texts {
    all: Vec<Rc<str>>,
    numbers: BTreeMap<Rc<str>, usize>,
}

/// The number of a text on this thread.
pub(super) fn number(text: &str) -> usize {
    TEXTS.with_borrow_mut(|texts| {
        if let Some(number) = texts.numbers.get(text) {
            return *number;
        }
        let (text, number) = (Rc::from(text), texts.all.len());
        texts.all.push(Rc::clone(&text));
        texts.numbers.insert(text, number);
        number
    })
}

/// The text of a number of this thread.
pub(super) fn text(number: usize) -> Option<Rc<str>> {
    TEXTS.with_borrow(|texts| texts.all.get(number).cloned())
}

/// An index as it was when [`key`] was called.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Key(Option<usize>);

/// Keeps an index. Costs one thread-local read when no run is active.
#[doc(hidden)]
pub fn key(index: &(impl Display + ?Sized)) -> Key {
    Key(is_active().then(|| number(&index.to_string())))
}

/// A module that was bound before the run has an unknown index.
impl Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.and_then(text).as_deref().unwrap_or("?"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::active::Active;
    use super::*;

    #[test]
    fn a_key_keeps_the_value_of_its_index() {
        let listening = Active::start();
        let mut i = 3;
        let keys = (key(&i), key("enc"));
        i += 1;
        assert_eq!(format!("{} {} {i}", keys.0, keys.1), "3 enc 4");
        drop(listening);
        assert_eq!(key(&3).to_string(), "?");
    }
}

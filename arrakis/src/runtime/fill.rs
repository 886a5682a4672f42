//! How the value of an attribute's option is written into a field.

use std::path::PathBuf;

use crate::hypothesis::{Alternative, Estimand, Number as _, Spending, Test, with_numbers};

/// A field that takes a value of type `V`.
#[diagnostic::on_unimplemented(
    message = "an option of type `{Self}` cannot be `{V}`",
    label = "expected a value for `{Self}`"
)]
pub trait Fill<V> {
    /// Sets the field.
    fn fill(&mut self, value: V);
}

/// Sets a field.
pub fn fill<V>(field: &mut impl Fill<V>, value: V) {
    field.fill(value);
}

macro_rules! as_it_is {
    ($($type:ty),*) => {$(
        impl Fill<$type> for $type {
            fn fill(&mut self, value: $type) {
                *self = value;
            }
        }
    )*};
}

as_it_is!(bool, u64, usize, Alternative, Spending, Test);

macro_rules! if_given {
    ($($type:ty),*) => {$(
        impl Fill<$type> for Option<$type> {
            fn fill(&mut self, value: $type) {
                *self = Some(value);
            }
        }
    )*};
}

if_given!(bool, Estimand);

/// A whole number is a number.
macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Fill<$number> for f64 {
            fn fill(&mut self, value: $number) {
                *self = value.number();
            }
        }

        impl Fill<$number> for Option<f64> {
            fn fill(&mut self, value: $number) {
                *self = Some(value.number());
            }
        }
    )*};
}

with_numbers!(numbers);

macro_rules! whatever_becomes {
    ($($type:ty),*) => {$(
        impl<V: Into<$type>> Fill<V> for $type {
            fn fill(&mut self, value: V) {
                *self = value.into();
            }
        }

        impl<V: Into<$type>> Fill<V> for Option<$type> {
            fn fill(&mut self, value: V) {
                *self = Some(value.into());
            }
        }
    )*};
}

whatever_becomes!(String, PathBuf);

impl<V: IntoIterator<Item: ToString>> Fill<V> for Vec<String> {
    fn fill(&mut self, value: V) {
        *self = value.into_iter().map(|word| word.to_string()).collect();
    }
}

impl<V: IntoIterator<Item: ToString>> Fill<V> for Option<Vec<String>> {
    fn fill(&mut self, value: V) {
        self.get_or_insert_default().fill(value);
    }
}

impl<V: IntoIterator<Item = usize>> Fill<V> for Option<Vec<usize>> {
    fn fill(&mut self, value: V) {
        *self = Some(value.into_iter().collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_takes_what_can_become_it() {
        let (mut text, mut maybe, mut folder) = (String::new(), None::<String>, None::<PathBuf>);
        let (mut words, mut seed, mut alpha) = (Vec::<String>::new(), 0_u64, 0.0_f64);
        text.fill("claim");
        maybe.fill(&text);
        folder.fill("figures");
        words.fill(["a", "b"]);
        seed.fill(40 + 2);
        alpha.fill(0.01);
        assert_eq!((text.as_str(), maybe.as_deref(), folder), ("claim", Some("claim"), Some("figures".into())));
        assert_eq!((words.len(), seed, alpha), (2, 42, 0.01));
        alpha.fill(1);
        assert_eq!(alpha, 1.0);
        words.fill(&["c"]);
        words.fill(vec!["d".to_owned()]);
        assert_eq!(words, ["d"]);
    }
}

//! How a value of any type is written: by `Serialize`, else by `Debug`, else as its type's name.
//!
//! Method lookup removes one `&` at a time. In `(&&&Probe(x)).arrakis_show()` it tries the impl for `&&Probe` before the one
//! for `&Probe`, and that before the one for `Probe`. The bounds of each impl decide where lookup stops. A value of a
//! generic type has the bounds that its function writes.
//!
//! Versions are computed from what is written here, so equal values must be written alike in every process. A value for
//! which this is impossible is written as its type, with the problem.

use std::any::type_name;
use std::fmt::Debug;

use serde::Serialize;
use serde_json::{Value, json};

use super::debug_text;
use crate::experiment::json as lossless;

/// A value to be written.
pub struct Probe<'a, T>(pub &'a T);

/// A value as JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The JSON.
    pub value: Value,
    /// The reason why only the type is written, if that is so.
    pub problem: Option<Opaque>,
}

/// A value written as its type alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    kind: &'static str,
    why: String,
}

impl Opaque {
    /// The warning in the record about such an argument.
    pub(super) fn of_argument(&self, name: &str) -> String {
        let Self { kind, why } = self;
        format!("the argument `{name}` is in the version by its type alone, `{kind}`: {why}")
    }
}

impl From<Value> for Shown {
    fn from(value: Value) -> Self {
        Self { value, problem: None }
    }
}

impl Shown {
    fn by_type<T>(why: &impl ToString) -> Self {
        let (kind, why) = (type_name::<T>(), why.to_string());
        Self { value: json!({"type": kind, "problem": why}), problem: Some(Opaque { kind, why }) }
    }
}

/// By `Serialize`.
pub trait ShowSerialize {
    /// The value as JSON.
    fn arrakis_show(&self) -> Shown;
}

impl<T: Serialize> ShowSerialize for &&Probe<'_, T> {
    fn arrakis_show(&self) -> Shown {
        lossless::to_value(self.0).map_or_else(|error| Shown::by_type::<T>(&error), Shown::from)
    }
}

/// By `Debug`.
pub trait ShowDebug {
    /// The value's type and debug text.
    fn arrakis_show(&self) -> Shown;
}

impl<T: Debug> ShowDebug for &Probe<'_, T> {
    fn arrakis_show(&self) -> Shown {
        let written = |text| json!({"type": type_name::<T>(), "debug": text}).into();
        debug_text::stable(&format!("{:?}", self.0)).map_or_else(|why| Shown::by_type::<T>(&why), written)
    }
}

/// By the type alone.
pub trait ShowType {
    /// The value's type.
    fn arrakis_show(&self) -> Shown;
}

impl<T> ShowType for Probe<'_, T> {
    fn arrakis_show(&self) -> Shown {
        // A value without bytes is written as its type: a function, or a closure that captures nothing.
        if size_of::<T>() == 0 {
            return json!({"type": type_name::<T>()}).into();
        }
        Shown::by_type::<T>(&"it implements neither `Serialize` nor `Debug`")
    }
}

/// Writes a value.
#[doc(hidden)]
#[macro_export]
macro_rules! __show {
    ($value:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{ShowDebug as _, ShowSerialize as _, ShowType as _};
        (&&&$crate::__private::Probe($value)).arrakis_show()
    }};
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[derive(Serialize)]
    struct Kept {
        score: f64,
        heads: HashSet<u32>,
    }

    #[derive(Debug)]
    struct Printed(#[allow(dead_code, reason = "read by Debug")] u8);

    struct Silent(#[allow(dead_code, reason = "only its size matters")] u8);

    #[test]
    fn the_best_way_to_write_a_value_is_found() {
        let kept = Kept { score: f64::NAN, heads: [2, 1].into() };
        assert_eq!(__show!(&kept).value.to_string(), r#"{"score":{"$float":"NaN"},"heads":[1,2]}"#);
        assert_eq!(__show!(&Printed(3)).value["debug"], "Printed(3)");
        assert_eq!(__show!(&"text"), Shown::from(Value::from("text")));
        let silent = __show!(&Silent(3));
        assert!(silent.value["type"].as_str().unwrap().ends_with("Silent"));
        assert_eq!(silent.value["problem"], "it implements neither `Serialize` nor `Debug`");
    }

    #[test]
    fn a_generic_value_is_written_by_its_bounds() {
        fn bounded<T: Serialize>(value: &T) -> Value {
            __show!(value).value
        }
        fn unbounded<T>(value: &T) -> Value {
            __show!(value).value
        }
        assert_eq!(bounded(&3), 3);
        assert_eq!(unbounded(&3)["type"], "i32");
    }

    #[test]
    fn an_address_is_shown_by_its_type_and_a_function_is_its_type() {
        let pointer: fn(u32) -> u32 = u32::isqrt;
        let shown = __show!(&pointer);
        assert_eq!(
            shown.problem.unwrap().of_argument("score"),
            "the argument `score` is in the version by its type alone, `fn(u32) -> u32`: \
             its debug text holds an address, which differs between processes"
        );
        let offset = 3;
        let closure = move |x: u32| x + offset;
        assert!(__show!(&closure).problem.is_some());
        assert_eq!(__show!(&u32::isqrt).problem, None);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_text_is_shown_by_its_type() {
        use std::os::unix::ffi::OsStrExt as _;
        let path = std::path::Path::new(std::ffi::OsStr::from_bytes(b"a\xff"));
        let shown = __show!(&path);
        assert_eq!(
            shown.problem.unwrap().of_argument("folder"),
            "the argument `folder` is in the version by its type alone, `&std::path::Path`: path contains invalid UTF-8 characters"
        );
    }
}

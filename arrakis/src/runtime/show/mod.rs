//! How a value of any type is written: by `Serialize`, else by `Debug`, else as its type's name.
//!
//! Method lookup removes one `&` at a time. In `(&&&&&&Probe(x)).arrakis_shown()`, with as many `&` as there are ways, it
//! tries the impl for `&&&&&Probe` first and the one for `Probe` last. The bounds of each impl decide where lookup stops. A
//! value of a generic type has the bounds that its function writes.
//!
//! The version of an experiment is made from its arguments, so equal values must be written alike in every process. A
//! value for which this is impossible is written as its type, with the problem. So is one that is locked, too large or
//! nested too deeply: to write a value never waits and always ends.

mod bounded;
mod counted;
mod hidden;
mod known;
mod stable;

use std::any::type_name;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde_json::{Value, json};

use crate::experiment::json::{self as lossless, Blobs};
pub use counted::Counted;
pub use hidden::Hidden;
pub use known::Known;
use stable::Text;

/// A value to be written.
pub struct Probe<'a, T>(pub &'a T);

/// A value as JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// The JSON.
    pub value: Value,
    /// What is not in it, and the reason.
    pub hidden: Option<Hidden>,
    /// Its large arrays.
    pub(crate) blobs: Blobs,
}

impl From<Value> for Shown {
    fn from(value: Value) -> Self {
        Self { value, ..Self::default() }
    }
}

impl Shown {
    fn by_type<T>(why: String) -> Self {
        let kind = type_name::<T>();
        Self {
            value: json!({"type": kind, "problem": why}),
            hidden: Some(Hidden::Value { kind, why }),
            ..Self::default()
        }
    }

    fn by_serialize<T: Serialize>(value: &T) -> Result<Self, String> {
        let (value, blobs) = lossless::to_value_and_blobs(value).map_err(|error| error.to_string())?;
        Ok(Self { value, blobs, hidden: None })
    }

    fn by_debug<T: Debug>(value: &T) -> Result<Self, String> {
        let Text { text, part } = stable::stable(&bounded::text(value)?)?;
        let value = json!({"type": type_name::<T>(), "debug": text});
        Ok(Self { value, hidden: part.map(Hidden::Part), ..Self::default() })
    }
}

/// A way to write a value; the error is the reason why it does not work.
type Way<T> = fn(&T) -> Result<Shown, String>;

/// The first way that works; the type and the first problem if none does. A panic is a problem.
fn first_of<T>(value: &T, ways: &[Way<T>]) -> Shown {
    let mut problem = None;
    for way in ways {
        let shown = catch_unwind(AssertUnwindSafe(|| way(value)));
        match shown.unwrap_or_else(|_| Err("writing it panics".into())) {
            Ok(shown) => return shown,
            Err(why) => problem = problem.or(Some(why)),
        }
    }
    Shown::by_type::<T>(problem.unwrap_or_default())
}

/// By its own way.
pub trait ShowKnown {
    /// The value as JSON.
    fn arrakis_shown(&self) -> Shown;
}

impl<T: Known> ShowKnown for &&&&&Probe<'_, T> {
    fn arrakis_shown(&self) -> Shown {
        first_of(self.0, &[|value| Ok(value.known().into())])
    }
}

/// By `Serialize`, or by `Debug` if that fails.
pub trait ShowEither {
    /// The value as JSON.
    fn arrakis_shown(&self) -> Shown;
}

impl<T: Serialize + Debug> ShowEither for &&&&Probe<'_, T> {
    fn arrakis_shown(&self) -> Shown {
        first_of(self.0, &[Shown::by_serialize, Shown::by_debug])
    }
}

/// By `Serialize`.
pub trait ShowSerialize {
    /// The value as JSON.
    fn arrakis_shown(&self) -> Shown;
}

impl<T: Serialize> ShowSerialize for &&&Probe<'_, T> {
    fn arrakis_shown(&self) -> Shown {
        first_of(self.0, &[Shown::by_serialize])
    }
}

/// By `Debug`.
pub trait ShowDebug {
    /// The value's type and debug text.
    fn arrakis_shown(&self) -> Shown;
}

impl<T: Debug> ShowDebug for &&Probe<'_, T> {
    fn arrakis_shown(&self) -> Shown {
        first_of(self.0, &[Shown::by_debug])
    }
}

/// By the type, and the number of its parts.
pub trait ShowCounted {
    /// The value's type and number.
    fn arrakis_shown(&self) -> Shown;
}

impl<T: Counted> ShowCounted for &Probe<'_, T> {
    fn arrakis_shown(&self) -> Shown {
        let mut shown = ShowType::arrakis_shown(&Probe(self.0));
        shown.value["length"] = self.0.count().into();
        shown
    }
}

/// By the type alone.
pub trait ShowType {
    /// The value's type.
    fn arrakis_shown(&self) -> Shown;
}

impl<T> ShowType for Probe<'_, T> {
    fn arrakis_shown(&self) -> Shown {
        let kind = type_name::<T>();
        // A path that goes on is that of a type inside a closure.
        if kind.split("{{closure}}").skip(1).any(|after| !after.starts_with("::")) {
            return Shown::by_type::<T>("a closure has no name, and its code does not enter the version".into());
        }
        // A value without bytes is written as its type, such as a function.
        if size_of::<T>() == 0 {
            return json!({"type": kind}).into();
        }
        Shown::by_type::<T>("it implements neither `Serialize` nor `Debug`".into())
    }
}

#[cfg(test)]
macro_rules! __show {
    ($value:expr) => {
        (&&&&&&Probe($value)).arrakis_shown()
    };
}

#[cfg(test)]
mod tests;

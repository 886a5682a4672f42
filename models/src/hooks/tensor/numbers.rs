//! Numbers in records, including those that JSON cannot represent, such as the `-inf` of masked scores.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `f32` or `f64`. JSON has enough digits for both.
pub(crate) trait Float: Copy + Display + FromStr {
    fn is_finite(self) -> bool;
}

impl Float for f32 {
    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }
}

impl Float for f64 {
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }
}

/// A number, or the name of one that JSON cannot represent.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Number<T> {
    Finite(T),
    Named(String),
}

impl<T: Float> Number<T> {
    fn of(value: T) -> Self {
        if value.is_finite() { Self::Finite(value) } else { Self::Named(value.to_string()) }
    }

    fn read<E: serde::de::Error>(self) -> Result<T, E> {
        let name = match self {
            Self::Finite(value) => return Ok(value),
            Self::Named(name) => name,
        };
        let known = matches!(name.as_str(), "inf" | "-inf" | "NaN").then(|| name.parse().ok()).flatten();
        known
            .ok_or_else(|| E::custom(format!("`{name}` is not a number: write a number, \"inf\", \"-inf\" or \"NaN\"")))
    }
}

/// For a field of one number.
pub(crate) mod one {
    use super::{Deserialize, Deserializer, Float, Number, Serialize, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
    pub(crate) fn serialize<T: Float + Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        Number::of(*value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: Float + Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Number::deserialize(deserializer)?.read()
    }
}

/// For a field of many.
pub(crate) mod many {
    use super::{Deserialize, Deserializer, Float, Number, Serialize, Serializer};

    pub(crate) fn serialize<T: Float + Serialize, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Number::of(*value)))
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
    where
        T: Float + Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Vec::<Number<T>>::deserialize(deserializer)?.into_iter().map(Number::read).collect()
    }
}

/// For a field of rows of numbers.
pub(crate) mod rows {
    use super::{Deserialize, Deserializer, Float, Number, Serialize, Serializer};

    pub(crate) fn serialize<T: Float + Serialize, S: Serializer>(
        rows: &[Vec<T>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(rows.iter().map(|row| row.iter().map(|value| Number::of(*value)).collect::<Vec<_>>()))
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<Vec<T>>, D::Error>
    where
        T: Float + Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let rows = Vec::<Vec<Number<T>>>::deserialize(deserializer)?;
        rows.into_iter().map(|row| row.into_iter().map(Number::read).collect()).collect()
    }
}

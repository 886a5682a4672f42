//! Numbers in records, those included that JSON has no spelling for: masked scores are `-inf`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number, or the name of what is none.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f32),
    Named(String),
}

impl From<f32> for Number {
    fn from(value: f32) -> Self {
        if value.is_finite() { Self::Finite(value) } else { Self::Named(value.to_string()) }
    }
}

impl Number {
    fn read<E: serde::de::Error>(self) -> Result<f32, E> {
        match self {
            Self::Finite(value) => Ok(value),
            Self::Named(name) if matches!(name.as_str(), "inf" | "-inf" | "NaN") => name.parse().map_err(E::custom),
            Self::Named(name) => {
                Err(E::custom(format!("`{name}` is not a number: write one, or \"inf\", \"-inf\", \"NaN\"")))
            }
        }
    }
}

/// For a field of one number.
pub(in crate::hooks) mod one {
    use super::{Deserialize, Deserializer, Number, Serialize, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
    pub(in crate::hooks) fn serialize<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
        Number::from(*value).serialize(serializer)
    }

    pub(in crate::hooks) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
        Number::deserialize(deserializer)?.read()
    }
}

/// For a field of many.
pub(in crate::hooks) mod many {
    use super::{Deserialize, Deserializer, Number, Serializer};

    pub(in crate::hooks) fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Number::from(*value)))
    }

    pub(in crate::hooks) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        Vec::<Number>::deserialize(deserializer)?.into_iter().map(Number::read).collect()
    }
}

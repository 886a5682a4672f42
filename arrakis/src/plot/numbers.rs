//! Floats in strict JSON. `NaN`, `inf` and `-inf` become strings, because JSON would write them as `null`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

/// A type made of floats that has an exact form in strict JSON.
pub(super) trait Numbers: Sized {
    /// The JSON form.
    fn to_json(&self) -> Value;
    /// Reads the JSON form; `None` if it is not one.
    fn from_json(value: &Value) -> Option<Self>;
}

impl Numbers for f64 {
    fn to_json(&self) -> Value {
        serde_json::Number::from_f64(*self).map_or_else(|| Value::String(exact(*self)), Value::Number)
    }

    fn from_json(value: &Value) -> Option<Self> {
        match value.as_str() {
            Some("NaN") => Some(f64::NAN),
            Some("inf") => Some(f64::INFINITY),
            Some("-inf") => Some(f64::NEG_INFINITY),
            Some(_) => None,
            None => value.as_f64(),
        }
    }
}

impl<T: Numbers> Numbers for Vec<T> {
    fn to_json(&self) -> Value {
        Value::Array(self.iter().map(Numbers::to_json).collect())
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::from_json).collect()
    }
}

impl<T: Numbers> Numbers for Option<T> {
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, Numbers::to_json)
    }

    fn from_json(value: &Value) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_json(value).map(Some) }
    }
}

/// The shortest decimal that reads back as the same float; otherwise `NaN`, `inf`, `-inf`.
pub(super) fn exact(value: f64) -> String {
    let size = value.abs();
    if value.is_finite() && value != 0.0 && !(1e-5..1e16).contains(&size) {
        return format!("{value:e}");
    }
    format!("{value}")
}

/// For `#[serde(with = "numbers")]`.
pub(super) fn serialize<T: Numbers, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.to_json().serialize(serializer)
}

/// For `#[serde(with = "numbers")]`.
pub(super) fn deserialize<'de, T: Numbers, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    T::from_json(&value).ok_or_else(|| D::Error::custom("expected numbers, or the strings `NaN`, `inf`, `-inf`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_survives_strict_json() {
        let values = vec![vec![0.1, f64::NAN], vec![f64::INFINITY, f64::NEG_INFINITY], vec![-0.0, f64::from(0.1f32)]];
        let text = values.to_json().to_string();
        assert_eq!(text, r#"[[0.1,"NaN"],["inf","-inf"],[-0.0,0.10000000149011612]]"#);
        let back = Vec::<Vec<f64>>::from_json(&serde_json::from_str(&text).unwrap()).unwrap();
        let bits = |grid: &[Vec<f64>]| grid.concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&values));
    }

    #[test]
    fn the_decimal_reads_back_as_the_same_float() {
        let values = [0.1, -0.0, 1e300, 5e-324, 123_456.5, 1e-5, 1e16];
        assert_eq!(values.map(exact), ["0.1", "-0", "1e300", "5e-324", "123456.5", "0.00001", "1e16"]);
        assert!(values.iter().all(|value| exact(*value).parse::<f64>().unwrap().to_bits() == value.to_bits()));
    }

    #[test]
    fn an_unknown_word_is_not_a_number() {
        assert!(f64::from_json(&Value::String("nan?".into())).is_none());
    }
}

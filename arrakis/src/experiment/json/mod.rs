//! Strict JSON that keeps every number: NaN and the infinities are written as `{"$float": "NaN"}`. What a record keeps
//! has its large arrays in files beside the JSON, where `{"$blob": ..}` stands for each.

mod blobs;
mod canonical;
mod mark;
mod numbers;
mod read;
mod write;

pub(crate) use blobs::{Blobs, FOLDER as BLOBS, files_of as blob_files, numbers_of};

pub use canonical::{canonical, digest};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Converts any serialisable value, keeping NaN and infinities. Map keys that are not strings become their JSON text.
/// The entries of hash sets and hash maps are sorted.
///
/// # Errors
///
/// The errors of the value's own `Serialize`, and two keys of a map with the same JSON.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, serde_json::Error> {
    Ok(write::written(value, write::Writing::whole())?.0)
}

/// Converts an input or a result, within bounds, with its large arrays beside it.
///
/// # Errors
///
/// Those of [`to_value`], a value beyond the bounds, and a lock, which writing it would wait for.
pub(crate) fn to_value_and_blobs<T: Serialize + ?Sized>(value: &T) -> Result<(Value, Blobs), serde_json::Error> {
    write::written(value, write::Writing::bounded())
}

/// The inverse of [`to_value`].
///
/// # Errors
///
/// An error if the value is not of the requested type.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    from_value_and_blobs(value, &Blobs::default())
}

/// The inverse of [`to_value_and_blobs`].
///
/// # Errors
///
/// An error if the value is not of the requested type, or one of its arrays is missing or was changed.
pub(crate) fn from_value_and_blobs<T: DeserializeOwned>(value: &Value, blobs: &Blobs) -> Result<T, serde_json::Error> {
    T::deserialize(read::Lossless { value, blobs })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        Unit,
        New(f32),
        Pair(i64, u64),
        Named { x: Option<f64> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Everything {
        kinds: Vec<Kind>,
        floats: (f64, f32, f64),
        map: BTreeMap<u32, Option<char>>,
        none: Option<u8>,
        unit: (),
        text: String,
    }

    fn everything() -> Everything {
        Everything {
            kinds: vec![
                Kind::Unit,
                Kind::New(0.1),
                Kind::Pair(i64::MIN, u64::MAX),
                Kind::Named { x: Some(f64::NEG_INFINITY) },
            ],
            floats: (f64::INFINITY, -0.0, 0.1),
            map: BTreeMap::from([(3, Some('é')), (10, None)]),
            none: None,
            unit: (),
            text: "a \"b\"".into(),
        }
    }

    #[test]
    fn every_shape_of_value_reads_back_through_strict_text() {
        let text = to_value(&everything()).unwrap().to_string();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(from_value::<Everything>(&value).unwrap(), everything());
        assert!(from_value::<Vec<f64>>(&to_value(&[f64::NAN]).unwrap()).unwrap()[0].is_nan());
    }

    #[test]
    fn floats_are_short_and_marked_where_json_has_no_word() {
        assert_eq!(to_value(&[0.1f32]).unwrap().to_string(), "[0.1]");
        assert_eq!(to_value(&f32::NAN).unwrap().to_string(), r#"{"$float":"NaN"}"#);
        assert_eq!(to_value(&f64::NEG_INFINITY).unwrap().to_string(), r#"{"$float":"-inf"}"#);
    }

    #[test]
    fn a_map_with_tuple_keys_is_kept() {
        let map = BTreeMap::from([((1, 2), 0.5)]);
        assert_eq!(to_value(&map).unwrap().to_string(), r#"{"[1,2]":0.5}"#);
    }

    #[test]
    fn hash_sets_and_maps_are_written_in_order_wherever_they_are() {
        let set = |offset: u32| -> HashSet<u32> { (0..20).map(|i| (i * 7 + offset) % 20).collect() };
        let nested = (vec![set(0)], Some(Box::new(set(3))), HashMap::from([("b", set(5)), ("a", set(6))]));
        let sorted: Vec<u32> =
            (0..20).map(|i| i.to_string()).collect::<BTreeSet<_>>().iter().map(|i| i.parse().unwrap()).collect();
        let expected = serde_json::json!([[sorted], sorted, {"a": sorted, "b": sorted}]);
        assert_eq!(to_value(&nested).unwrap().to_string(), expected.to_string());
        assert_eq!(to_value(&[2, 1]).unwrap().to_string(), "[2,1]");
    }

    #[test]
    fn a_value_inside_a_record_keeps_its_mark() {
        let value = to_value(&f64::NAN).unwrap();
        assert_eq!(from_value::<Value>(&value).unwrap(), value);
    }

    #[test]
    fn canonical_text_does_not_depend_on_the_order_of_keys() {
        let a: Value = serde_json::from_str(r#"{"b": [{"y": 1, "x": 2}], "a": 0}"#).unwrap();
        assert_eq!(canonical(&a), r#"{"a":0,"b":[{"x":2,"y":1}]}"#);
    }

    #[test]
    fn the_digest_is_sha_256() {
        assert_eq!(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}

//! A serde serializer into JSON values that keeps NaN and the infinities.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Error, Map, Value};

/// The key that marks a float that strict JSON cannot represent.
pub(super) const FLOAT: &str = "$float";

/// The serializer.
pub(super) struct Lossless;

type Written = Result<Value, Error>;

/// Name prefixes of types whose entries are in another order in every process.
const HASHED: [&str; 4] = [
    "std::collections::hash::set::HashSet<",
    "std::collections::hash::map::HashMap<",
    "hashbrown::set::HashSet<",
    "hashbrown::map::HashMap<",
];

/// Name prefixes of types that serialise as their content.
const WRAPPERS: [&str; 5] = ["&", "mut ", "alloc::boxed::Box<", "alloc::rc::Rc<", "alloc::sync::Arc<"];

/// Writes a value of any type. The entries of a hash set or map are sorted, so that equal ones are written alike.
///
/// A set inside a `#[serde(transparent)]` struct is not recognised, because serde shows only the struct.
pub(super) fn written<T: Serialize + ?Sized>(value: &T) -> Written {
    let written = value.serialize(Lossless)?;
    Ok(if is_hashed(std::any::type_name::<T>()) { in_order(written) } else { written })
}

fn is_hashed(mut name: &str) -> bool {
    while let Some(inner) = WRAPPERS.iter().find_map(|wrapper| name.strip_prefix(wrapper)) {
        name = inner;
    }
    HASHED.iter().any(|hashed| name.starts_with(hashed))
}

fn in_order(value: Value) -> Value {
    match value {
        Value::Array(mut items) => {
            items.sort_by_cached_key(super::canonical::canonical);
            Value::Array(items)
        }
        Value::Object(mut map) => {
            map.sort_keys();
            Value::Object(map)
        }
        other => other,
    }
}

fn float(value: f64) -> Value {
    serde_json::Number::from_f64(value)
        .map_or_else(|| Value::Object(tagged(FLOAT, value.to_string().into())), Value::Number)
}

/// The shortest decimal that reads back as the same `f32`.
fn short_float(value: f32) -> Value {
    match value.to_string().parse::<f64>() {
        Ok(short) if short as f32 == value => float(short),
        _ => float(f64::from(value)),
    }
}

fn tagged(tag: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(tag.to_owned(), value)])
}

macro_rules! whole {
    ($($method:ident $type:ty),*) => {$(
        fn $method(self, value: $type) -> Written {
            Ok(value.into())
        }
    )*};
}

impl Serializer for Lossless {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Fields;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Fields;

    whole!(serialize_bool bool, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64);
    whole!(serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_str &str);

    fn serialize_i128(self, value: i128) -> Written {
        Ok(i64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from))
    }

    fn serialize_u128(self, value: u128) -> Written {
        Ok(u64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from))
    }

    fn serialize_f32(self, value: f32) -> Written {
        Ok(short_float(value))
    }

    fn serialize_f64(self, value: f64) -> Written {
        Ok(float(value))
    }

    fn serialize_char(self, value: char) -> Written {
        Ok(value.to_string().into())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        Ok(value.into())
    }

    fn serialize_none(self) -> Written {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        written(value)
    }

    fn serialize_unit(self) -> Written {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Written {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Written {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Written {
        written(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        Ok(Value::Object(tagged(variant, written(value)?)))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items, Error> {
        Ok(Items { variant: None, items: Vec::with_capacity(length.unwrap_or(0).min(1 << 16)) })
    }

    fn serialize_tuple(self, length: usize) -> Result<Items, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _name: &'static str, length: usize) -> Result<Items, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Items, Error> {
        Ok(Items { variant: Some(variant), items: Vec::new() })
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Fields, Error> {
        Ok(Fields::default())
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Fields, Error> {
        Ok(Fields::default())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Fields, Error> {
        Ok(Fields { variant: Some(variant), ..Fields::default() })
    }
}

fn wrapped(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::Object(tagged(variant, value)),
        None => value,
    }
}

/// A sequence, tuple or tuple variant.
pub(super) struct Items {
    variant: Option<&'static str>,
    items: Vec<Value>,
}

impl Items {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.items.push(written(value)?);
        Ok(())
    }
}

macro_rules! items {
    ($($trait:ident $method:ident),*) => {$(
        impl $trait for Items {
            type Ok = Value;
            type Error = Error;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.push(value)
            }
            fn end(self) -> Written {
                Ok(wrapped(self.variant, Value::Array(self.items)))
            }
        }
    )*};
}

items!(SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field);

/// A map, struct or struct variant.
#[derive(Default)]
pub(super) struct Fields {
    variant: Option<&'static str>,
    key: Option<String>,
    map: Map<String, Value>,
}

impl SerializeMap for Fields {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = Some(match written(key)? {
            Value::String(text) => text,
            other => other.to_string(),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = self.key.take().unwrap_or_default();
        self.map.insert(key, written(value)?);
        Ok(())
    }

    fn end(self) -> Written {
        Ok(wrapped(self.variant, Value::Object(self.map)))
    }
}

macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl $trait for Fields {
            type Ok = Value;
            type Error = Error;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
                self.map.insert(key.to_owned(), written(value)?);
                Ok(())
            }
            fn end(self) -> Written {
                SerializeMap::end(self)
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

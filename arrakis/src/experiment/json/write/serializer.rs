//! What the serializer makes of every kind of value.

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::{Error, Value};

use super::compound::{self, Fields, Items};
use super::hashed;
use super::lossless::Lossless;
use super::node::{Node, Written};
use crate::experiment::json::numbers::{Number, Numbers};

macro_rules! numbers {
    ($($method:ident $type:ident $kind:ident),*) => {$(
        fn $method(self, value: $type) -> Written {
            Ok(Node::Number(Number::$kind(value)))
        }
    )*};
}

impl<'a> Serializer for Lossless<'a> {
    type Ok = Node;
    type Error = Error;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    numbers!(serialize_bool bool Bool, serialize_f32 f32 F32, serialize_f64 f64 F64);
    numbers!(serialize_i8 i8 I8, serialize_i16 i16 I16, serialize_i32 i32 I32, serialize_i64 i64 I64);
    numbers!(serialize_u8 u8 U8, serialize_u16 u16 U16, serialize_u32 u32 U32, serialize_u64 u64 U64);

    fn serialize_i128(self, value: i128) -> Written {
        i64::try_from(value).map_or_else(|_| self.text(value.to_string()), |value| self.serialize_i64(value))
    }

    fn serialize_u128(self, value: u128) -> Written {
        u64::try_from(value).map_or_else(|_| self.text(value.to_string()), |value| self.serialize_u64(value))
    }

    fn serialize_str(self, value: &str) -> Written {
        self.text(value)
    }

    fn serialize_char(self, value: char) -> Written {
        self.text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.0.spend(value.len())?;
        Numbers::new(safetensors::Dtype::U8, vec![value.len()], value.into())
            .map(Node::Numbers)
            .ok_or_else(|| Error::custom("BUG: bytes fit their own length"))
    }

    fn serialize_none(self) -> Written {
        Ok(Node::Json(Value::Null))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.part(value)
    }

    fn serialize_unit(self) -> Written {
        Ok(Node::Json(Value::Null))
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Written {
        Ok(Node::Json(Value::Null))
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Written {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Written {
        self.part(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        let value = self.json(value)?;
        Ok(Node::Json(compound::tagged(Some(variant), value)))
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(Items::new(self, None))
    }

    fn serialize_tuple(self, _length: usize) -> Result<Items<'a>, Error> {
        Ok(Items::new(self, None))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<Items<'a>, Error> {
        Ok(Items::new(self, None))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Items<'a>, Error> {
        Ok(Items::new(self, Some(variant)))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Fields<'a>, Error> {
        Ok(Fields::new(self, None))
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Fields<'a>, Error> {
        Ok(Fields::new(self, None))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Fields<'a>, Error> {
        Ok(Fields::new(self, Some(variant)))
    }

    /// Hash sets are written by way of this, whatever type they are inside.
    fn collect_seq<I>(self, items: I) -> Result<Node, Error>
    where
        I: IntoIterator<Item: Serialize>,
    {
        let mut written = Items::new(self, None);
        for item in items {
            written.push(&item)?;
        }
        let node = written.finish();
        Ok(if hashed::is_hashed(std::any::type_name::<I>()) { hashed::in_order(node) } else { node })
    }

    /// Hash maps are written by way of this.
    fn collect_map<K, V, I>(self, entries: I) -> Result<Node, Error>
    where
        K: Serialize,
        V: Serialize,
        I: IntoIterator<Item = (K, V)>,
    {
        let mut written = Fields::new(self, None);
        for (key, value) in entries {
            written.key(&key)?;
            written.value(&value)?;
        }
        let node = written.finish();
        Ok(if hashed::is_hashed(std::any::type_name::<I>()) { hashed::in_order(node) } else { node })
    }
}

//! Sequences, maps and structs.

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use serde_json::{Error, Map, Value};

use super::lossless::Lossless;
use super::node::{Node, Written};
use crate::experiment::json::numbers::Numbers;

/// A value inside its variant, if it has one.
pub(super) fn tagged(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::Object(Map::from_iter([(variant.to_owned(), value)])),
        None => value,
    }
}

/// A sequence, tuple or tuple variant.
pub(super) struct Items<'a> {
    to: Lossless<'a>,
    variant: Option<&'static str>,
    held: Held,
}

/// The items so far.
enum Held {
    /// Numbers of one type, or arrays of one type and shape: the first axis of the shape counts them.
    Numbers(Numbers),
    Values(Vec<Value>),
}

impl<'a> Items<'a> {
    pub(super) fn new(to: Lossless<'a>, variant: Option<&'static str>) -> Self {
        Self { to, variant, held: Held::Values(Vec::new()) }
    }

    pub(super) fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Error> {
        let node = self.to.part(item)?;
        if let Held::Values(values) = &self.held
            && values.is_empty()
            && let Some(row) = row(&node)
        {
            self.held = Held::Numbers(row);
        }
        if let Held::Numbers(numbers) = &mut self.held {
            let before = numbers.bytes.len();
            if append(numbers, &node) {
                return self.to.0.spend(numbers.bytes.len() - before);
            }
            let mut values = Vec::new();
            for row in numbers.rows().inner() {
                self.to.0.spend_value()?;
                values.push(self.to.0.json(row.number().map_or_else(|| Node::Numbers(row.to_numbers()), Node::Number)));
            }
            self.held = Held::Values(values);
        }
        self.to.0.spend_value()?;
        let value = self.to.0.json(node);
        if let Held::Values(values) = &mut self.held {
            values.push(value);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Node {
        match (self.held, self.variant) {
            (Held::Numbers(numbers), None) => Node::Numbers(numbers),
            (Held::Numbers(numbers), variant) => Node::Json(tagged(variant, self.to.0.json(Node::Numbers(numbers)))),
            (Held::Values(values), variant) => Node::Json(tagged(variant, Value::Array(values))),
        }
    }
}

/// An array of no items like this one.
fn row(node: &Node) -> Option<Numbers> {
    match node {
        Node::Number(number) => Some(Numbers { dtype: number.dtype(), shape: vec![0], bytes: Vec::new() }),
        Node::Numbers(numbers) => {
            let shape = std::iter::once(0).chain(numbers.shape.iter().copied()).collect();
            Some(Numbers { dtype: numbers.dtype, shape, bytes: Vec::new() })
        }
        Node::Json(_) => None,
    }
}

/// Appends an item, if it has the type and shape of those before.
fn append(numbers: &mut Numbers, node: &Node) -> bool {
    let fits = match node {
        Node::Number(number) => number.dtype() == numbers.dtype && numbers.shape.len() == 1,
        Node::Numbers(item) => item.dtype == numbers.dtype && item.shape == numbers.shape[1..],
        Node::Json(_) => false,
    };
    if fits {
        numbers.shape[0] += 1;
        match node {
            Node::Number(number) => number.append(&mut numbers.bytes),
            Node::Numbers(item) => numbers.bytes.extend_from_slice(&item.bytes),
            Node::Json(_) => {}
        }
    }
    fits
}

macro_rules! items {
    ($($trait:ident $method:ident),*) => {$(
        impl $trait for Items<'_> {
            type Ok = Node;
            type Error = Error;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.push(value)
            }
            fn end(self) -> Written {
                Ok(self.finish())
            }
        }
    )*};
}

items!(SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field);

/// A map, struct or struct variant.
pub(super) struct Fields<'a> {
    to: Lossless<'a>,
    variant: Option<&'static str>,
    key: Option<String>,
    map: Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(to: Lossless<'a>, variant: Option<&'static str>) -> Self {
        Self { to, variant, key: None, map: Map::new() }
    }

    /// The key of the next value. A key that is not text becomes its JSON text.
    pub(super) fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = Some(match self.to.json(key)? {
            Value::String(text) => text,
            other => other.to_string(),
        });
        Ok(())
    }

    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = self.key.take().unwrap_or_default();
        if self.map.contains_key(&key) {
            return Err(Error::custom(format_args!("two keys of a map have the same JSON, `{key}`")));
        }
        self.field(key, value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), Error> {
        self.to.0.spend(key.len())?;
        self.to.0.spend_value()?;
        let value = self.to.json(value)?;
        self.map.insert(key, value);
        Ok(())
    }

    pub(super) fn finish(self) -> Node {
        Node::Json(tagged(self.variant, Value::Object(self.map)))
    }
}

impl SerializeMap for Fields<'_> {
    type Ok = Node;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    fn end(self) -> Written {
        Ok(self.finish())
    }
}

macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl $trait for Fields<'_> {
            type Ok = Node;
            type Error = Error;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
                self.field(key.to_owned(), value)
            }
            fn end(self) -> Written {
                Ok(self.finish())
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

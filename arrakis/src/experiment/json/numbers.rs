//! An array of numbers of one type: small ones are JSON, large ones are kept beside it.

use safetensors::Dtype;
use serde::de::value::SeqDeserializer;
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

/// One number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
}

/// A rectangular array, as bytes in row-major order, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Numbers {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

macro_rules! kinds {
    ($($kind:ident $dtype:ident $type:ident),*) => {
        impl Number {
            pub(super) fn dtype(self) -> Dtype {
                match self {
                    Self::Bool(_) => Dtype::BOOL,
                    $(Self::$kind(_) => Dtype::$dtype,)*
                }
            }

            /// Appends its bytes.
            pub(super) fn append(self, bytes: &mut Vec<u8>) {
                match self {
                    Self::Bool(value) => bytes.push(value.into()),
                    $(Self::$kind(value) => bytes.extend_from_slice(&value.to_le_bytes()),)*
                }
            }

            /// Reads one of this type; `None` if the type is not a number's, or the bytes are too few.
            fn read(dtype: Dtype, bytes: &[u8]) -> Option<Self> {
                match dtype {
                    Dtype::BOOL => Some(Self::Bool(*bytes.first()? != 0)),
                    $(Dtype::$dtype => Some(Self::$kind($type::from_le_bytes(bytes.get(..size_of::<$type>())?.try_into().ok()?))),)*
                    _ => None,
                }
            }
        }
    };
}

kinds!(I8 I8 i8, I16 I16 i16, I32 I32 i32, I64 I64 i64, U8 U8 u8, U16 U16 u16, U32 U32 u32, U64 U64 u64, F32 F32 f32, F64 F64 f64);

impl Number {
    /// As JSON. NaN and the infinities are marked.
    pub(super) fn to_json(self) -> Value {
        match self {
            Self::Bool(value) => value.into(),
            Self::I8(value) => value.into(),
            Self::I16(value) => value.into(),
            Self::I32(value) => value.into(),
            Self::I64(value) => value.into(),
            Self::U8(value) => value.into(),
            Self::U16(value) => value.into(),
            Self::U32(value) => value.into(),
            Self::U64(value) => value.into(),
            Self::F32(value) => short_float(value),
            Self::F64(value) => float(value),
        }
    }
}

fn float(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| super::mark::float(value), Value::Number)
}

/// The shortest decimal that reads back as the same `f32`.
fn short_float(value: f32) -> Value {
    match value.to_string().parse::<f64>() {
        Ok(short) if short as f32 == value => float(short),
        _ => float(f64::from(value)),
    }
}

impl Numbers {
    /// An array that is read from these bytes; `None` if they do not fit the shape.
    pub(super) fn new(dtype: Dtype, shape: Vec<usize>, bytes: Vec<u8>) -> Option<Self> {
        let count = shape.iter().try_fold(1_usize, |count, axis| count.checked_mul(*axis))?;
        let is_number = Number::read(dtype, &[0; 8]).is_some();
        let fits = count.checked_mul(dtype.bitsize() / 8) == Some(bytes.len());
        (is_number && fits).then_some(Self { dtype, shape, bytes })
    }

    /// Its numbers, rounded to `f64`.
    pub(super) fn to_f64(&self) -> Vec<f64> {
        let size = self.dtype.bitsize() / 8;
        let one = |bytes: &[u8]| match Number::read(self.dtype, bytes).map(Number::to_json) {
            Some(Value::Bool(value)) => f64::from(u8::from(value)),
            Some(value) => value.as_f64().or_else(|| super::mark::marked_float(&value)).unwrap_or(f64::NAN),
            None => f64::NAN,
        };
        self.bytes.chunks_exact(size).map(one).collect()
    }

    /// The number of its elements.
    pub(super) fn count(&self) -> usize {
        self.bytes.len() / (self.dtype.bitsize() / 8)
    }

    /// Nested arrays of numbers.
    pub(super) fn to_json(&self) -> Value {
        self.rows().to_json()
    }

    /// The rows along the first axis, sorted by this key of their JSON.
    pub(super) fn sorted_by<K: Ord>(&self, key: impl Fn(&Value) -> K) -> Self {
        let size = self.bytes.len() / self.shape.first().copied().unwrap_or(1).max(1);
        let mut rows: Vec<(K, &[u8])> = self
            .rows()
            .inner()
            .zip(self.bytes.chunks(size.max(1)))
            .map(|(row, bytes)| (key(&row.to_json()), bytes))
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let bytes = rows.into_iter().flat_map(|(_, bytes)| bytes).copied().collect();
        Self { dtype: self.dtype, shape: self.shape.clone(), bytes }
    }

    /// The whole array, to be read.
    pub(super) fn rows(&self) -> Rows<'_> {
        Rows { dtype: self.dtype, shape: &self.shape, bytes: &self.bytes }
    }
}

/// An array, or a part of one with fewer axes; without axes it is a number.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    bytes: &'a [u8],
}

impl<'a> Rows<'a> {
    /// The parts along the first axis.
    pub(super) fn inner(self) -> impl ExactSizeIterator<Item = Rows<'a>> {
        let (count, shape) = self.shape.split_first().map_or((0, self.shape), |(count, shape)| (*count, shape));
        let size = self.bytes.len() / count.max(1);
        (0..count).map(move |row| Rows { shape, bytes: &self.bytes[row * size..(row + 1) * size], ..self })
    }

    /// The number, if there are no axes.
    pub(super) fn number(self) -> Option<Number> {
        self.shape.is_empty().then(|| Number::read(self.dtype, self.bytes).expect("BUG: the bytes were counted"))
    }

    /// A copy of this part.
    pub(super) fn to_numbers(self) -> Numbers {
        Numbers { dtype: self.dtype, shape: self.shape.into(), bytes: self.bytes.into() }
    }

    fn to_json(self) -> Value {
        self.number().map_or_else(|| self.inner().map(Rows::to_json).collect(), Number::to_json)
    }
}

impl IntoDeserializer<'_, Error> for Rows<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Rows<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(number) = self.number() else {
            return visitor.visit_seq(SeqDeserializer::new(self.inner()));
        };
        match number {
            Number::Bool(value) => visitor.visit_bool(value),
            Number::I8(value) => visitor.visit_i8(value),
            Number::I16(value) => visitor.visit_i16(value),
            Number::I32(value) => visitor.visit_i32(value),
            Number::I64(value) => visitor.visit_i64(value),
            Number::U8(value) => visitor.visit_u8(value),
            Number::U16(value) => visitor.visit_u16(value),
            Number::U32(value) => visitor.visit_u32(value),
            Number::U64(value) => visitor.visit_u64(value),
            Number::F32(value) => visitor.visit_f32(value),
            Number::F64(value) => visitor.visit_f64(value),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.dtype == Dtype::U8 { visitor.visit_bytes(self.bytes) } else { self.deserialize_any(visitor) }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct seq tuple tuple_struct
        map struct enum identifier ignored_any
    }
}

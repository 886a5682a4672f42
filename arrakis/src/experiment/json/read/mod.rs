//! A serde deserializer over JSON values that reads back NaN, the infinities, and the large arrays beside the JSON.

mod key;
mod source;
mod value;

pub(super) use source::Lossless;

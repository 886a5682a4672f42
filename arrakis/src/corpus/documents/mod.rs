//! The documents of a corpus, one at a time.

mod document;
mod json_lines;
mod lines;
#[cfg(feature = "parquet")]
mod parquet;
mod stream;
mod whole_file;

pub(super) use document::Content;
pub(super) use stream::Stream;

#[cfg(test)]
use stream::all;

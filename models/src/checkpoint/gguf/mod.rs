//! GGUF, the format of llama.cpp: one file with the weights, the architecture and the tokenizer
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>).

mod architecture;
mod blocks;
mod config;
mod container;
mod gguf_file;
mod tokenizer;
mod value;

pub(super) use gguf_file::GgufFile;
pub(crate) use gguf_file::{is_gguf, read_model};

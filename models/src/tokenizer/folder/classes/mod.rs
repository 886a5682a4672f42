//! The classes of transformers 5 that build their tokenizer anew. Each file has the parts of one kind.
//!
//! To add one: write its file, and add one row to the list `classes!`.

use super::class::Class;

/// Declares the classes. A row is the file and its constants.
macro_rules! classes {
    ($($file:ident [$($CLASS:ident),*],)*) => {
        $(mod $file;)*

        /// Every class that is known by name.
        pub(super) const CLASSES: &[&Class] = &[$($(&$file::$CLASS),*),*];
    };
}

classes! {
    bert [BERT],
    cohere [COHERE],
    gemma [GEMMA],
    gpt2 [GPT2, CODEGEN],
    gpt_neox [GPT_NEOX],
    llama [LLAMA, CODE_LLAMA],
    qwen2 [QWEN2, QWEN3_5],
    roberta [ROBERTA],
}

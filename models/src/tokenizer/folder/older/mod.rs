//! Vocabularies in files older than `tokenizer.json`.

mod merges;
mod proto;
mod sentencepiece;
mod vocab;

use std::path::Path;

use super::build::Bare;
use super::class::{Class, Older, Parts};
use super::settings::Settings;
use crate::error::Result;

/// The tokenizer of the older files that a class reads; `None` if they are not there.
///
/// # Errors
///
/// [`crate::Error::File`] if one of them is broken.
pub(super) fn read(folder: &Path, class: &Class, parts: &Parts, settings: &mut Settings) -> Result<Option<Bare>> {
    match class.older {
        Older::VocabAndMerges => vocab::and_merges(folder, parts, settings),
        Older::VocabTxt => vocab::txt(folder, parts, settings),
        Older::SentencePiece => sentencepiece::read(folder, class, parts, settings),
    }
}

/// The older files of a folder of which nothing says the class.
pub(super) fn there(folder: &Path) -> Option<Older> {
    let there = |file: &str| folder.join(file).is_file();
    if there("vocab.json") && there("merges.txt") {
        Some(Older::VocabAndMerges)
    } else {
        there("vocab.txt").then_some(Older::VocabTxt)
    }
}

/// What to do with a vocabulary that is not read.
pub(super) const CONVERT: &str =
    "convert it in Python: `AutoTokenizer.from_pretrained(folder).save_pretrained(folder)` writes a tokenizer.json";

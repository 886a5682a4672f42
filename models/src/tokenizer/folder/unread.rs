//! Vocabularies that lie in a folder and are not read.

use std::path::Path;

use super::older::CONVERT;
use crate::tokenizer::Tokenizer;

/// Vocabularies, as files that belong together, and what they are.
const KINDS: [(&[&str], &str); 8] = [
    (&["vocab.json", "merges.txt"], "a byte-pair vocabulary of a class that is not known"),
    (&["vocab.json"], "a vocabulary without merges"),
    (&["vocab.txt"], "a vocabulary of a class that is not known"),
    (&["tekken.json"], "Mistral's tekken vocabulary"),
    (&["tiktoken.model"], "a tiktoken vocabulary"),
    (&["tokenizer.model"], "a vocabulary that is not SentencePiece's"),
    (&["spiece.model"], "a SentencePiece model of a class that is not read"),
    (&["sentencepiece.bpe.model"], "a SentencePiece model of a class that is not read"),
];

impl Tokenizer {
    /// Which vocabulary lies in a folder without a tokenizer that can be read, and what to do with it.
    pub fn unread(folder: &Path) -> Option<String> {
        let there = |files: &[&str]| files.iter().all(|file| folder.join(file).is_file());
        let (files, what) = KINDS.iter().find(|(files, _)| there(files))?;
        Some(format!("{} is {what}; {CONVERT}", files.join(" with ")))
    }
}

//! GPT-2's class: byte-level pairs.

use super::super::class::{Class, Older, Parts, Template, byte_level};
use super::super::settings::Settings;

/// GPT-2 and the many that share its vocabulary's form.
pub(super) const GPT2: Class = Class {
    names: &["GPT2Tokenizer"],
    tokens: &[("bos_token", END), ("eos_token", END), ("unk_token", END)],
    extra: &[],
    older: Older::VocabAndMerges,
    parts: Some(parts),
    template: Template::Given,
    wants_bos: false,
};

/// `CodeGen`'s, which Phi names.
pub(super) const CODEGEN: Class = Class { names: &["CodeGenTokenizer"], ..GPT2 };

pub(super) const END: &str = "<|endoftext|>";

pub(super) fn parts(settings: &Settings) -> Parts {
    let prefix = settings.flag("add_prefix_space").unwrap_or(false);
    Parts {
        pre_tokenizer: byte_level(prefix, true),
        decoder: byte_level(true, true),
        affixes: Some(""),
        ..Parts::default()
    }
}

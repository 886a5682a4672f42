//! `SentencePiece`'s `tokenizer.model`.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::{NormalizerWrapper, Precompiled, Sequence};
use tokenizers::{AddedToken, ModelWrapper};

use super::super::build::{Bare, Built, byte_pairs};
use super::super::class::{Class, Parts};
use super::super::settings::Settings;
use super::merges;
use super::proto::{ModelProto, Piece};
use crate::error::Result;
use crate::ground::files::{bytes, is_there};
use crate::tokenizer::failed;

/// Limit on the bytes of a model. Gemma's, the largest, takes a sixteenth of it.
const LIMIT: u64 = 64 << 20;

/// A piece of text, a token of control, a symbol of the user's.
const NORMAL: u64 = 1;
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;

/// The tokenizer of a `tokenizer.model`; `None` if there is none, or a file of another kind has this name.
pub(super) fn read(folder: &Path, class: &Class, parts: &Parts, settings: &mut Settings) -> Result<Option<Bare>> {
    let path = folder.join("tokenizer.model");
    if !is_there(&path)? {
        return Ok(None);
    }
    let Some(model) = ModelProto::read(&bytes(&path, LIMIT)?) else { return Ok(None) };
    if !settings.lists_extra() {
        settings.extra.extend(model.pieces.iter().filter_map(special));
    }
    let built = if class.parts.is_some() { of_class(&model, parts, settings) } else { of_itself(&model, settings) };
    built.map(Some).map_err(|error| failed("load", &*error))
}

/// Pieces that are found in a text before it is split.
fn special(piece: &Piece) -> Option<AddedToken> {
    let token = || AddedToken::from(piece.text.clone(), piece.kind == CONTROL).normalized(false);
    [CONTROL, USER_DEFINED].contains(&piece.kind).then(token)
}

/// The vocabulary inside the parts of a class, which are the same for all of its models.
fn of_class(model: &ModelProto, parts: &Parts, settings: &Settings) -> Built<Bare> {
    let vocab: HashMap<&str, usize> =
        model.pieces.iter().enumerate().map(|(id, piece)| (piece.text.as_str(), id)).collect();
    let pieces = model.pieces.iter().map(|piece| piece.text.clone()).collect::<Vec<_>>();
    let model = pairs(&pieces, &merges::by_id(&vocab), &json!({}))?;
    Bare::new(byte_pairs(model, parts, settings), parts)
}

/// The vocabulary inside the parts that the model itself asks for (`SpmConverter.build_tokenizer_from_spm_proto`).
fn of_itself(model: &ModelProto, settings: &mut Settings) -> Built<Bare> {
    let names = renamed(model, settings);
    let legacy = settings.flag("legacy").unwrap_or(true);
    let user_defined: Vec<&str> = model
        .pieces
        .iter()
        .zip(&names)
        .filter(|(piece, _)| piece.kind == USER_DEFINED)
        .map(|(_, name)| name.as_str())
        .collect();
    let own: HashSet<&str> =
        model.pieces.iter().filter(|piece| piece.kind == USER_DEFINED).map(|p| p.text.as_str()).collect();
    settings.extra.retain(|token| !own.contains(token.content.as_str()));
    if model.normalizer.add_dummy_prefix {
        settings.added.values_mut().for_each(|token| token.normalized = false);
    }
    for (role, (id, text)) in
        [("bos_token", &model.trainer.bos), ("eos_token", &model.trainer.eos), ("unk_token", &model.trainer.unk)]
    {
        if *id >= 0 {
            settings.default_role(role, text);
        }
    }
    let parts = Parts {
        pre_tokenizer: pre_tokenizer(model, &user_defined, legacy),
        decoder: decoder(model),
        ..Parts::default()
    };
    let mut bare = Bare::new(vocabulary(model, &names, !user_defined.is_empty())?, &parts)?;
    bare.inner.with_normalizer(Some(normalizer(model, legacy)?));
    Ok(bare)
}

/// The pieces, with the names that added tokens give to their ids.
fn renamed(model: &ModelProto, settings: &Settings) -> Vec<String> {
    let name = |id: usize| settings.added.get(&(id as i64)).map(|token| token.content.as_str());
    let kept: HashSet<&str> = model
        .pieces
        .iter()
        .enumerate()
        .filter(|(id, _)| model.trainer.model_type != 1 && name(*id).is_none())
        .map(|(_, piece)| piece.text.as_str())
        .collect();
    let new = |id| name(id).filter(|name| model.trainer.model_type != 1 && !kept.contains(name));
    model.pieces.iter().enumerate().map(|(id, piece)| new(id).unwrap_or(&piece.text).to_owned()).collect()
}

fn vocabulary(model: &ModelProto, names: &[String], ignore_merges: bool) -> Built<ModelWrapper> {
    let byte_fallback = model.trainer.byte_fallback;
    if model.trainer.model_type == 1 {
        let scored = names.iter().cloned().zip(model.pieces.iter().map(|piece| f64::from(piece.score))).collect();
        let unk = usize::try_from(model.trainer.unk.0).ok();
        return Ok(Unigram::from(scored, unk, byte_fallback)?.into());
    }
    let normal = model.pieces.iter().zip(names).enumerate().filter(|(_, (piece, _))| piece.kind == NORMAL);
    let normal: HashMap<&str, (f32, usize)> =
        normal.map(|(id, (piece, name))| (name.as_str(), (piece.score, id))).collect();
    let options = json!({
        "unk_token": model.trainer.unk.1, "fuse_unk": true, "byte_fallback": byte_fallback, "ignore_merges": ignore_merges
    });
    Ok(pairs(names, &merges::by_score(&normal), &options)?.into())
}

/// A byte-pair model.
fn pairs(pieces: &[String], merges: &[(String, String)], options: &Value) -> Built<BPE> {
    let vocab: Map<String, Value> = pieces.iter().enumerate().map(|(id, piece)| (piece.clone(), id.into())).collect();
    let mut model = json!({ "type": "BPE", "vocab": vocab, "merges": merges });
    for (key, value) in options.as_object().into_iter().flatten() {
        model[key] = value.clone();
    }
    Ok(serde_json::from_str(&model.to_string())?)
}

/// What `SentencePiece` does to a text, in its order.
fn normalizer(model: &ModelProto, legacy: bool) -> Built<NormalizerWrapper> {
    let spec = &model.normalizer;
    let replace = |pattern: Value, content: &str| json!({ "type": "Replace", "pattern": pattern, "content": content });
    let regex = |pattern: &str, content: &str| replace(json!({ "Regex": pattern }), content);
    let mut steps = Vec::new();
    if spec.remove_extra_whitespaces {
        // Only spaces count: SentencePiece leaves other white space, such as line ends, alone.
        steps.extend([regex(r"\A +| +\z", ""), regex(" {2,}", " ")]);
    }
    if spec.escape_whitespaces {
        steps.push(replace(json!({ "String": " " }), "▁"));
    }
    if spec.add_dummy_prefix && legacy {
        // The pre-tokenizer puts nothing before a text that starts with this sign. SentencePiece does.
        steps.push(regex(r"\A▁", "▁▁"));
    }
    let mut all = Vec::new();
    if !spec.charsmap.is_empty() {
        all.push(NormalizerWrapper::Precompiled(Precompiled::from(&spec.charsmap)?));
    }
    for step in steps {
        all.push(serde_json::from_value(step)?);
    }
    Ok(Sequence::new(all).into())
}

fn pre_tokenizer(model: &ModelProto, user_defined: &[&str], legacy: bool) -> Value {
    let mut steps = Vec::new();
    if model.normalizer.add_dummy_prefix {
        let scheme = if legacy { "always" } else { "first" };
        steps.push(json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false }));
    }
    if !user_defined.is_empty() {
        // SentencePiece takes a user's symbol whole, the longest first.
        let mut symbols = user_defined.to_vec();
        symbols.sort_by_key(|symbol| std::cmp::Reverse(symbol.chars().count()));
        let pattern = symbols.iter().map(|symbol| escaped(symbol)).collect::<Vec<_>>().join("|");
        steps
            .push(json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false }));
    }
    if steps.is_empty() { Value::Null } else { json!({ "type": "Sequence", "pretokenizers": steps }) }
}

/// A text as a pattern that fits exactly it.
fn escaped(text: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$#&-~".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

fn decoder(model: &ModelProto) -> Value {
    let (bytes, prefix) = (model.trainer.byte_fallback, model.normalizer.add_dummy_prefix);
    let mut steps = vec![json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " })];
    steps.extend(bytes.then(|| json!({ "type": "ByteFallback" })));
    steps.extend((bytes || prefix).then(|| json!({ "type": "Fuse" })));
    steps.extend(prefix.then(|| json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 })));
    json!({ "type": "Sequence", "decoders": steps })
}

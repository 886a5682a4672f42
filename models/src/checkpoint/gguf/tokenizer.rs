//! The tokenizer of a GGUF file as a `tokenizer.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::value::Value;

/// Kinds of tokens in the file: control tokens are special, and user-defined ones are found before the text is cut.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// Limit on the bytes of a token that is put together from others.
const LONGEST: usize = 1_000;

/// How Llama 3 cuts text.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How Qwen 2 cuts text.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The roles of tokens in the file, and their names in `tokenizer_config.json`.
const ROLES: [(&str, &str); 7] = [
    ("bos_token_id", "bos_token"),
    ("eos_token_id", "eos_token"),
    ("unknown_token_id", "unk_token"),
    ("seperator_token_id", "sep_token"),
    ("padding_token_id", "pad_token"),
    ("cls_token_id", "cls_token"),
    ("mask_token_id", "mask_token"),
];

/// The tokenizer of a file.
pub(crate) struct GgufTokenizer {
    /// As a `tokenizer.json`.
    pub(crate) json: Json,
    /// The roles of its tokens and its chat templates, as a `tokenizer_config.json`.
    pub(crate) settings: Json,
}

/// The tokenizer, or why it cannot be expressed.
pub(super) fn tokenizer(table: &BTreeMap<String, Value>) -> Result<GgufTokenizer, String> {
    let vocabulary = Vocabulary::of(table)?;
    let mut json = match vocabulary.text("model").unwrap_or("absent") {
        "gpt2" => vocabulary.byte_level()?,
        "llama" => vocabulary.sentence_pieces()?,
        other => return Err(format!("its tokenizer is of the kind `{other}`, but only gpt2 and llama are read")),
    };
    json["added_tokens"] = vocabulary.added();
    json["version"] = "1.0".into();
    if let (Some(id), true) = (vocabulary.number("bos_token_id"), vocabulary.begins_with_bos()) {
        json["post_processor"] = vocabulary.template(id)?;
    }
    Ok(GgufTokenizer { json, settings: vocabulary.settings() })
}

struct Vocabulary<'a> {
    table: &'a BTreeMap<String, Value>,
    tokens: Vec<&'a str>,
}

impl<'a> Vocabulary<'a> {
    fn of(table: &'a BTreeMap<String, Value>) -> Result<Self, String> {
        let listed = table.get("tokenizer.ggml.tokens").and_then(Value::list).ok_or("it has no tokenizer")?;
        let tokens = listed.iter().map(Value::text).collect::<Option<Vec<_>>>();
        Ok(Self { table, tokens: tokens.ok_or("its tokens are not all texts")? })
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.table.get(&format!("tokenizer.ggml.{key}"))
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Value::text)
    }

    fn number(&self, key: &str) -> Option<usize> {
        self.get(key).and_then(Value::count).filter(|id| *id < self.tokens.len())
    }

    fn ids(&self) -> Map<String, Json> {
        self.tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), id.into())).collect()
    }

    /// Tokens that are found before the text is cut.
    fn added(&self) -> Json {
        let kinds = self.get("token_type").and_then(Value::list).unwrap_or_default();
        let added = self.tokens.iter().zip(kinds).enumerate().filter_map(|(id, (token, kind))| {
            let special = *kind == Value::Whole(CONTROL);
            let found = special || *kind == Value::Whole(USER_DEFINED);
            found.then(|| {
                json!({
                    "id": id, "content": token, "special": special, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false
                })
            })
        });
        added.collect()
    }

    /// What transformers keeps in `tokenizer_config.json`.
    fn settings(&self) -> Json {
        let mut settings = json!({ "tokenizer_class": "TokenizersBackend" });
        for (key, role) in ROLES {
            if let Some(token) = self.number(key).and_then(|id| self.tokens.get(id)) {
                settings[role] = (*token).into();
            }
        }
        if self.begins_with_bos() {
            settings["add_bos_token"] = true.into();
        }
        let templates = self.chat_templates();
        if let [(name, only)] = templates.as_slice()
            && *name == "default"
        {
            settings["chat_template"] = (*only).into();
        } else if !templates.is_empty() {
            settings["chat_template"] =
                templates.iter().map(|(name, text)| json!({ "name": name, "template": text })).collect();
        }
        settings
    }

    /// Chat templates by name: `tokenizer.chat_template` is the default one, `tokenizer.chat_template.NAME` another.
    fn chat_templates(&self) -> Vec<(&'a str, &'a str)> {
        let named = |(key, value): (&'a String, &'a Value)| {
            let rest = key.strip_prefix("tokenizer.chat_template")?;
            let name = if rest.is_empty() { "default" } else { rest.strip_prefix('.')? };
            Some((name, value.text()?))
        };
        self.table.iter().filter_map(named).collect()
    }

    /// A byte-level vocabulary with merges (GPT-2, Llama 3, Qwen).
    fn byte_level(&self) -> Result<Json, String> {
        let cut = self.text("pre").unwrap_or("gpt-2");
        let plain = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true });
        let by = |pattern: &str| {
            json!({ "type": "Sequence", "pretokenizers": [
                { "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false },
                { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false },
            ]})
        };
        let (pre_tokenizer, normalizer) = match cut {
            "gpt-2" | "gpt2" => (plain, Json::Null),
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" => {
                let digits = json!({ "type": "Digits", "individual_digits": true });
                (json!({ "type": "Sequence", "pretokenizers": [digits, plain] }), Json::Null)
            }
            "llama-bpe" | "llama3" | "llama-v3" => (by(LLAMA3), Json::Null),
            "qwen2" => (by(QWEN2), json!({ "type": "NFC" })),
            other => return Err(format!("its text is cut in the way `{other}`, which is not known")),
        };
        let merges = self.get("merges").and_then(Value::list).ok_or("it has no merges")?;
        let merges = merges.iter().map(|merge| merge.text()?.split_once(' ')).collect::<Option<Vec<(&str, &str)>>>();
        let merges = merges.ok_or("its merges are not pairs of texts")?;
        Ok(json!({
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
            "model": {
                "type": "BPE", "vocab": self.ids(), "merges": merges, "ignore_merges": matches!(cut, "llama-bpe" | "llama3" | "llama-v3"),
                "fuse_unk": false, "byte_fallback": false
            },
        }))
    }

    /// A vocabulary of SentencePiece with scores (Llama 2), as the merges that give the same cuts.
    fn sentence_pieces(&self) -> Result<Json, String> {
        let scores = self.get("scores").and_then(Value::list).unwrap_or_default();
        let scores: Vec<f64> = scores.iter().filter_map(Value::number).collect();
        if scores.len() != self.tokens.len() {
            return Err("its tokens do not have a score each".into());
        }
        if let Some(long) = self.tokens.iter().map(|token| token.len()).find(|length| *length > LONGEST) {
            return Err(format!("it has a token of {long} bytes, more than any model's"));
        }
        let unknown = self.number("unknown_token_id").and_then(|id| self.tokens.get(id));
        let front = self.get("add_space_prefix").and_then(Value::flag).unwrap_or(true);
        let spaces = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
        let normalizer = if front {
            json!({ "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "▁" }, spaces] })
        } else {
            spaces
        };
        let mut decoders = vec![
            json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
            json!({ "type": "ByteFallback" }),
            json!({ "type": "Fuse" }),
        ];
        decoders.extend(front.then(|| json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 })));
        Ok(json!({
            "normalizer": normalizer,
            "pre_tokenizer": null,
            "decoder": { "type": "Sequence", "decoders": decoders },
            "model": {
                "type": "BPE", "vocab": self.ids(), "merges": merges(&self.tokens, &scores), "unk_token": unknown, "fuse_unk": true,
                "byte_fallback": true
            },
        }))
    }

    /// Whether a text begins with a BOS: as the file says, else as llama.cpp does.
    fn begins_with_bos(&self) -> bool {
        let usual = self.text("model") == Some("llama")
            || matches!(self.text("pre"), Some("llama-bpe" | "llama3" | "llama-v3"));
        self.get("add_bos_token").and_then(Value::flag).unwrap_or(usual)
    }

    fn template(&self, bos: usize) -> Result<Json, String> {
        let token = self.tokens.get(bos).ok_or("its BOS is not a token")?;
        let (first, text) = (
            json!({ "SpecialToken": { "id": token, "type_id": 0 } }),
            |id: &str, kind: usize| json!({ "Sequence": { "id": id, "type_id": kind } }),
        );
        let second = json!({ "SpecialToken": { "id": token, "type_id": 1 } });
        Ok(json!({
            "type": "TemplateProcessing",
            "single": [first, text("A", 0)],
            "pair": [first, text("A", 0), second, text("B", 1)],
            "special_tokens": { *token: { "id": token, "ids": [bos], "tokens": [token] } },
        }))
    }
}

/// Every way to put a token together from two others; better scores first, then as transformers orders them.
fn merges<'a>(tokens: &[&'a str], scores: &[f64]) -> Vec<(&'a str, &'a str)> {
    let ids: BTreeMap<&str, usize> = tokens.iter().enumerate().map(|(id, token)| (*token, id)).collect();
    let mut found: Vec<(f64, &str, &str)> = Vec::new();
    for (token, score) in tokens.iter().zip(scores) {
        let cuts = token.char_indices().skip(1).map(|(at, _)| token.split_at(at));
        let mut own: Vec<(&str, &str)> =
            cuts.filter(|(left, right)| ids.contains_key(left) && ids.contains_key(right)).collect();
        own.sort_by_key(|(left, right)| std::cmp::Reverse((ids[left], ids[right])));
        found.extend(own.into_iter().map(|(left, right)| (*score, left, right)));
    }
    let length = |text: &str| text.chars().count();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(length(b.1).cmp(&length(a.1))).then(length(b.2).cmp(&length(a.2))));
    found.into_iter().map(|(_, left, right)| (left, right)).collect()
}

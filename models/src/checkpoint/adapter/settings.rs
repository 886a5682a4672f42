//! `adapter_config.json`, read as PEFT reads it.

use std::path::Path;

use regex::RegexBuilder;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::ground::files::{is_there, read_config};

/// The file that makes a folder an adapter.
const FILE: &str = "adapter_config.json";

/// Limit on the bytes that a compiled pattern of module names may take.
const PATTERN: usize = 1 << 20;

/// Keys that do not change what an adapter computes: how it was trained, or which modules it has, which its tensors say.
const HARMLESS: &[&str] = &[
    "auto_mapping",
    "base_model_name_or_path",
    "corda_config",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_dropout",
    "lora_ga_config",
    "megatron_core",
    "modules_to_save",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "velora_config",
];

/// Keys that are read here, or whose effect is in the adapter's tensors and in the base model's layout.
const READ: [&str; 10] = [
    "alpha_pattern",
    "bias",
    "fan_in_fan_out",
    "lora_alpha",
    "lora_bias",
    "peft_type",
    "r",
    "rank_pattern",
    "use_dora",
    "use_rslora",
];

/// Ways to start the training that leave the base model as it is. The others take their start out of its weights.
const STARTS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

/// What an adapter's config says.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Settings {
    /// The model it was trained on.
    pub(in crate::checkpoint) base: Option<String>,
    keys: Map<String, Value>,
}

/// What an adapter in this folder says about itself, such as "a LORA adapter of `gpt2`"; `None` if there is none.
pub(in crate::checkpoint) fn lies_in(folder: &Path) -> Option<String> {
    let path = folder.join(FILE);
    if !path.is_file() {
        return None;
    }
    let word = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(shown);
    let (kind, base) = read_config(&path)
        .map_or((None, None), |config| (word(&config, "peft_type"), word(&config, "base_model_name_or_path")));
    let kind = kind.map_or_else(|| "an adapter".to_owned(), |kind| format!("a {kind} adapter"));
    Some(base.map_or_else(|| format!("{kind} ({FILE})"), |base| format!("{kind} of the base model `{base}`")))
}

/// A name from a file, on one line.
fn shown(name: &str) -> String {
    name.escape_debug().take(200).collect()
}

impl Settings {
    /// Reads the config of an adapter's folder.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for an adapter of another kind, or a setting that is not supported.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        if !is_there(&path)? {
            return Err(Error::file(folder, format!("no adapter here: it needs {FILE} and adapter_model.safetensors")));
        }
        let Value::Object(keys) = read_config(&path)? else {
            return Err(Error::file(&path, "it must be a JSON object, {...}"));
        };
        Self::of(keys).map_err(|problem| Error::file(&path, problem))
    }

    fn of(keys: Map<String, Value>) -> Result<Self, String> {
        let kind = keys.get("peft_type").and_then(Value::as_str).unwrap_or("absent");
        if kind != "LORA" {
            let kind = shown(kind);
            return Err(format!(
                "`peft_type` is {kind}, but only LORA is merged; merge it in Python with `merge_and_unload()`"
            ));
        }
        let base = keys.get("base_model_name_or_path").and_then(Value::as_str).map(shown);
        let settings = Self { base, keys };
        settings.check()?;
        Ok(settings)
    }

    /// Refuses settings that change numbers and are not supported.
    fn check(&self) -> Result<(), String> {
        for (key, value) in &self.keys {
            if !HARMLESS.iter().chain(&READ).any(|known| known == key) && is_on(value) {
                return Err(format!(
                    "`{}` is {}, which is not supported; merge the adapter in Python with `merge_and_unload()`",
                    shown(key),
                    shown(&value.to_string())
                ));
            }
        }
        match self.keys.get("init_lora_weights").and_then(Value::as_str) {
            Some(start) if !STARTS.contains(&start) => Err(format!(
                "`init_lora_weights` is \"{}\": PEFT takes that start out of the base model's weights again on loading; merge the \
                 adapter in Python with `merge_and_unload()`",
                shown(start)
            )),
            _ => Ok(()),
        }
    }

    /// The factor of a module's product: `alpha / r`, or `alpha / sqrt(r)` for rank-stabilised LoRA (Kalajdzievski, 2023).
    ///
    /// # Errors
    ///
    /// A sentence about a setting that is not valid.
    pub(super) fn scaling(&self, module: &str, rank: usize) -> Result<f64, String> {
        let alpha = self.by_pattern("alpha_pattern", module)?.or_else(|| self.keys.get("lora_alpha"));
        // The default of PEFT.
        let alpha = alpha.map_or(Some(8.0), Value::as_f64).filter(|alpha| alpha.is_finite());
        let alpha = alpha.ok_or("`lora_alpha` and the values of `alpha_pattern` must be finite numbers")?;
        let stabilised = self.keys.get("use_rslora").and_then(Value::as_bool).unwrap_or(false);
        let ranks = rank as f64;
        Ok(alpha / if stabilised { ranks.sqrt() } else { ranks })
    }

    /// The value of the first pattern that fits a module: a regular expression for the end of its name, as in PEFT.
    fn by_pattern(&self, key: &str, module: &str) -> Result<Option<&Value>, String> {
        for (pattern, value) in self.keys.get(key).and_then(Value::as_object).into_iter().flatten() {
            let whole = format!(r"^(?:.*\.)?(?:{pattern})$");
            let regex = RegexBuilder::new(&whole).size_limit(PATTERN).build().map_err(|_| {
                format!(
                    "`{key}` has the pattern `{}`, which cannot be read; write the names of modules out",
                    shown(pattern)
                )
            })?;
            if regex.is_match(module) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

/// Whether a key that is not known says something.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(on) => *on,
        Value::Array(items) => !items.is_empty(),
        Value::Object(keys) => !keys.is_empty(),
        Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(more: &Value) -> Result<Settings, String> {
        let mut keys = json!({ "peft_type": "LORA", "lora_alpha": 6 }).as_object().unwrap().clone();
        keys.extend(more.as_object().unwrap().clone());
        Settings::of(keys)
    }

    #[test]
    fn the_scaling_by_hand() {
        assert_eq!(settings(&json!({})).unwrap().scaling("model.layers.0.q_proj", 4).unwrap(), 1.5);
        assert_eq!(settings(&json!({ "use_rslora": true })).unwrap().scaling("q_proj", 4).unwrap(), 3.0);
        let patterns = json!({ "alpha_pattern": { "^a.q_proj": 1, r"layers\.(0|2)\.q_proj": 2, "k_proj": 8 } });
        let patterns = settings(&patterns).unwrap();
        for (module, alpha) in [
            ("a.q_proj", 1.0),
            ("b.a.q_proj", 6.0),
            ("m.layers.2.q_proj", 2.0),
            ("m.layers.1.q_proj", 6.0),
            ("kk_proj", 6.0),
            ("b.k_proj", 8.0),
        ] {
            assert_eq!(patterns.scaling(module, 1).unwrap(), alpha, "{module}");
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (more, said) in [
            (
                json!({ "peft_type": "IA3" }),
                "`peft_type` is IA3, but only LORA is merged; merge it in Python with `merge_and_unload()`",
            ),
            (
                json!({ "target_parameters": ["experts.down_proj"] }),
                "`target_parameters` is [\\\"experts.down_proj\\\"], which is not supported; merge the adapter in Python with `merge_and_unload()`",
            ),
            (
                json!({ "init_lora_weights": "pissa" }),
                "`init_lora_weights` is \"pissa\": PEFT takes that start out of the base model's weights again on loading; merge the adapter in Python with `merge_and_unload()`",
            ),
        ] {
            assert_eq!(settings(&more).unwrap_err(), said);
        }
        assert!(settings(&json!({ "new_and_off": null, "also_off": false, "init_lora_weights": "gaussian" })).is_ok());
        let endless = settings(&json!({ "alpha_pattern": { "(a{1000}){1000}": 1 } })).unwrap();
        assert!(endless.scaling("a", 1).unwrap_err().contains("which cannot be read"));
    }
}

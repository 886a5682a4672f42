//! What lies in a folder that cannot be loaded, and what to give instead.

use std::path::{Path, PathBuf};

use super::adapter;
use crate::error::{Error, Result};

/// Limit on the entries of a folder that are looked at, and on the names that are told.
const LOOKED_AT: usize = 10_000;
const TOLD: usize = 3;

/// The names in a folder, in order.
struct Names(Vec<String>);

/// A kind of folder: what it holds and what to do, if it is of this kind.
type Kind = fn(&Path, &Names) -> Option<String>;

/// The kinds of folders without a model to load, from the surest sign to the weakest.
const KINDS: [Kind; 12] = [
    cache_root,
    cache,
    adapter_alone,
    original_layout,
    gguf,
    variant,
    unfinished,
    training_output,
    sharded_training,
    other_library,
    other_name,
    subfolder,
];

/// Refuses a folder that holds no model but something else.
///
/// # Errors
///
/// [`Error::File`] saying what lies there and what to give instead.
pub(crate) fn check_folder(folder: &Path) -> Result<()> {
    if Names::of(folder).any(|name| name == "config.json" || name == "arrakis.json") {
        return Ok(());
    }
    match what_lies_there(folder) {
        Some(lies) => Err(Error::file(folder, format!("no config.json here: {lies}"))),
        None => Ok(()),
    }
}

/// The GGUF file of a folder that holds no other model.
pub(crate) fn only_gguf(folder: &Path) -> Option<PathBuf> {
    let names = Names::of(folder);
    let mut files = names.0.iter().filter(|name| has_end(name, "gguf"));
    let only = files.next().filter(|_| files.next().is_none() && !names.has("config.json"))?;
    Some(folder.join(only))
}

/// Why a folder has no weights, as far as its files tell.
pub(super) fn no_weights(folder: &Path) -> String {
    let usual = "it needs model.safetensors, model.safetensors.index.json with its shards, or pytorch_model.bin";
    format!("no weights here: {}", what_lies_there(folder).unwrap_or_else(|| usual.to_owned()))
}

fn what_lies_there(folder: &Path) -> Option<String> {
    let names = Names::of(folder);
    KINDS.iter().find_map(|kind| kind(folder, &names))
}

impl Names {
    fn of(folder: &Path) -> Self {
        let entries = std::fs::read_dir(folder).into_iter().flatten().take(LOOKED_AT).flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        Self(names)
    }

    fn any(&self, is: impl Fn(&str) -> bool) -> bool {
        self.0.iter().any(|name| is(name))
    }

    fn has(&self, name: &str) -> bool {
        self.any(|other| other == name)
    }

    /// The first names of a kind, for a message.
    fn told(&self, is: impl Fn(&str) -> bool) -> Option<String> {
        let found: Vec<String> =
            self.0.iter().filter(|name| is(name)).map(|name| format!("`{}`", name.escape_debug())).collect();
        let more = found.len().saturating_sub(TOLD);
        let shown = found.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!found.is_empty()).then(|| format!("{shown}{more}"))
    }
}

/// `models--owner--name`, which holds a snapshot for each revision.
fn cache_root(folder: &Path, names: &Names) -> Option<String> {
    if !(names.has("snapshots") && (names.has("refs") || names.has("blobs"))) {
        return None;
    }
    let main = std::fs::read_to_string(folder.join("refs/main")).unwrap_or_default();
    let snapshots = folder.join("snapshots");
    let within = Names::of(&snapshots);
    let snapshot = within.0.iter().find(|name| *name == main.trim()).or(within.0.last());
    let id =
        folder.file_name().and_then(|name| name.to_str()?.strip_prefix("models--").map(|id| id.replace("--", "/")));
    let id = id.map_or_else(String::new, |id| format!(", or the id `{}`", id.escape_debug()));
    Some(match snapshot {
        Some(snapshot) => format!(
            "this is the root of a model in the Hub's cache; give its snapshot, `{}`{id}",
            snapshots.join(snapshot).display()
        ),
        None => {
            format!("this is the root of a model in the Hub's cache, but no snapshot lies in it; download it again{id}")
        }
    })
}

/// The Hub's cache as a whole.
fn cache(_: &Path, names: &Names) -> Option<String> {
    let models = names.told(|name| name.starts_with("models--"))?;
    Some(format!("this is the Hub's cache, with {models}; give the id of a model, such as `gpt2`"))
}

fn adapter_alone(folder: &Path, _: &Names) -> Option<String> {
    let kind = adapter::lies_in(folder)?;
    Some(format!(
        "it holds {kind}, which is no model by itself; load the base model with `LoadOptions::adapter(..)` of this folder, or \
         merge the two in Python with `merge_and_unload()` and `save_pretrained(..)`"
    ))
}

/// The layouts in which Meta and Mistral publish weights.
fn original_layout(_: &Path, names: &Names) -> Option<String> {
    let convert = "give the checkpoint that transformers reads (model.safetensors), or convert this one with the script that \
                   transformers has for the architecture";
    if let Some(files) = names.told(|name| name.starts_with("consolidated") && is_weights(name)) {
        return Some(format!(
            "{files} holds the weights under the names of the model's authors, not of transformers; {convert}"
        ));
    }
    let original = names.has("original") || names.has("params.json");
    original.then(|| {
        let what = if names.has("original") { "`original/`" } else { "`params.json`" };
        format!("{what} is the layout of the model's authors, not of transformers; {convert}")
    })
}

fn gguf(_: &Path, names: &Names) -> Option<String> {
    let files = names.told(|name| has_end(name, "gguf"))?;
    Some(format!("{files} is in the format GGUF of llama.cpp; give the path of the file itself"))
}

/// Weights in a precision of their own, as `variant=` names them.
fn variant(_: &Path, names: &Names) -> Option<String> {
    let is = |name: &str| {
        let stem = name.strip_suffix(".safetensors").or_else(|| name.strip_suffix(".bin")).unwrap_or_default();
        stem.strip_prefix("model.")
            .or_else(|| stem.strip_prefix("pytorch_model."))
            .is_some_and(|middle| !middle.is_empty())
    };
    let files = names.told(is)?;
    Some(format!(
        "{files} is a variant; rename it model.safetensors (or pytorch_model.bin), or link it under that name"
    ))
}

fn unfinished(_: &Path, names: &Names) -> Option<String> {
    let ends = ["incomplete", "part", "crdownload", "aria2", "download"];
    let files = names.told(|name| ends.iter().any(|end| has_end(name, end)))?;
    Some(format!("{files} is a download that has not finished; let it finish, or download it again"))
}

/// The output folder of a training, with a folder for each saved step.
fn training_output(folder: &Path, names: &Names) -> Option<String> {
    let step = |name: &str| name.strip_prefix("checkpoint-").and_then(|step| step.parse::<u64>().ok());
    let (last, name) = names.0.iter().filter_map(|name| Some((step(name)?, name))).max()?;
    Some(format!(
        "this is the output folder of a training; give the checkpoint you mean: the last is of step {last}, `{}`",
        folder.join(name).display()
    ))
}

/// Weights in the parts in which DeepSpeed and FSDP save them.
fn sharded_training(_: &Path, names: &Names) -> Option<String> {
    let part = |name: &str| {
        name.starts_with("global_step") || name.starts_with("pytorch_model_fsdp") || has_end(name, "distcp")
    };
    let files = names.told(part)?;
    Some(format!(
        "{files} holds the parts of a sharded training; join them first, with the `zero_to_fp32.py` beside them (DeepSpeed) or \
         `accelerate merge-weights` (FSDP)"
    ))
}

fn other_library(_: &Path, names: &Names) -> Option<String> {
    let formats = [
        ("tf_model.h5", "TensorFlow"),
        ("flax_model.msgpack", "Flax"),
        ("rust_model.ot", "rust-bert"),
        ("model.onnx", "ONNX"),
        ("onnx", "ONNX"),
        ("openvino_model.xml", "OpenVINO"),
        ("weights.npz", "MLX"),
        ("model.ckpt.index", "TensorFlow"),
        ("model.nemo", "NeMo"),
    ];
    let (file, library) = formats.iter().find(|(file, _)| names.has(file))?;
    Some(format!(
        "`{file}` is for {library}; give the checkpoint in safetensors, or save one in Python: `AutoModelForCausalLM.from_pretrained(..).save_pretrained(..)`"
    ))
}

/// Weights of another name.
fn other_name(_: &Path, names: &Names) -> Option<String> {
    let ours = |name: &str| name.starts_with("model.") || name.starts_with("pytorch_model.");
    let files = names.told(|name| is_weights(name) && !ours(name) && !name.starts_with("training_args"))?;
    Some(format!(
        "{files} has weights under a name that is not read; if they are this model's, rename the file model.safetensors or pytorch_model.bin"
    ))
}

/// A model one folder further down.
fn subfolder(folder: &Path, names: &Names) -> Option<String> {
    let within = |name: &&String| folder.join(name).join("config.json").is_file();
    let found: Vec<PathBuf> = names.0.iter().filter(within).map(|name| folder.join(name)).take(TOLD).collect();
    let shown: Vec<String> = found.iter().map(|path| format!("`{}`", path.display())).collect();
    (!shown.is_empty()).then(|| format!("a model lies one folder further down; give {}", shown.join(" or ")))
}

fn has_end(name: &str, end: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case(end))
}

fn is_weights(name: &str) -> bool {
    ["safetensors", "bin", "pth", "pt", "ckpt"].iter().any(|end| has_end(name, end))
}

/// Says that an adapter lies beside a model and is not applied.
pub(crate) fn adapter_beside(folder: &Path) -> Option<String> {
    let kind = adapter::lies_in(folder)?;
    Some(format!(
        "`{}` also holds {kind}, which is not applied; `LoadOptions::adapter(..)` of this folder merges it",
        folder.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(files: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        no_weights(folder.path()).replace(&folder.path().display().to_string(), "HERE")
    }

    #[test]
    fn each_kind_says_what_lies_there_and_what_to_give() {
        for (files, what) in [
            (
                &["config.json"][..],
                "no weights here: it needs model.safetensors, model.safetensors.index.json with its shards, or pytorch_model.bin",
            ),
            (
                &["blobs/x", "refs/main", "snapshots/b/config.json", "snapshots/a/config.json"],
                "give its snapshot, `HERE/snapshots/b`",
            ),
            (
                &["models--a--b/refs/main", "models--gpt2/refs/main"],
                "this is the Hub's cache, with `models--a--b`, `models--gpt2`; give the id",
            ),
            (&["adapter_config.json"], "it holds an adapter (adapter_config.json), which is no model by itself"),
            (
                &["config.json", "consolidated.00.pth", "params.json"],
                "`consolidated.00.pth` holds the weights under the names of the model's authors",
            ),
            (&["config.json", "original/params.json"], "`original/` is the layout of the model's authors"),
            (&["a-Q4_K_M.gguf", "b.GGUF"], "`a-Q4_K_M.gguf`, `b.GGUF` is in the format GGUF of llama.cpp"),
            (&["config.json", "model.fp16.safetensors"], "`model.fp16.safetensors` is a variant; rename it"),
            (&["config.json", "model.safetensors.incomplete"], "is a download that has not finished"),
            (
                &["checkpoint-500/config.json", "checkpoint-1000/config.json", "runs/x"],
                "the last is of step 1000, `HERE/checkpoint-1000`",
            ),
            (&["config.json", "global_step10/x", "zero_to_fp32.py"], "join them first, with the `zero_to_fp32.py`"),
            (&["config.json", "tf_model.h5"], "`tf_model.h5` is for TensorFlow"),
            (
                &["config.json", "weights.safetensors"],
                "`weights.safetensors` has weights under a name that is not read",
            ),
            (&["0_Transformer/config.json"], "a model lies one folder further down; give `HERE/0_Transformer`"),
        ] {
            let said = said(files);
            assert!(said.contains(what), "{files:?}: {said}");
        }
    }

    #[test]
    fn an_adapter_names_its_base_model() {
        let folder = tempfile::tempdir().unwrap();
        let config = r#"{"peft_type": "LORA", "base_model_name_or_path": "meta/base"}"#;
        std::fs::write(folder.path().join("adapter_config.json"), config).unwrap();
        let said = check_folder(folder.path()).unwrap_err().to_string();
        assert_eq!(
            said.split_once(": ").unwrap().1,
            "no config.json here: it holds a LORA adapter of the base model `meta/base`, which is no model by itself; load the base \
             model with `LoadOptions::adapter(..)` of this folder, or merge the two in Python with `merge_and_unload()` and \
             `save_pretrained(..)`"
        );
        assert!(
            adapter_beside(folder.path())
                .unwrap()
                .contains("a LORA adapter of the base model `meta/base`, which is not applied")
        );
    }
}

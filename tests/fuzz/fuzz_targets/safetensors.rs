//! Bytes as a `model.safetensors`: its header alone, then the loader on a folder that holds it.

#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use arrakis_models::checkpoint::check_bytes;
use arrakis_models::{HookedAutoModel, LoadOptions};
use libfuzzer_sys::fuzz_target;

/// One layer of the smallest Llama there is: few enough names for mutations to hit them.
const CONFIG: &str = r#"{"model_type": "llama", "hidden_size": 2, "intermediate_size": 2, "num_hidden_layers": 1,
    "num_attention_heads": 1, "num_key_value_heads": 1, "vocab_size": 2, "max_position_embeddings": 4}"#;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = check_bytes(bytes) {
        assert!(!error.to_string().is_empty());
        return;
    }
    let folder = folder();
    std::fs::write(folder.join("model.safetensors"), bytes).expect("the folder is ours");
    let options = LoadOptions { device: Some("cpu".into()), quiet: true };
    if let Err(error) = HookedAutoModel::load(folder.to_str().expect("its name is text"), &options) {
        assert!(!error.to_string().is_empty());
    }
});

/// A folder of this process, in memory where the system has one.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let shared = PathBuf::from("/dev/shm");
        let parent = if shared.is_dir() { shared } else { std::env::temp_dir() };
        let folder = tempfile::tempdir_in(parent).expect("a folder for temporary files").keep();
        std::fs::write(folder.join("config.json"), CONFIG).expect("the folder is ours");
        folder
    })
}

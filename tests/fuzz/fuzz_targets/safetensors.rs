//! Fuzzes the reader of `model.safetensors`, in a folder of this process.

#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

/// One layer of the smallest possible Llama: few enough names that mutations hit them.
const CONFIG: &str = r#"{"model_type": "llama", "hidden_size": 2, "intermediate_size": 2, "num_hidden_layers": 1,
    "num_attention_heads": 1, "num_key_value_heads": 1, "vocab_size": 2, "max_position_embeddings": 4}"#;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    arrakis_fuzz::safetensors(bytes, folder());
});

/// In memory, if the system has a folder for that.
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

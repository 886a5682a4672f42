//! What is asked of the readers for any bytes at all. libFuzzer asks it without end; `tests/tests/laws/mutations.rs`, which holds
//! this same file, of thousands of inputs in every test run.

use std::path::Path;

use arrakis_models::checkpoint::check_bytes;
use arrakis_models::families::family;
use arrakis_models::site::SiteTable;
use arrakis_models::{HookedAutoConfig, HookedAutoModel, LoadOptions, TransformerConfig};

/// A refusal says at least this much, and no more than a person reads.
const SAID: std::ops::Range<usize> = 20..25_000;

/// Bytes as a `config.json`: read or refused, in every family; what is read can be used. Gives whether it was read.
pub fn config(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice(bytes) else { return false };
    let read = HookedAutoConfig::from_json(value);
    read.map(|config| used(&config)).map_err(|error| refused(&error)).is_ok()
}

/// Bytes as the `model.safetensors` of a folder with a `config.json`: the header alone, then the loader. Gives whether the
/// header was sound.
pub fn safetensors(bytes: &[u8], folder: &Path) -> bool {
    if let Err(error) = check_bytes(bytes) {
        refused(&error);
        return false;
    }
    std::fs::write(folder.join("model.safetensors"), bytes).expect("the folder is ours");
    let options = LoadOptions::new().device("cpu").quiet();
    if let Err(error) = HookedAutoModel::load(folder.to_str().expect("its name is text"), &options) {
        refused(&error);
    }
    true
}

fn refused(error: &arrakis_models::Error) {
    let said = error.to_string();
    assert!(SAID.contains(&said.len()), "{said}");
}

/// What is asked of an architecture before any weight is there.
fn used(config: &TransformerConfig) {
    assert!(config.max_positions() > 0 && config.parameters().is_some());
    let text = serde_json::to_string(config).expect("a config is plain data");
    let again: TransformerConfig = serde_json::from_str(&text).expect("what was written is read");
    assert_eq!(&again, config);
    for layer in [0, config.n_layers - 1] {
        if let Some(rope) = config.rope(layer) {
            assert_eq!(rope.frequencies(config.n_ctx).len(), rope.dims / 2);
        }
    }
    if config.n_layers <= 64 {
        let map = (family(&config.family).expect("it was read by it").weights)(config);
        assert!(map.weights.len() > config.n_layers);
        assert!(SiteTable::default().names(config).len() > config.n_layers);
    }
}

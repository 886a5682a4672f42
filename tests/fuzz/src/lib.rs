//! Properties the readers must have for any input bytes. libFuzzer checks them without end.
//! `tests/tests/laws/mutations.rs` includes this file and checks them on thousands of inputs in every test run.

use std::path::Path;

use arrakis_models::checkpoint::check_bytes;
use arrakis_models::families::family;
use arrakis_models::site::SiteTable;
use arrakis_models::{HookedAutoConfig, HookedAutoModel, LoadOptions, TransformerConfig};

/// The length limits of an error message: enough to say something, and no more than a person reads.
const SAID: std::ops::Range<usize> = 20..25_000;

/// Treats bytes as a `config.json` in every family. It must be read or refused, and a config that was read must be
/// usable. Returns whether it was read.
pub fn config(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice(bytes) else { return false };
    let read = HookedAutoConfig::from_json(value);
    read.map(|config| used(&config)).map_err(|error| refused(&error)).is_ok()
}

/// Treats bytes as the `model.safetensors` of a folder with a `config.json`: first the header alone, then the loader.
/// Returns whether the header was valid.
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

/// Properties an architecture must have before any weight is loaded.
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

//! Bytes as a `config.json`: read or refused, in every family; what is accepted can be used.

#![no_main]

use arrakis_models::families::family;
use arrakis_models::{HookedAutoConfig, TransformerConfig, conformance};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = serde_json::from_slice(bytes) else { return };
    match HookedAutoConfig::from_json(value) {
        Ok(config) => used(&config),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

/// What is asked of an architecture before any weight is there.
fn used(config: &TransformerConfig) {
    assert!(config.max_positions() > 0 && config.parameters().is_some());
    let text = serde_json::to_string(config).expect("a config is plain data");
    let again: TransformerConfig = serde_json::from_str(&text).expect("what was written is read");
    assert_eq!(&again, config);
    if let Some(rope) = config.rope(config.n_layers - 1) {
        assert_eq!(rope.frequencies(config.n_ctx).len(), rope.dims / 2);
    }
    if config.n_layers <= 64 {
        let map = (family(&config.family).expect("it was read by it").weights)(config);
        assert!(map.weights.len() > config.n_layers);
        assert!(conformance::sites(config, 0..config.n_layers, true, true).len() > config.n_layers);
    }
}

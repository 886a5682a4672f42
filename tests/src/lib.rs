//! What the tests of this folder share: the tiny checkpoints, and where they run.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

use std::path::PathBuf;
use std::sync::OnceLock;

use arrakis::models::device::{DEVICE_VARIABLE, choose};
use arrakis::models::{HookedAutoModel, HookedTransformer, LoadOptions};

/// A file or folder of `fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// One of the checkpoints of `fixtures/parity`.
pub fn load(case: &str, device: &str) -> HookedTransformer {
    let options = LoadOptions::new().device(device).quiet();
    HookedAutoModel::load(fixture("parity").join(case).to_str().unwrap(), &options).unwrap()
}

/// The devices: the one `ARRAKIS_DEVICE` names, else the CPU, and through wgpu a GPU or a software adapter where there is one.
pub fn devices() -> &'static [String] {
    static DEVICES: OnceLock<Vec<String>> = OnceLock::new();
    DEVICES.get_or_init(|| {
        if let Ok(named) = std::env::var(DEVICE_VARIABLE) {
            return vec![named];
        }
        let wgpu = ["gpu", "wgpu-software"].into_iter().find(|name| choose(Some(name)).is_ok());
        ["cpu"].into_iter().chain(wgpu).map(str::to_owned).collect()
    })
}

//! Shared by the tests of this package: the tiny checkpoints, and the devices to run them on.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use arrakis::models::device::{DEVICE_VARIABLE, choose};
use arrakis::models::{HookedAutoModel, HookedTransformer, LoadOptions, device};
use safetensors::SafeTensors;

/// A file or folder of `fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Loads one of the checkpoints of `fixtures/parity`.
pub fn load(case: &str, device: &str) -> HookedTransformer {
    let options = LoadOptions::new().device(device).quiet();
    HookedAutoModel::load(fixture("parity").join(case).to_str().unwrap(), &options).unwrap()
}

/// Token ids and the logits that another program gives for them, from `expected.safetensors` in a folder.
pub fn expected_logits(folder: &Path) -> (Vec<u32>, Vec<f32>) {
    let bytes = std::fs::read(folder.join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let data = |name: &str| file.tensor(name).unwrap().data().to_vec();
    let ids = data("input_ids").chunks_exact(8).map(|id| i64::from_le_bytes(id.try_into().unwrap()) as u32).collect();
    let logits = data("logits").chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect();
    (ids, logits)
}

/// The largest distance of a model's logits from others for the same ids.
pub fn distance(model: &HookedTransformer, ids: &[u32], logits: &[f32]) -> f32 {
    let own = device::read(model.forward(ids.to_vec()).unwrap()).unwrap();
    assert_eq!(own.len(), logits.len());
    own.iter().zip(logits).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The devices that `ARRAKIS_DEVICE` names, such as `cpu` or `cpu,wgpu-software`. Without it: the CPU, and a physical
/// GPU if there is one. A software adapter is about a hundred times slower, so it runs only when named.
pub fn devices() -> &'static [String] {
    static DEVICES: OnceLock<Vec<String>> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let named = list(DEVICE_VARIABLE);
        if !named.is_empty() {
            return named;
        }
        let gpu = choose(Some("gpu")).is_ok().then_some("gpu");
        ["cpu"].into_iter().chain(gpu).map(str::to_owned).collect()
    })
}

/// The comma-separated entries of a variable.
pub fn list(variable: &str) -> Vec<String> {
    let listed = std::env::var(variable).unwrap_or_default();
    listed.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Runs the body of a test in its own process, so that no other test changes the memory it measures.
///
/// Write the closure in the test function itself: the closure's type names the test.
pub fn alone<F: FnOnce()>(body: F) {
    in_child(body, Command::new(std::env::current_exe().unwrap()));
}

/// The same with so many bytes of address space (`ulimit -v`).
pub fn alone_within<F: FnOnce()>(bytes: u64, body: F) {
    let mut shell = Command::new("sh");
    let limited = format!("ulimit -v {} && exec \"$0\" \"$@\"", bytes / 1024);
    shell.args(["-c", &limited]).arg(std::env::current_exe().unwrap());
    in_child(body, shell);
}

fn in_child<F: FnOnce()>(body: F, mut this: Command) {
    const CHILD: &str = "ARRAKIS_TEST_ALONE";
    let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    let (_, test) = name.split_once("::").unwrap();
    if std::env::var(CHILD).is_ok_and(|child| child == test) {
        return body();
    }
    let child = this.args(["--exact", test, "--nocapture"]).env(CHILD, test).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && out.contains("1 passed"), "{test} in a process of its own:\n{out}\n{err}");
}

//! Loading takes only the memory of the weights that are kept.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use arrakis::models::{HookedAutoModel, LoadOptions};
use arrakis_tests::alone;
use serde_json::{Value, json};

/// A field of `/proc/self/status`, in bytes.
fn status(field: &str) -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// A checkpoint that is almost entirely embedding and unembedding. Its numbers are a hole in the file, which reads as
/// zeros.
fn mostly_vocabulary(folder: &Path, d_vocab: usize) {
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/parity/gpt_neox");
    let mut config: Value = serde_json::from_slice(&fs::read(from.join("config.json")).unwrap()).unwrap();
    let small = config["vocab_size"].as_u64().unwrap() as usize;
    config["vocab_size"] = json!(d_vocab);
    fs::write(folder.join("config.json"), config.to_string()).unwrap();

    let bytes = fs::read(from.join("model.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: BTreeMap<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut end = 0;
    let mut grown = serde_json::Map::new();
    for (name, tensor) in header.iter().filter(|(name, _)| *name != "__metadata__") {
        let shape: Vec<usize> = serde_json::from_value(tensor["shape"].clone()).unwrap();
        let shape: Vec<usize> = shape.into_iter().map(|axis| if axis == small { d_vocab } else { axis }).collect();
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        grown.insert(name.clone(), json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]}));
    }
    let header = Value::Object(grown).to_string();
    let mut file = File::create(folder.join("model.safetensors")).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len((8 + header.len() + end) as u64).unwrap();
}

#[test]
fn a_matrix_that_is_transposed_is_never_in_memory_twice() {
    alone(|| {
        let folder = tempfile::tempdir().unwrap();
        mostly_vocabulary(folder.path(), 400_000);
        let before = status("VmRSS");
        let options = LoadOptions::new().device("cpu").quiet();
        let model = HookedAutoModel::load(folder.path().to_str().unwrap(), &options).unwrap();
        let kept: usize = model.parameters().iter().map(|(_, parameter)| parameter.bytes()).sum();
        let taken = status("VmHWM") - before;
        assert!(kept > 100_000_000, "{kept} bytes: too few to measure");
        assert!(taken > kept / 2 && taken < kept + kept / 5, "{taken} bytes taken for {kept}");
    });
}

//! Thousands of mutated configs and headers, the same in every run. Each is read or refused; none panics, hangs or
//! takes much memory. `tests/fuzz/` checks the same without end; this runs everywhere.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that fails there says so")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrakis_tests::alone;
use serde_json::{Map, Value, json};

#[allow(unreachable_pub, reason = "it is also a separate library")]
#[path = "../../fuzz/src/lib.rs"]
mod readers;

/// Time limit for one input, generous for slow machines.
const LONGEST: Duration = Duration::from_secs(5);
/// How much all inputs together may add to the process's memory.
const MOST_MEMORY: usize = 512 << 20;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parity")
}

/// `SplitMix64` (Steele et al., 2014).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Runs one input. It must finish in time and without a panic.
fn endured<T>(what: &dyn Fn() -> String, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let Ok(done) = catch_unwind(AssertUnwindSafe(run)) else { panic!("it panicked on {}", what()) };
    assert!(start.elapsed() < LONGEST, "it took {:?} on {}", start.elapsed(), what());
    done
}

/// Peak resident memory of the process; `None` if the system does not report it.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<usize>().ok().map(|kilobytes| kilobytes << 10)
}

fn within_memory(before: Option<usize>) {
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after - before < MOST_MEMORY, "peak memory grew from {before} to {after} bytes");
    }
}

/// Both spellings of every case.
fn configs() -> Vec<Map<String, Value>> {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let files = cases.iter().flat_map(|case| ["config.json", "config_v4.json"].map(|file| case.join(file)));
    let configs = files.filter(|file| file.is_file()).map(|file| std::fs::read_to_string(file).unwrap());
    configs.map(|text| serde_json::from_str(&text).unwrap()).collect()
}

/// Values that break readers.
fn awkward() -> Vec<Value> {
    let mut values = vec![
        Value::Null,
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(1),
        json!(2),
        json!(3),
        json!(7),
        json!(9_999),
        json!(10_000),
        json!(10_001),
        json!(10_000_000),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.5),
        json!(1e-300),
        json!(1e300),
        json!(-0.0),
        json!(""),
        json!("default"),
        json!("linear"),
        json!("dynamic"),
        json!("yarn"),
        json!("longrope"),
        json!("llama3"),
        json!("\u{0}\u{fffd}"),
        json!("x".repeat(10_000)),
        json!([]),
        json!([0]),
        json!([1, 2, 3, 4]),
        json!(["full_attention", "sliding_attention"]),
        json!([[["global", "local"], 10_000]]),
        json!([[["global"], u64::MAX]]),
        json!({}),
        json!({ "rope_type": "yarn", "factor": 1e300 }),
        json!({ "rope_type": "longrope", "short_factor": [], "long_factor": [1], "factor": 2 }),
        json!({ "full_attention": { "rope_type": "dynamic" }, "sliding_attention": null }),
    ];
    // Deeper than any config, and deeper than a stack holds without a limit.
    values.push((0..100).fold(json!(1), |inner, _| json!([inner])));
    values
}

/// Changes a table in one place: adds, removes or renames a key, or changes its value.
fn mutate(table: &mut Map<String, Value>, others: &[Map<String, Value>], awkward: &[Value], draws: &mut Draws) {
    let keys: Vec<String> = table.keys().cloned().collect();
    if keys.is_empty() {
        return;
    }
    let key = draws.one_of(&keys).clone();
    match draws.below(6) {
        0 => drop(table.remove(&key)),
        1 => {
            let other = draws.one_of(others);
            let borrowed: Vec<&String> = other.keys().collect();
            let name = (*draws.one_of(&borrowed)).clone();
            table.insert(name.clone(), other[&name].clone());
        }
        2 => {
            let value = table.remove(&key).unwrap();
            table.insert(draws.one_of(&keys).clone(), value);
        }
        3 if table[&key].is_object() => mutate(table[&key].as_object_mut().unwrap(), others, awkward, draws),
        _ => drop(table.insert(key, draws.one_of(awkward).clone())),
    }
}

#[test]
fn mutated_configs_are_read_or_refused() {
    alone(|| {
        let (configs, awkward, mut draws, before) = (configs(), awkward(), Draws(1), peak());
        let (mut read, mut refused) = (0, 0);
        for round in 0..12_000 {
            let mut config = configs[round % configs.len()].clone();
            for _ in 0..=draws.below(3) {
                mutate(&mut config, &configs, &awkward, &mut draws);
            }
            let text = Value::Object(config).to_string();
            let sound = endured(&|| text.clone(), || readers::config(text.as_bytes()));
            *(if sound { &mut read } else { &mut refused }) += 1;
        }
        // Many changes matter and many do not, so both outcomes occur often.
        assert!(read > 1_000 && refused > 3_000, "{read} read, {refused} refused");
        within_memory(before);
    });
}

/// The text of a config, with parts cut or doubled and bytes changed.
#[test]
fn mangled_text_is_read_or_refused() {
    let (configs, mut draws) = (configs(), Draws(2));
    for round in 0..6_000 {
        let mut text = Value::Object(configs[round % configs.len()].clone()).to_string().into_bytes();
        for _ in 0..=draws.below(4) {
            mangle(&mut text, &mut draws);
        }
        let said = || String::from_utf8_lossy(&text).into_owned();
        endured(&said, || readers::config(&text));
    }
}

/// Changes a byte, removes or doubles a run of bytes, or cuts off the end.
fn mangle(bytes: &mut Vec<u8>, draws: &mut Draws) {
    if bytes.is_empty() {
        return;
    }
    let at = draws.below(bytes.len());
    let end = (at + draws.below(16)).min(bytes.len());
    match draws.below(5) {
        0 => bytes[at] = draws.next() as u8,
        1 => bytes[at] = *draws.one_of(b"0123456789.eE-+\"{}[],:"),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let run = bytes[at..end].to_vec();
            bytes.splice(at..at, run);
        }
        _ if draws.below(8) == 0 => bytes.truncate(at),
        _ => bytes[at] ^= 1 << draws.below(8),
    }
}

/// The tensors of a header, and the numbers after it.
fn split(file: &[u8]) -> (Map<String, Value>, &[u8]) {
    let end = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&file[8..end]).unwrap(), &file[end..])
}

fn joined(header: &[u8], numbers: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, numbers].concat()
}

/// Changes one tensor's entry.
fn lie(tensors: &mut Map<String, Value>, draws: &mut Draws) {
    let sizes =
        [json!(0), json!(1), json!(3), json!(1_u64 << 32), json!(1_u64 << 63), json!(u64::MAX), json!(-1), json!(0.5)];
    let names: Vec<String> = tensors.keys().cloned().collect();
    let name = draws.one_of(&names).clone();
    let mut entry = tensors.remove(&name).unwrap();
    match draws.below(7) {
        0 => return,
        1 => {
            entry["dtype"] =
                draws.one_of(&[json!("F16"), json!("I64"), json!("F4"), json!("BOOL"), json!("?")]).clone();
        }
        2 => entry["shape"] = Value::Array((0..draws.below(5)).map(|_| draws.one_of(&sizes).clone()).collect()),
        3 => entry["data_offsets"] = json!([draws.one_of(&sizes), draws.one_of(&sizes)]),
        // No numbers at all, whatever the shape says.
        4 => entry = json!({ "dtype": "F32", "shape": [0, draws.one_of(&sizes)], "data_offsets": [0, 0] }),
        5 => entry = json!({ "dtype": "F32", "shape": [draws.one_of(&sizes), 0, 2], "data_offsets": [0, 0] }),
        _ => entry["more"] = draws.one_of(&awkward()).clone(),
    }
    let kept = if draws.below(4) == 0 { draws.one_of(&names).clone() } else { name };
    tensors.insert(kept, entry);
}

/// Headers mutated as JSON and then as bytes, read alone and in a folder that is loaded.
#[test]
fn mutated_headers_are_read_or_refused() {
    alone(|| {
        let (mut draws, before) = (Draws(3), peak());
        let (mut sound, mut broken) = (0, 0);
        for case in ["gpt2", "llama", "stablelm_parallel", "mixtral", "falcon"] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::copy(fixtures().join(case).join("config.json"), folder.path().join("config.json")).unwrap();
            let file = std::fs::read(fixtures().join(case).join("model.safetensors")).unwrap();
            let (tensors, numbers) = split(&file);
            for round in 0..800 {
                let mut changed = tensors.clone();
                for _ in 0..draws.below(3) {
                    lie(&mut changed, &mut draws);
                }
                let mut header = Value::Object(changed).to_string().into_bytes();
                for _ in 0..draws.below(3) * (round % 2) {
                    mangle(&mut header, &mut draws);
                }
                let mut bytes = joined(&header, numbers);
                if draws.below(10) == 0 {
                    bytes[draws.below(8)] ^= 1 << draws.below(8);
                }
                let said = || format!("{case}: {}", String::from_utf8_lossy(&header));
                let passed = endured(&said, || readers::safetensors(&bytes, folder.path()));
                *(if passed { &mut sound } else { &mut broken }) += 1;
            }
        }
        assert!(sound > 500 && broken > 1_000, "{sound} valid, {broken} broken");
        within_memory(before);
    });
}

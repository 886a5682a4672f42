//! Values come back as they went, large arrays from files beside the record.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use arrakis::experiment::Problem;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Key {
    Plain,
    Pair(u8, i128),
    Named { at: Option<char> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Difficult {
    wide: (u128, i128, u64),
    chars: [char; 2],
    duration: Duration,
    bytes: Vec<u8>,
    floats: Vec<f32>,
    maybe: Vec<Option<f64>>,
    tuples: BTreeMap<(u8, Option<bool>), u128>,
    enums: BTreeMap<Key, bool>,
    wide_keys: BTreeMap<i128, char>,
    os: OsString,
}

fn difficult() -> Difficult {
    Difficult {
        wide: (u128::MAX, i128::MIN, u64::MAX),
        chars: ['"', '\u{0}'],
        duration: Duration::new(u64::MAX, 999_999_999),
        bytes: vec![0, 255],
        floats: vec![0.1, f32::INFINITY, -0.0, f32::MIN_POSITIVE],
        maybe: vec![Some(0.1), None, Some(f64::NEG_INFINITY)],
        tuples: BTreeMap::from([((1, None), u128::MAX), ((1, Some(true)), 3)]),
        enums: BTreeMap::from([(Key::Plain, true), (Key::Pair(3, -4), false), (Key::Named { at: Some('x') }, true)]),
        wide_keys: BTreeMap::from([(i128::MAX, 'a'), (-1, 'b')]),
        os: "é".into(),
    }
}

#[log_experiment]
fn echo<T: Serialize + Clone>(_bench: &Bench, value: T) -> T {
    value
}

/// The argument and the result of a call with this value, as the record in the folder has them.
fn echoed<T: Serialize + DeserializeOwned + Clone>(bench: &Bench, value: T) -> [T; 2] {
    echo(bench, value);
    let record = bench.store().runs("echo").unwrap().records.pop().unwrap();
    assert_eq!(record.verify(), Ok(()));
    [record.argument("value").unwrap(), record.result().unwrap()]
}

#[test]
fn difficult_values_come_back() {
    let (_folder, bench) = bench();
    assert_eq!(echoed(&bench, difficult()), [difficult(), difficult()]);
    assert!(echoed(&bench, vec![f32::NAN])[1][0].is_nan());
}

#[log_experiment]
fn opened(_bench: &Bench, path: PathBuf) -> PathBuf {
    path
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_text_comes_back() {
    use std::os::unix::ffi::OsStringExt as _;
    let (_folder, bench) = bench();
    let path = PathBuf::from(OsString::from_vec(b"a\xff".into()));
    opened(&bench, path.clone());
    let record = only_run(&bench, "opened");
    assert_eq!(record.argument::<OsString>("path").unwrap(), path);
    assert_eq!(record.result::<OsString>().unwrap(), path);
    assert_eq!(record.problems, [] as [String; 0]);
}

/// As many numbers as one more than what is written as JSON.
fn large(offset: f32) -> Vec<f32> {
    (0..=4096).map(|i| i as f32 * 0.1 + offset).collect()
}

#[test]
fn large_arrays_come_back_from_files_beside_the_record() {
    let (folder, bench) = bench();
    let mut signed = large(0.0);
    (signed[0], signed[1]) = (-0.0, f32::INFINITY);
    assert_eq!(echoed(&bench, signed.clone()), [signed.clone(), signed.clone()]);
    assert_eq!(echoed(&bench, vec![[1_u16, 2, 3]; 2000])[1], vec![[1, 2, 3]; 2000]);
    assert_eq!(echoed(&bench, vec![(0.5, 1.5); 2100])[0], vec![(0.5, 1.5); 2100]);
    let ragged = vec![vec![1_i64; 5000], vec![2; 4999], vec![]];
    assert_eq!(echoed(&bench, ragged.clone()), [ragged.clone(), ragged]);
    let mixed: (Vec<bool>, Option<Vec<f64>>) = (vec![true; 5000], Some(vec![f64::NAN; 5000]));
    assert!(echoed(&bench, mixed)[0].1.as_ref().unwrap()[4999].is_nan());

    let text = |name: &str| std::fs::read_to_string(bench.store().folder_of("echo").join(name)).unwrap();
    let first = &bench.store().runs("echo").unwrap().records[0];
    assert!(text(&format!("{}.json", first.id)).len() < 8000);
    let shapes: Vec<_> =
        bench.store().runs("echo").unwrap().records.iter().map(|r| r.arguments["value"].clone()).collect();
    assert_eq!(shapes[1]["$blob"]["shape"], serde_json::json!([2000, 3]));
    assert_eq!((&shapes[0]["$blob"]["dtype"], &shapes[1]["$blob"]["dtype"]), (&"F32".into(), &"U16".into()));

    // A moved folder is read as before.
    let moved = tempfile::tempdir().unwrap();
    std::fs::rename(folder.path().join("echo"), moved.path().join("echo")).unwrap();
    let record = arrakis::experiment::Store::new(moved.path()).runs("echo").unwrap().records.remove(0);
    assert_eq!((record.verify(), record.result::<Vec<f32>>().unwrap()), (Ok(()), signed));
}

#[test]
fn equal_arrays_are_one_version_and_one_file() {
    let (folder, bench) = bench();
    for offset in [0.0, 0.0, 1.0] {
        echo(&bench, large(offset));
    }
    assert_eq!(bench.list_versions("echo").unwrap().len(), 2);
    assert_eq!(std::fs::read_dir(folder.path().join("echo/blobs")).unwrap().count(), 2);
    let last = bench.last().unwrap().record.unwrap();
    assert_eq!(last.result::<Vec<f32>>().unwrap(), large(1.0));
}

#[test]
fn a_missing_or_changed_array_is_an_error_that_names_its_file() {
    let (folder, bench) = bench();
    echo(&bench, large(0.0));
    let record = only_run(&bench, "echo");
    let blobs = folder.path().join("echo/blobs");
    let file = std::fs::read_dir(&blobs).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let changed = format!("its array `{}` was changed after it was written; restore the file", file.display());
    assert_eq!(record.verify(), Err(Problem::Array { problem: changed.clone() }));
    assert_eq!(
        record.result::<Vec<f32>>().unwrap_err().to_string(),
        format!("the result of the record is not a `alloc::vec::Vec<f32>`: {changed}")
    );
    std::fs::remove_file(&file).unwrap();
    let missing = record.argument::<Vec<f32>>("value").unwrap_err().to_string();
    assert!(missing.contains(&format!("cannot read its array `{}`", file.display())), "{missing}");
}

#[test]
fn a_tensor_comes_back() {
    let (_folder, bench) = bench();
    let logits = bench.model().forward([1, 2, 3]).unwrap();
    let back = echoed(&bench, logits.to_data());
    assert_eq!(back, [logits.to_data(), logits.to_data()]);
}

//! How long questions about many records take: `cargo bench -p arrakis-tests --bench records -- 100000`.
//!
//! The records are those of one function with other arguments, results, times and versions, in one folder. The first question
//! makes the index; the others find it. The folder and the index are temporary. `demonstrate.py` runs the same program with other
//! words.

mod work;

use std::fs;
use std::path::Path;
use std::time::Instant;

use arrakis::experiment::json::{canonical, digest};
use arrakis::prelude::*;
use serde_json::Value;

#[log_experiment(tags = ["bench"])]
fn score(bench: &Bench, layer: usize, prompt: &str) -> Vec<f64> {
    (0..8).map(|head| (head * layer) as f64 / prompt.len() as f64 + bench.current_seed() as f64).collect()
}

fn main() {
    // Cargo passes `--bench` as well.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse().expect("a number");
    match *words {
        ["write", folder, writer, count] => work::write(folder, number(writer), number(count)),
        ["read", folder, until] => work::read(folder, number(until)),
        ["one", folder] => work::one(folder),
        ["cost", folder, count] => work::cost(folder, number(count)),
        [count] => questions(number(count)),
        _ => questions(100_000),
    }
}

/// How long questions about so many records take.
fn questions(count: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bench = Bench::embedded().expect("the embedded model").save_dir(folder.path().join("store"));
    score(&bench, 3, "When Mary and John went");
    let like = bench.last().and_then(|run| run.record).expect("it was recorded").to_json();
    let records = bench.store().folder_of("score");
    timed(&format!("{count} records written"), || (1..count).for_each(|index| write(&records, &like, index)));
    // A folder that has just changed may change again without a sign.
    let file = fs::File::open(&records).expect("the folder");
    let before = std::time::SystemTime::now() - std::time::Duration::from_mins(1);
    file.set_modified(before).expect("its time");
    let dir = folder.path().join("store").to_string_lossy().into_owned();
    timed("log, no index yet", || log(&dir, &[]));
    for _ in 0..3 {
        timed("log", || log(&dir, &[]));
        timed("log --where 'result.3>20' --sort result.3", || {
            log(&dir, &["--where", "result.3>20", "--sort", "result.3"]);
        });
        timed("log --stale", || log(&dir, &["--stale"]));
        let versions = timed("list_versions", || bench.list_versions("score").expect("the versions"));
        assert_eq!(versions.len(), count);
        timed("get_version", || bench.get_version("score", &versions[count / 2]).expect("the record"));
    }
}

/// Writes a record like another one, with arguments and a time of its own.
fn write(folder: &Path, like: &Value, index: usize) {
    let mut json = like.clone();
    json["arguments"]["layer"] = index.into();
    json["outcome"]["ok"][3] = ((index % 997) as f64 / 10.0).into();
    let version = digest(&format!("{index}"))[..16].to_owned();
    let (day, hour, minute, second) = (1 + index / 86_400, index / 3600 % 24, index / 60 % 60, index % 60);
    let started = format!("2026-01-{day:02}T{hour:02}:{minute:02}:{second:02}.000000Z");
    let id = format!("{version}-{}-{:08x}", started.replace(['-', ':'], ""), index);
    json["version"] = version.into();
    json["started"] = started.into();
    json["id"] = id.as_str().into();
    json.as_object_mut().expect("a record is an object").remove("digest");
    json["digest"] = digest(&canonical(&json)).into();
    fs::write(folder.join(format!("{id}.json")), format!("{json:#}\n")).expect("a written record");
}

fn log(dir: &str, more: &[&str]) {
    let args = [&["arrakis", "log", "--dir", dir], more].concat();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    assert_eq!(arrakis::cli::run(args, &mut out, &mut err), 0, "{}", String::from_utf8_lossy(&err));
}

fn timed<R>(what: &str, work: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = work();
    println!("{:>10.1} ms  {what}", start.elapsed().as_secs_f64() * 1e3);
    result
}

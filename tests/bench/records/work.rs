//! What the demonstrations of `demonstrate.py` run in processes of their own.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use arrakis::experiment::{Query, Record};
use arrakis::prelude::*;

use super::score;

/// A bench that saves to a folder.
fn bench(folder: &str) -> Bench {
    Bench::embedded().expect("the embedded model").save_dir(folder)
}

#[log_experiment]
fn scalar(_bench: &Bench, x: f64) -> f64 {
    x
}

/// Records so many runs. Each is acknowledged by a line with its id, when its call has returned.
pub(super) fn write(folder: &str, writer: usize, count: usize) {
    let bench = bench(folder);
    for index in 0..count {
        score(&bench, 1_000_000 * writer + index, "When Mary and John went");
        let record = bench.last().and_then(|run| run.record).expect("it was recorded");
        let mut out = std::io::stdout();
        writeln!(out, "{}", record.id).and_then(|()| out.flush()).expect("standard output");
    }
}

/// Tries to record one run, and says what comes of it.
pub(super) fn one(folder: &str) {
    #[log_experiment]
    fn fallible(_bench: &Bench, x: f64) -> Result<f64> {
        Ok(x)
    }
    match fallible(&bench(folder), 0.5) {
        Ok(_) => println!("recorded"),
        Err(error) => println!("refused: {error}"),
    }
}

/// Asks for the records until there are so many, and checks that their number never falls.
pub(super) fn read(folder: &str, until: usize) {
    let bench = bench(folder);
    let (mut seen, mut questions) = (0, 0);
    while seen < until {
        let found = bench.store().query(&Query::new().name("score").limit(1));
        let now = found.map_or(0, |found| {
            assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
            found.matched
        });
        assert!(now >= seen, "{now} records after {seen}");
        (seen, questions) = (now, questions + 1);
    }
    println!("{questions} questions, {seen} records");
}

/// What logging a scalar costs beside writing the bytes of its record and waiting for the disk, in milliseconds.
pub(super) fn cost(folder: &str, count: usize) {
    let bench = bench(folder);
    scalar(&bench, 0.0);
    let record: Record = bench.last().and_then(|run| run.record).expect("it was recorded");
    let path = bench.store().folder_of("scalar").join(format!("{}.json", record.id));
    let bytes = fs::read(path).expect("the record");
    let plain = Path::new(folder).join("plain");
    fs::create_dir_all(&plain).expect("a folder");
    let (mut logged, mut written, mut unlogged) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..count {
        logged.push(timed(|| {
            scalar(&bench, index as f64);
        }));
        written.push(timed(|| put(&plain, index, &bytes, true)));
        unlogged.push(timed(|| put(&plain, count + index, &bytes, false)));
    }
    let [logged, written, unlogged] = [logged, written, unlogged].map(median);
    println!("logged {logged:.3}, the same bytes written and synced {written:.3}, written only {unlogged:.3}");
    println!("beyond the disk {:.3}", logged - written);
}

/// Writes a file aside, waits for the disk, and renames it, as a store does.
fn put(folder: &Path, index: usize, bytes: &[u8], sync: bool) {
    let aside = folder.join(format!(".aside-{index}"));
    let mut file = File::create(&aside).expect("a file");
    file.write_all(bytes).expect("its bytes");
    if sync {
        file.sync_all().expect("the disk");
    }
    fs::rename(&aside, folder.join(format!("{index}.json"))).expect("its name");
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e3
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

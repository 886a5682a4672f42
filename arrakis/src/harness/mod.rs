//! Runs the claims of a test target as one suite, corrected within families.
//!
//! `cargo test` runs each claim of `#[test_hypothesis(bench = ..)]` by itself, so that none knows how many others there are.
//! A target with `harness = false` runs them together:
//!
//! ```toml
//! [[test]]
//! name = "claims"
//! harness = false
//! ```
//!
//! ```
//! use arrakis::prelude::*;
//!
//! #[test_hypothesis(claim = "the scores are high", null = 0.5, alternative = Greater, family = "scores", test = OneSampleT, bench = Bench::embedded())]
//! fn scores(_bench: &Bench) -> Vec<f64> {
//!     vec![0.8, 0.9, 0.7, 0.8, 0.9]
//! }
//!
//! # #[cfg(any())]
//! arrakis::hypothesis_suite!(scores);
//! # fn main() {}
//! ```
//!
//! [`hypothesis_suite!`](crate::hypothesis_suite) lists the functions by their paths and makes `main`. They belong to the target,
//! in its file or in a `mod` of it: those of a library are claims in the library's own tests alone. The suite prints a line
//! for each claim as `cargo test` does, then the table of all claims corrected within their families, and fails if a claim
//! does not hold, alone or in its family. A claim with `#[should_panic]` is false: it passes by being rejected. The filters,
//! `--list`, `--exact`, `--skip`, `--ignored` and `--test-threads` of `cargo test` work, and so does `cargo nextest`, which
//! runs each claim in a process of its own and therefore without the table: `arrakis hypotheses` has it from the records.
//! `--junit FILE`, or the variable `ARRAKIS_JUNIT`, writes a `JUnit` report.
//!
//! In a [shard](crate::shards) of a job, every N-th claim runs and the others are ignored. `arrakis merge` then prints what
//! one machine would.

mod dealt;
mod done;
mod junit;
mod options;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::runtime::Case;
use arrakis_models::ground::shard::Parts;
use dealt::Dealt;
use done::{Done, Finished};
use options::Options;

/// Runs the claims as the command line asks. [`hypothesis_suite!`](crate::hypothesis_suite) calls it.
pub fn main(cases: Vec<Case>) -> ExitCode {
    let names: Vec<String> = cases.iter().map(Case::path).collect();
    match Dealt::of(&names) {
        Ok(dealt) => suite(cases, dealt),
        // The shard's part is there already, or cannot be: the error says which.
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(101)
        }
    }
}

fn suite(cases: Vec<Case>, mut dealt: Dealt) -> ExitCode {
    let Options { junit, rest } = Options::read(std::env::args().collect(), std::env::var_os("ARRAKIS_JUNIT"));
    let arguments = Arguments::from_iter(rest);
    let (all, finished) = (cases.len(), Arc::new(Mutex::new(Vec::new())));
    // A claim runs whole.
    let whole = Parts::pause();
    let trials = cases.into_iter().map(|case| trial(case, &mut dealt, &finished)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(whole);
    if arguments.list {
        return ExitCode::SUCCESS;
    }
    let mut done = std::mem::take(&mut *finished.lock().unwrap_or_else(PoisonError::into_inner));
    done.sort_by(|a: &Done, b| a.name.cmp(&b.name));
    if let Some(kept) = dealt.keep(&done) {
        eprintln!("error: {kept}");
        return ExitCode::from(101);
    }
    let finished = Finished { done, all };
    print!("{finished}");
    let written = junit.map_or(Ok(()), |path| junit::write(&finished, &path));
    if let Err(error) = &written {
        eprintln!("error: {error}");
    }
    let good = !conclusion.has_failed() && finished.lost().is_empty() && written.is_ok();
    // The status of a failing test target.
    if good { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// A claim as a test. That of another shard is ignored; in a merged run, its shard has run it.
fn trial(case: Case, dealt: &mut Dealt, finished: &Arc<Mutex<Vec<Done>>>) -> Trial {
    let (finished, name) = (Arc::clone(finished), case.path());
    let (ignored, known) = (case.is_ignored() || dealt.is_of_another(&name), dealt.take(&name));
    let run = move || {
        let started = Instant::now();
        let done = known.unwrap_or_else(|| Done::of(&case, || started.elapsed()));
        let failed = done.failure().map(Failed::from);
        finished.lock().unwrap_or_else(PoisonError::into_inner).push(done);
        failed.map_or(Ok(()), Err)
    };
    Trial::test(name, run).with_ignored_flag(ignored)
}

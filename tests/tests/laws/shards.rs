//! A program cut into shards, one of them killed, run again alone, and merged: the values of one machine, to the byte.

use std::path::Path;
use std::process::Command;

use arrakis::corpus::{Corpus, Covariance, Firing, Loss, Pass};
use arrakis::experiment::{Outcome, Record, Store};
use arrakis::prelude::*;

/// The variable by which the test below starts this program again.
const STARTED: &str = "ARRAKIS_TEST_SHARDS";

#[log_experiment]
#[use_tools]
fn mover_heads(_bench: &Bench, #[tool] patching: ActivationPatching) -> Result<Scores> {
    let clean = "When Mary and John went to the store, John gave a drink to";
    let corrupted = "When Mary and John went to the store, Mary gave a drink to";
    patching.from(clean).into(corrupted)?.heads(&Metric::logit_diff(" Mary", " John"))
}

#[log_experiment]
fn statistics(bench: &Bench) -> Result<(Loss, Firing, Covariance)> {
    if bench.folder().join("kill").exists() {
        std::process::abort();
    }
    let text = |at: usize| format!("Tom gave {} apples to Mary in the {}", at * 37 % 11, "garden ".repeat(at % 5));
    let corpus = Corpus::texts((0..30).map(text));
    let (mut loss, mut firing) = (Loss::new(), Firing::new("blocks.1.mlp.post"));
    let mut covariance = Covariance::new("blocks.0.attn_out");
    Pass::new(bench.model(), &corpus).batch_tokens(64).quiet().run(&mut [&mut loss, &mut firing, &mut covariance])?;
    Ok((loss, firing, covariance))
}

/// The program: its second experiment runs whether or not the first has a value.
#[test]
fn in_a_shard() {
    if std::env::var_os(STARTED).is_none() {
        return;
    }
    let bench = Bench::new(arrakis::models::HookedAutoModel::embedded().unwrap());
    let (heads, numbers) = (mover_heads(&bench), statistics(&bench));
    heads.unwrap();
    numbers.unwrap();
}

/// Its command. A part ends with an error, as it should, so what it prints would look like a test that failed.
fn program() -> Vec<String> {
    let own = std::env::current_exe().unwrap().display().to_string();
    let quietly = format!("export {STARTED}=1; exec \"$0\" \"$@\" >/dev/null 2>&1");
    ["sh", "-c", &quietly, &own, "--exact", "shards::in_a_shard"].map(str::to_owned).into()
}

fn asked(args: &[&str]) -> (u8, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = arrakis::cli::run([&["arrakis"], args].concat(), &mut out, &mut err);
    (code, String::from_utf8([out, err].concat()).unwrap())
}

fn shard(dir: &str, shard: &str) -> (u8, String) {
    let program = program();
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    asked(&[&["run", "--dir", dir, "--shard", shard, "--"], program.as_slice()].concat())
}

/// The runs of an experiment: those of shards, and those that are whole.
fn runs(dir: &Path, name: &str) -> (Vec<Record>, Vec<Record>) {
    Store::new(dir).runs(name).unwrap().records.into_iter().partition(|record| record.shard.is_some())
}

#[cfg(unix)]
#[test]
fn a_job_with_a_killed_shard_has_the_bytes_of_one_machine() {
    let folder = tempfile::tempdir().unwrap();
    let (alone, job) = (folder.path().join("alone"), folder.path().join("job"));
    std::fs::create_dir(&job).unwrap();
    let program = program();
    let mut one = Command::new(&program[0]);
    one.args(&program[1..]).env("ARRAKIS_DIR", &alone);
    let mut one = one.spawn().unwrap();

    let dir = job.to_str().unwrap();
    std::fs::write(job.join("kill"), "").unwrap();
    let (code, said) = shard(dir, "1/2");
    assert!(code == 1 && said.contains("stopped by a signal"), "{said}");
    std::fs::remove_file(job.join("kill")).unwrap();
    let (code, said) = shard(dir, "0/2");
    assert_eq!(
        (code, said.lines().last()),
        (0, Some("shard 0/2 is done: its part of a sweep of 12 cases, a corpus pass is kept"))
    );
    let (code, said) = asked(&["merge", dir]);
    assert!(
        code == 1 && said.contains("shard 1/2 was started and did not end; run it alone:\n  arrakis run --dir "),
        "{said}"
    );
    assert_eq!(shard(dir, "1/2").0, 0);
    assert!(one.wait().unwrap().success());
    let (code, said) = asked(&["merge", dir]);
    assert_eq!((code, said.lines().last().unwrap().ends_with(": 2 steps of 2 shards are merged")), (0, true), "{said}");

    for name in ["mover_heads", "statistics"] {
        let (parts, merged) = runs(&job, name);
        let whole = runs(&alone, name).1;
        assert_eq!((merged.len(), whole.len()), (1, 1));
        let bytes = |record: &Record| match &record.outcome {
            Outcome::Ok(value) => value.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(bytes(&merged[0]), bytes(&whole[0]), "{name}");
        assert_eq!(merged[0].version, whole[0].version);
        for part in parts {
            let shard = part.shard.as_deref().unwrap();
            let Outcome::Error(said) = &part.outcome else { panic!("a part looks whole") };
            assert!(said.starts_with(&format!("this is shard {shard}: its part of ")), "{said}");
        }
    }
}

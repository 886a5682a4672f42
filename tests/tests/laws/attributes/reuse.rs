//! `#[log_experiment(cache)]`: a call with the inputs of an earlier run returns its result, and nothing else changes.

use std::cell::Cell;

use super::*;

thread_local! {
    /// How often a body ran on the thread of a test.
    static RUNS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    RUNS.set(RUNS.get() + 1);
}

/// The runs of a body meanwhile.
fn runs(body: impl FnOnce()) -> usize {
    let before = RUNS.get();
    body();
    RUNS.get() - before
}

#[tracked]
fn half(x: f64) -> f64 {
    x / 2.0
}

#[log_experiment(cache)]
fn scores(bench: &Bench, layer: usize) -> Vec<f64> {
    count();
    vec![half(layer as f64), f64::NAN, bench.current_seed() as f64]
}

#[log_experiment(cache = Tracked)]
fn fallible(_bench: &Bench, fails: bool) -> Result<(usize, String)> {
    count();
    if fails { Err(Error::Tool { tool: "none", problem: "it fails".into() }) } else { Ok((3, "three".into())) }
}

#[log_experiment(cache)]
async fn awaited(_bench: &Bench, x: u32) -> u32 {
    count();
    std::future::ready(x + 1).await
}

#[log_experiment(cache)]
fn nothing(_bench: &Bench) {
    count();
}

#[log_experiment(cache)]
#[test_hypothesis(claim = "it is large", null = 0.5, alternative = Greater, test = OneSampleT)]
fn claimed(_bench: &Bench) -> Vec<f64> {
    count();
    vec![0.8, 0.9, 0.7, 0.8]
}

#[test]
fn equal_inputs_run_once_and_give_the_same_value() {
    let (folder, bench) = bench();
    let count = runs(|| {
        let first = scores(&bench, 3);
        let again = scores(&bench, 3);
        assert_eq!(
            first.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
            again.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        );
    });
    assert_eq!(count, 1);
    let record = only_run(&bench, "scores");
    assert_eq!(bench.last().unwrap().record.unwrap(), record);
    assert_eq!(record.helpers.len(), 1);
    let other = Bench::new(bench.model().clone()).save_dir(folder.path()).seed(1);
    assert_eq!(runs(|| drop((scores(&bench, 4), scores(&other, 3), scores(&other, 3)))), 2, "other inputs run");
    assert_eq!(runs(|| drop(scores(&bench.clone().force(), 3))), 1, "force runs");
}

#[test]
fn only_a_run_that_returned_is_used() {
    let (_folder, bench) = bench();
    assert_eq!(runs(|| (0..2).for_each(|_| drop(fallible(&bench, true).unwrap_err()))), 2);
    assert_eq!(runs(|| (0..3).for_each(|_| assert_eq!(fallible(&bench, false).unwrap(), (3, "three".into())))), 1);
}

#[test]
fn awaited_claimed_and_empty_results_are_used() {
    let (_folder, bench) = bench();
    assert_eq!(runs(|| (0..2).for_each(|_| assert_eq!(arrakis::__private::block_on(awaited(&bench, 1)), 2))), 1);
    assert_eq!(runs(|| (0..2).for_each(|_| nothing(&bench))), 1);
    assert_eq!(runs(|| (0..2).for_each(|_| drop(claimed(&bench)))), 1);
    assert!(bench.last().unwrap().verdict.unwrap().holds);
}

#[test]
fn a_run_of_other_code_is_not_used() {
    let (_folder, bench) = bench();
    scores(&bench, 5);
    fallible(&bench, false).unwrap();
    let change = |name: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let record = only_run(&bench, name);
        let path = bench.store().folder_of(name).join(format!("{}.json", record.id));
        let mut json = record.to_json();
        change(&mut json);
        json.as_object_mut().unwrap().remove("digest");
        json["digest"] = arrakis::experiment::json::digest(&arrakis::experiment::json::canonical(&json)).into();
        std::fs::write(path, json.to_string()).unwrap();
    };
    change("fallible", &|json| json["sources"] = "00".into());
    assert_eq!(runs(|| drop(fallible(&bench, false))), 0, "what is not tracked does not count");
    change("scores", &|json| json["sources"] = "00".into());
    assert_eq!(runs(|| drop(scores(&bench, 5))), 1, "everything counts");
    let (_folder, bench) = super::bench();
    scores(&bench, 5);
    let record = only_run(&bench, "scores");
    assert_eq!(record.helpers[0].path, "laws::attributes::reuse::half");
}

#[log_experiment]
fn around(bench: &Bench) -> f64 {
    scores(bench, 2)[0]
}

#[test]
fn an_experiment_around_a_used_result_depends_on_its_code() {
    let (_folder, bench) = bench();
    around(&bench);
    around(&bench);
    let versions = bench.list_versions("around").unwrap();
    let runs = bench.runs("around", &versions[0]).unwrap();
    assert_eq!((versions.len(), runs.len()), (1, 2));
    assert_eq!(runs[0].helpers, runs[1].helpers);
    let paths: Vec<&str> = runs[1].helpers.iter().map(|helper| helper.path.as_str()).collect();
    assert_eq!(paths, ["laws::attributes::reuse::half", "laws::attributes::reuse::scores"]);
}

#[log_experiment]
fn training(bench: &Bench, with_handle: bool) -> Result<u64> {
    let here = bench.handle();
    std::thread::scope(|scope| {
        let work =
            || if with_handle { here.within(|| bench.metric("loss", 1, 0.5)) } else { bench.metric("loss", 1, 0.5) };
        scope.spawn(work).join().unwrap()
    })?;
    bench.metric("loss", 2, f64::NAN)?;
    Ok(2)
}

#[test]
fn numbers_of_steps_belong_to_the_experiment_of_the_thread() {
    let (_folder, bench) = bench();
    training(&bench, true).unwrap();
    let metrics = bench.store().metrics(&only_run(&bench, "training")).unwrap();
    assert!(metrics["loss"][0] == (1, 0.5) && metrics["loss"][1].1.is_nan());
    let outside = "`Bench::metric`: `loss` is a number of an experiment, and none that is logged runs on this thread: call it \
                   in a function under `#[log_experiment]`, on other threads in `bench.handle().within(..)`";
    assert_eq!(training(&bench, false).unwrap_err().to_string(), outside);
    assert_eq!(bench.metric("loss", 0, 1.0).unwrap_err().to_string(), outside);
}

#[log_experiment(cache)]
fn prompts(_bench: &Bench, file: &str) -> Result<usize> {
    count();
    Ok(arrakis::prompts::PromptSet::from_json_lines(file)?.prompts.len())
}

#[test]
fn a_file_that_was_read_is_an_input_and_a_changed_one_runs_again() {
    let (folder, bench) = bench();
    let path = folder.path().join("set.jsonl");
    let write = |answer: &str| {
        let line =
            format!(r#"{{"clean": "The sky is", "corrupted": "The sea is", "answer": " {answer}", "wrong": " red"}}"#);
        std::fs::write(&path, line).unwrap();
    };
    let file = path.to_str().unwrap();
    write("blue");
    assert_eq!(runs(|| drop((prompts(&bench, file), prompts(&bench, file)))), 1);
    let first = only_run(&bench, "prompts");
    assert_eq!(
        first.data.iter().map(|file| (file.name(), file.place())).collect::<Vec<_>>(),
        [("set.jsonl", path.clone())]
    );
    assert_eq!(first.problems, [] as [String; 0]);
    write("pink");
    let sources = arrakis::experiment::Sources::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let said: Vec<String> = sources.assess(&first).causes.iter().map(ToString::to_string).collect();
    assert!(said.contains(&format!("the data were changed: {file}")), "{said:?}");
    assert_eq!(runs(|| drop(prompts(&bench, file))), 1, "other data run again");
    let again = bench.last().unwrap().record.unwrap();
    assert_ne!(again.version, first.version);
    write("blue");
    assert_eq!(runs(|| drop(prompts(&bench, file))), 0, "the first run is of these data");
    assert_eq!(bench.last().unwrap().record.unwrap().id, first.id);
}

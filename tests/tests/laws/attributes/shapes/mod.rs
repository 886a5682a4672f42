//! Functions of every form keep their meaning: results, early returns, moves, generics, lifetimes.

mod awaited;
mod benches;
mod borrows;
mod conditions;
mod modules;
mod names;
mod options;
mod panics;

use std::fmt::Debug;
use std::sync::Arc;

use super::*;

#[log_experiment]
fn nothing(_bench: &Bench) {}

#[log_experiment]
fn early(_bench: &Bench, stop: bool) -> Result<u32> {
    if stop {
        return Ok(1);
    }
    let number: Option<u32> = None;
    number.ok_or(Error::Tool { tool: "early", problem: "there is no number".into() })?;
    Ok(2)
}

#[log_experiment]
fn moves(_bench: &Bench, words: Vec<String>, mut count: usize) -> Vec<String> {
    count += 1;
    let mut words = words;
    words.truncate(count);
    words
}

#[log_experiment]
fn generic<T: Debug + Clone, const N: usize>(_bench: &Bench, value: T) -> [T; N] {
    std::array::from_fn(|_| value.clone())
}

#[log_experiment]
fn borrows<'a>(_bench: &Bench, words: &'a [String], _secret: &str) -> &'a str {
    &words[0]
}

#[log_experiment]
fn opaque(_bench: &Bench, n: usize) -> impl Iterator<Item = usize> + use<> {
    0..n
}

#[log_experiment]
fn changes(_bench: &Bench, total: &mut Vec<u32>, (x, y): (u32, u32)) {
    total.push(x * y);
}

#[log_experiment]
fn other_error(_bench: &Bench) -> std::result::Result<(), String> {
    Err("the other kind".into())
}

#[log_experiment]
fn boxed_error(_bench: &Bench) -> std::result::Result<u8, Box<dyn std::error::Error>> {
    let value: u8 = "300".parse()?;
    Ok(value)
}

#[log_experiment]
fn panics(bench: &Bench) -> u32 {
    panic!("a number was expected, got {:?}", Some(bench.current_seed()))
}

struct Prober {
    calls: usize,
}

impl Prober {
    #[log_experiment]
    fn run(&mut self, _bench: &Bench, step: usize) -> usize {
        self.calls += step;
        self.calls
    }
}

#[log_experiment(bench = shared(bench))]
fn from_expression(bench: &Arc<Bench>, x: u32) -> u32 {
    x + u32::from(Arc::strong_count(bench) > 0)
}

fn shared(bench: &Arc<Bench>) -> Arc<Bench> {
    Arc::clone(bench)
}

#[test]
fn every_shape_returns_what_its_body_does() {
    let (_folder, bench) = bench();
    nothing(&bench);
    assert_eq!(early(&bench, true).unwrap(), 1);
    assert_eq!(moves(&bench, vec!["a".into(), "b".into()], 0), ["a"]);
    assert_eq!(generic::<_, 2>(&bench, 'x'), ['x', 'x']);
    let words = vec!["first".to_owned()];
    assert_eq!(borrows(&bench, &words, "hidden"), "first");
    assert_eq!(opaque(&bench, 3).sum::<usize>(), 3);
    let mut total = Vec::new();
    changes(&bench, &mut total, (2, 3));
    assert_eq!(total, [6]);
    let mut prober = Prober { calls: 0 };
    assert_eq!((prober.run(&bench, 2), prober.run(&bench, 2)), (2, 4));

    assert_eq!(only_run(&bench, "nothing").outcome, Outcome::Ok(serde_json::Value::Null));
    assert_eq!(only_run(&bench, "moves").argument::<Vec<String>>("words").unwrap(), ["a", "b"]);
    assert_eq!(only_run(&bench, "generic").arguments["value"]["debug"], "'x'");
    assert_eq!(only_run(&bench, "borrows").arguments.keys().collect::<Vec<_>>(), ["words"]);
    assert_eq!(only_run(&bench, "changes").arguments.keys().collect::<Vec<_>>(), ["total", "x", "y"]);
    assert_eq!(only_run(&bench, "opaque").result::<std::ops::Range<usize>>().unwrap(), 0..3);
    assert_eq!(bench.list_versions("run").unwrap().len(), 1);
}

#[test]
fn failures_are_recorded_and_go_on() {
    let (_folder, bench) = bench();
    assert!(early(&bench, false).unwrap_err().to_string().contains("there is no number"));
    assert_eq!(other_error(&bench).unwrap_err(), "the other kind");
    assert!(boxed_error(&bench).is_err());
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panics(&bench))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "a number was expected, got Some(0)");

    assert_eq!(message(&only_run(&bench, "early").outcome), "early: there is no number");
    assert_eq!(message(&only_run(&bench, "other_error").outcome), "the other kind");
    assert_eq!(message(&only_run(&bench, "boxed_error").outcome), "number too large to fit in target type");
    assert_eq!(only_run(&bench, "panics").outcome, Outcome::Panic("a number was expected, got Some(0)".into()));
}

#[test]
fn a_bench_can_come_from_an_expression() {
    let (_folder, bench) = bench();
    let bench = Arc::new(bench);
    assert_eq!(from_expression(&bench, 1), 2);
    assert_eq!(only_run(&bench, "from_expression").argument::<u32>("x").unwrap(), 1);
}

#[log_experiment]
fn outer(bench: &Bench) -> u32 {
    inner(bench, 1) + inner(bench, 2)
}

#[log_experiment]
fn inner(bench: &Bench, x: u32) -> u32 {
    if x > 1 { inner(bench, x - 1) + 1 } else { x }
}

#[test]
fn an_experiment_inside_another_names_its_parents() {
    let (_folder, bench) = bench();
    assert_eq!(outer(&bench), 3);
    let outer = only_run(&bench, "outer");
    assert_eq!(outer.parents, [] as [String; 0]);
    let inner = bench.store().runs("inner").unwrap().records;
    let mut depths: Vec<usize> = inner.iter().map(|record| record.parents.len()).collect();
    depths.sort_unstable();
    assert_eq!(depths, [1, 1, 2]);
    assert!(inner.iter().all(|record| record.parents[0] == outer.id));
}

#[test]
fn threads_keep_their_own_records() {
    let (_folder, bench) = bench();
    std::thread::scope(|scope| {
        for x in 0..4 {
            let bench = &bench;
            scope.spawn(move || (0..5).for_each(|_| assert_eq!(inner(bench, x.min(1)), x.min(1))));
        }
    });
    let runs = bench.store().runs("inner").unwrap();
    assert_eq!((runs.records.len(), runs.unreadable.len(), runs.versions().len()), (20, 0, 2));
    assert!(runs.records.iter().all(|record| record.parents.is_empty()));
}

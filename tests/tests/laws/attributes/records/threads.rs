//! Threads inside an experiment belong to it, or the record says that they do not.

use std::thread;

use super::*;

#[log_experiment(seed = 7)]
#[profile_model]
fn outer(bench: &Bench, with_handle: bool) -> Vec<u64> {
    let here = bench.handle();
    let work = || if with_handle { here.within(|| inner(bench)) } else { inner(bench) };
    thread::scope(|scope| [0, 1].map(|_| scope.spawn(work)).map(|thread| thread.join().unwrap()).into())
}

#[log_experiment]
fn inner(bench: &Bench) -> u64 {
    bench.model().forward([1, 2, 3]).unwrap();
    bench.current_seed()
}

#[test]
fn a_handle_carries_seed_parents_and_profile() {
    let (_folder, bench) = bench();
    assert_eq!(outer(&bench, true), [7, 7]);
    let record = only_run(&bench, "outer");
    assert_eq!(record.problems, [] as [String; 0]);
    let inner = bench.store().runs("inner").unwrap().records;
    assert!(inner.len() == 2 && inner.iter().all(|inner| inner.parents == [record.id.clone()] && inner.seed == 7));

    let profile = bench.last().unwrap().profile.unwrap();
    let block = profile.scopes.iter().find(|scope| scope.path == "blocks.0").unwrap();
    assert_eq!(block.calls, 2);
    // All scopes are on other threads. Their seconds are added up in two orders.
    assert!(profile.other_threads_secs > 0.0);
    assert!((profile.other_threads_secs - profile.scopes_secs()).abs() < 1e-9);
    let mut threads: Vec<u32> = profile.spans.iter().map(|span| span.thread).collect();
    threads.sort_unstable();
    threads.dedup();
    assert_eq!(threads, [2, 3]);
    assert_eq!(record.profile.unwrap().other_threads_secs, profile.other_threads_secs);
}

#[test]
fn without_a_handle_the_record_says_what_it_does_not_cover() {
    let (_folder, bench) = bench();
    assert_eq!(outer(&bench, false), [0, 0]);
    assert_eq!(
        only_run(&bench, "outer").problems,
        [
            "`laws::attributes::records::threads::inner` ran on another thread during the call: it is not a part of this \
          record; if it belongs to the call, run it in `bench.handle().within(..)`"
        ]
    );
    let inner = bench.store().runs("inner").unwrap().records;
    assert!(inner.iter().all(|inner| inner.parents.is_empty() && inner.seed == 0 && inner.problems.is_empty()));
}

#[log_experiment]
fn forgetful(bench: &Bench) -> bool {
    thread::scope(|scope| scope.spawn(|| bench.model().forward([1, 2]).is_ok()).join().unwrap())
}

#[test]
fn a_model_that_runs_on_another_thread_is_seen() {
    let (_folder, bench) = bench();
    assert!(forgetful(&bench));
    let problems = only_run(&bench, "forgetful").problems;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("another thread used the bench during the call"), "{problems:?}");
}

#[test]
fn calls_of_one_function_side_by_side_have_no_problem() {
    let (_folder, bench) = bench();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| inner(&bench));
        }
    });
    assert!(bench.store().runs("inner").unwrap().records.iter().all(|record| record.problems.is_empty()));
}

#[log_experiment(seed = 3)]
fn three_levels(bench: &Bench) -> u64 {
    let handle = bench.handle();
    thread::scope(|scope| scope.spawn(|| handle.within(|| second_level(bench))).join().unwrap())
}

#[log_experiment]
fn second_level(bench: &Bench) -> u64 {
    let handle = bench.handle();
    thread::scope(|scope| scope.spawn(|| handle.within(|| inner(bench))).join().unwrap())
}

#[test]
fn threads_inside_threads_inherit_through_every_level() {
    let (_folder, bench) = bench();
    assert_eq!(three_levels(&bench), 3);
    let parents = only_run(&bench, "inner").parents;
    assert_eq!(parents, [only_run(&bench, "three_levels").id, only_run(&bench, "second_level").id]);
}

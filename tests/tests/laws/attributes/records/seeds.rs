//! The seed of an experiment inside another one.

use super::*;

#[log_experiment(seed = 7)]
fn outermost(bench: &Bench) -> Vec<u64> {
    let mut seeds = vec![bench.current_seed()];
    seeds.extend(middle(bench));
    seeds
}

#[log_experiment]
fn middle(bench: &Bench) -> Vec<u64> {
    vec![bench.current_seed(), innermost(bench), named(bench)]
}

#[log_experiment]
fn innermost(bench: &Bench) -> u64 {
    bench.current_seed()
}

#[log_experiment(seed = 1)]
fn named(bench: &Bench) -> u64 {
    innermost(bench) + 10 * bench.current_seed()
}

#[test]
fn a_nested_experiment_has_the_seed_of_the_one_around_it_unless_it_names_one() {
    let (_folder, bench) = bench();
    assert_eq!(outermost(&bench.seed(9)), [7, 7, 7, 11]);
}

#[log_experiment(seed = 7)]
fn on_another(_bench: &Bench, other: &Bench) -> (u64, u64) {
    (innermost(other), other.current_seed())
}

#[test]
fn another_bench_with_a_seed_keeps_it() {
    let (_folder, bench) = bench();
    let other = |seed: Option<u64>| {
        let other = Bench::new(bench.model().clone()).save_dir(bench.folder());
        seed.map_or_else(|| Bench::new(bench.model().clone()).save_dir(bench.folder()), |seed| other.seed(seed))
    };
    assert_eq!(on_another(&bench, &other(Some(3))), (3, 3));
    assert_eq!(on_another(&bench, &other(None)), (7, 7));
}

#[log_experiment(seed = 7)]
fn in_threads(bench: &Bench) -> Vec<u64> {
    let here = bench.handle();
    let seed = || here.within(|| innermost(bench));
    std::thread::scope(|scope| [0, 1].map(|_| scope.spawn(seed)).map(|thread| thread.join().unwrap()).into())
}

#[test]
fn a_handle_carries_seed_and_parents_into_threads() {
    let (_folder, bench) = bench();
    assert_eq!(in_threads(&bench), [7, 7]);
    let outer = only_run(&bench, "in_threads");
    let inner = bench.store().runs("innermost").unwrap().records;
    assert_eq!(inner.len(), 2);
    assert!(inner.iter().all(|record| record.parents == [outer.id.clone()] && record.seed == 7));
}

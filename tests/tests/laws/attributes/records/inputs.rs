//! `self`, further benches and models, and values of every kind are inputs.

use std::sync::{Arc, Mutex};

use super::*;

#[derive(Debug)]
struct Probe {
    layer: usize,
    calls: u32,
}

impl Probe {
    #[log_experiment]
    fn read(&self, _bench: &Bench) -> usize {
        self.layer
    }

    #[log_experiment]
    fn count(&mut self, _bench: &Bench) -> u32 {
        self.calls += 1;
        self.calls
    }

    #[log_experiment]
    fn shared(self: Arc<Self>, _bench: &Bench) -> usize {
        self.layer
    }

    #[log_experiment]
    fn taken(self, _bench: &Bench) -> Self {
        self
    }
}

struct Opaque(u8);

impl Opaque {
    #[log_experiment]
    fn read(&self, _bench: &Bench) -> u8 {
        self.0
    }
}

#[test]
fn self_is_an_input() {
    let (_folder, bench) = bench();
    for layer in [0, 1] {
        let mut probe = Probe { layer, calls: 0 };
        assert_eq!((probe.read(&bench), probe.count(&bench)), (layer, 1));
        assert_eq!(Arc::new(probe.taken(&bench)).shared(&bench), layer);
    }
    for name in ["Probe::read", "Probe::count", "Probe::shared", "Probe::taken"] {
        let versions = bench.list_versions(name).unwrap();
        assert_eq!(versions.len(), 2, "{name}");
        let record = bench.get_version(name, &versions[1]).unwrap();
        assert!(record.arguments["self"]["debug"].as_str().unwrap().starts_with("Probe { layer: 1"), "{name}");
    }
    let count = bench.get_version("count", &bench.list_versions("count").unwrap()[0]).unwrap();
    assert_eq!(count.arguments["self"]["debug"], "Probe { layer: 0, calls: 0 }", "as it was at the start");
}

#[test]
fn a_self_that_cannot_be_written_is_a_problem() {
    let (_folder, bench) = bench();
    assert_eq!(Opaque(3).read(&bench), 3);
    assert_eq!(
        only_run(&bench, "Opaque::read").problems,
        [format!(
            "the argument `self` is in the version by its type alone, `&{}`: it implements neither `Serialize` nor `Debug`",
            std::any::type_name::<Opaque>()
        )]
    );
}

type OtherBench = Bench;

#[derive(Debug)]
#[allow(dead_code, reason = "read by Debug")]
struct Pair<'a> {
    first: &'a Bench,
    second: &'a HookedTransformer,
}

#[log_experiment]
#[allow(clippy::too_many_arguments, reason = "every way to pass a bench")]
fn compared(
    _bench: &Bench,
    other: &Bench,
    alias: &OtherBench,
    shared: Arc<Bench>,
    borrowed: &Arc<Bench>,
    maybe: Option<&Bench>,
    several: &[Bench],
    pair: Pair<'_>,
    model: &HookedTransformer,
) -> usize {
    let _ = (other, alias, &shared, borrowed, pair);
    several.len() + usize::from(maybe.is_some()) + model.config().n_layers
}

/// Calls `compared` with benches of this model, each in a folder of its own.
fn compare(bench: &Bench, model: &HookedTransformer) {
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let [other, alias, shared, one] = [0, 1, 2, 3].map(|i| Bench::new(model.clone()).save_dir(folders[i].path()));
    let (shared, pair) = (Arc::new(shared), Pair { first: &other, second: model });
    compared(bench, &other, &alias, Arc::clone(&shared), &shared, Some(&alias), &[one], pair, model);
}

#[test]
fn the_models_of_further_benches_are_inputs_and_their_folders_are_not() {
    let (_folder, bench) = bench();
    let other = HookedAutoModel::from_config(bench.model().config(), 1).unwrap();
    for model in [bench.model(), &other, &other] {
        compare(&bench, model);
    }
    let versions = bench.list_versions("compared").unwrap();
    assert_eq!(versions.len(), 2);
    let record = bench.get_version("compared", &versions[1]).unwrap();
    assert_eq!(record.problems, [] as [String; 0]);
    let fingerprint = other.fingerprint().unwrap();
    for (name, value) in &record.arguments {
        assert!(value.to_string().contains(&fingerprint), "{name}: {value}");
    }
}

#[log_experiment]
fn seeds(_bench: &Bench, other: &Bench) -> u64 {
    other.current_seed()
}

#[test]
fn the_seed_of_a_further_bench_is_an_input_if_it_was_set() {
    let (_folder, bench) = bench();
    let other = |seed| Bench::new(bench.model().clone()).seed(seed);
    seeds(&bench, &other(1));
    seeds(&bench, &other(2));
    seeds(&bench, &Bench::new(bench.model().clone()));
    assert_eq!(bench.list_versions("seeds").unwrap().len(), 3);
}

mod claims {
    use super::*;

    fn embedded() -> Bench {
        Bench::embedded().unwrap()
    }

    #[test_hypothesis(claim = "two benches have one model", bench = embedded(), args(2.0, &embedded()), null = 0.5, alternative = Greater)]
    fn shared(scale: f64, bench: &Bench, other: &Bench) -> Vec<f64> {
        let same = bench.model().fingerprint().ok() == other.model().fingerprint().ok();
        [1.0, 1.25, 1.5, 1.0, 1.25, 1.5].map(|value| if same { value * scale } else { 0.0 }).into()
    }

    #[test]
    fn a_claim_is_about_the_record_of_its_benches() {
        assert_eq!(shared(1.0, &embedded(), &embedded()).len(), 6);
    }
}

#[log_experiment]
fn locked(_bench: &Bench, free: &Mutex<u8>, taken: &Mutex<u8>) -> bool {
    free.try_lock().is_ok() && taken.try_lock().is_err()
}

#[test]
fn a_taken_lock_is_not_waited_for() {
    let (_folder, bench) = bench();
    let (free, taken) = (Mutex::new(1), Mutex::new(2));
    let _guard = taken.lock().unwrap();
    assert!(locked(&bench, &free, &taken));
    let record = only_run(&bench, "locked");
    assert_eq!(record.arguments["free"]["debug"], "Mutex { data: 1, poisoned: false, .. }");
    assert_eq!(record.problems.len(), 1);
    assert!(record.problems[0].contains("`taken` is in the version by its type alone"), "{:?}", record.problems);
}

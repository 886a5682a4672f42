//! `#[tracked]`: a run has exactly the helpers that it used, wherever they ran.

use std::thread;

use rayon::prelude::*;

use super::*;

mod helpers {
    use arrakis::tracked;

    /// Named by `far`, through an import.
    #[tracked]
    pub(super) const WIDTH: f64 = 2.0 * HALF;
    #[tracked]
    static HALF: f64 = 1.0;
    /// Not tracked.
    pub(super) const OTHER: f64 = 1.0;

    #[tracked]
    pub(super) fn double(x: f64) -> f64 {
        x + x
    }

    #[tracked]
    pub(super) fn factorial(n: u64) -> u64 {
        if n < 2 { 1 } else { n * factorial(n - 1) }
    }

    #[tracked]
    pub(super) fn generic<T: Into<f64>, const N: usize>(x: T) -> f64 {
        x.into() * N as f64
    }

    #[tracked]
    pub(super) async fn later(x: f64) -> f64 {
        std::future::ready(x).await
    }
}

use helpers::{OTHER, WIDTH, double, factorial, generic, later};

#[tracked]
fn far(x: f64) -> f64 {
    x * WIDTH + OTHER + std::f64::consts::PI * 0.0
}

struct Scaled(f64);

#[tracked]
impl Scaled {
    const BY: f64 = 3.0;

    const fn by() -> f64 {
        Self::BY
    }

    fn times(&self) -> f64 {
        self.0 * Self::by()
    }

    fn unused(&mut self) {
        self.0 = 0.0;
    }
}

#[tracked]
trait Scale {
    fn factor(&self) -> f64;
    fn scaled(&self) -> f64 {
        2.0 * self.factor()
    }
}

impl Scale for Scaled {
    fn factor(&self) -> f64 {
        self.0
    }
}

#[tracked]
mod inner {
    pub(super) const EDGE: f64 = 0.5;

    pub(super) fn edge() -> f64 {
        deeper::at(EDGE)
    }

    mod deeper {
        pub(super) fn at(x: f64) -> f64 {
            x
        }
    }
}

/// Every way by which a function can come to a helper.
#[log_experiment]
fn ways(_bench: &Bench, way: &str) -> f64 {
    match way {
        "none" => 0.0,
        "plain" => double(1.0),
        "constants" => far(1.0),
        "recursion" => factorial(5) as f64,
        "generic" => generic::<f32, 3>(1.0) + generic::<u8, 2>(1),
        "method" => Scaled(2.0).times(),
        "trait" => Scaled(2.0).scaled(),
        "module" => inner::edge(),
        "closure" => [1.0, 2.0].map(double).iter().sum(),
        "panic" => {
            std::panic::catch_unwind(|| double(factorial(1) as f64) + [0.0][factorial(2) as usize]).unwrap_or(0.0)
        }
        other => panic!("no way {other}"),
    }
}

/// The helpers of the latest record, without the module.
fn used(bench: &Bench) -> Vec<String> {
    let record = bench.last().unwrap().record.unwrap();
    assert_eq!(record.problems, [] as [String; 0]);
    assert_eq!(record.version_of_inputs(), record.version);
    record.helpers.iter().map(|helper| helper.path.replace("laws::attributes::tracked::", "")).collect()
}

#[test]
fn a_run_has_exactly_the_helpers_it_used() {
    let (_folder, bench) = bench();
    let of = |way: &str| {
        ways(&bench, way);
        used(&bench)
    };
    assert_eq!(of("none"), [] as [String; 0]);
    assert_eq!(of("plain"), ["helpers::double"]);
    assert_eq!(of("constants"), ["far", "helpers::HALF", "helpers::WIDTH"]);
    assert_eq!(of("recursion"), ["helpers::factorial"]);
    assert_eq!(of("generic"), ["helpers::generic"]);
    assert_eq!(of("method"), ["BY", "Scaled::times", "by"]);
    assert_eq!(of("trait"), ["<Scaled as Scale>::scaled"]);
    assert_eq!(of("module"), ["inner::EDGE", "inner::deeper::at", "inner::edge"]);
    assert_eq!(of("closure"), ["helpers::double"]);
    assert_eq!(of("panic"), ["helpers::double", "helpers::factorial"]);
    Scaled(1.0).unused();
}

#[test]
fn helpers_are_a_part_of_the_version_and_their_texts_are_kept() {
    let (_folder, bench) = bench();
    ways(&bench, "plain");
    let record = only_run(&bench, "ways");
    assert_eq!(record, bench.last().unwrap().record.unwrap());
    let [helper] = record.helpers.as_slice() else { panic!("{:?}", record.helpers) };
    assert_eq!(
        bench.store().helper_text(&record, helper).unwrap(),
        "#[tracked]\npub(super) fn double(x: f64) -> f64 {\n    x + x\n}"
    );
    let mut changed = record.clone();
    changed.helpers[0].hash = "00".into();
    assert_ne!(changed.version_of_inputs(), record.version);
    changed.helpers.clear();
    assert!(record.id.starts_with(changed.version_of_inputs().as_ref()), "an id begins before the helpers are known");
    assert_eq!(bench.store().find(record.version.as_ref()).unwrap(), record);
    let again = bench.get_version("ways", &record.version).unwrap();
    assert_eq!(again.helpers, record.helpers);
}

#[log_experiment]
fn on_threads(bench: &Bench, with_handle: bool) -> f64 {
    let here = bench.handle();
    let work = || if with_handle { here.within(|| far(double(1.0))) } else { double(1.0) };
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}

#[test]
fn a_handle_carries_the_experiment_to_the_helpers_of_a_thread() {
    let (_folder, bench) = bench();
    on_threads(&bench, true);
    assert_eq!(used(&bench), ["far", "helpers::HALF", "helpers::WIDTH", "helpers::double"]);
    on_threads(&bench, false);
    assert_eq!(used(&bench), [] as [String; 0]);
}

#[log_experiment]
async fn awaited(_bench: &Bench) -> f64 {
    later(2.0).await
}

#[test]
fn a_helper_that_is_awaited_counts_where_it_is_polled() {
    let (_folder, bench) = bench();
    arrakis::__private::block_on(awaited(&bench));
    assert_eq!(used(&bench), ["helpers::later"]);
}

#[log_experiment]
fn calls_another(bench: &Bench) -> f64 {
    ways(bench, "recursion") + inner::EDGE
}

#[test]
fn an_experiment_has_the_experiments_it_calls_and_their_helpers() {
    let (_folder, bench) = bench();
    calls_another(&bench);
    assert_eq!(used(&bench), ["helpers::factorial", "inner::EDGE", "ways"]);
    let inner = only_run(&bench, "ways");
    assert_eq!(inner.helpers.len(), 1);
}

#[log_experiment]
fn in_rayon(_bench: &Bench) -> f64 {
    (0..64).into_par_iter().map(|x| double(f64::from(x))).sum()
}

/// In a process of its own no other experiment runs.
#[test]
fn alone_in_rayon() {
    arrakis_tests::alone(|| {
        let (_folder, bench) = bench();
        // None of the work is on this thread.
        rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
        assert_eq!(in_rayon(&bench), 4032.0);
        assert_eq!(used(&bench), ["helpers::double"]);
    });
}

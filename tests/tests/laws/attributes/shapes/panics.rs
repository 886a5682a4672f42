//! A panic anywhere in a call is recorded and goes on, and an error keeps its causes.

use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::*;

/// A tool whose building panics.
struct Explosive;

impl Tool for Explosive {
    const NAME: &'static str = "explosive";
    fn new(_model: &HookedTransformer) -> Result<Self> {
        panic!("the tool exploded")
    }
}

#[log_experiment]
#[use_tools]
fn tool(_bench: &Bench, #[tool] _tool: Explosive) {}

#[log_experiment]
#[test_hypothesis(claim = "c", null = 0.0, statistic = |_: &u32| -> f64 { panic!("no statistic") })]
fn statistic(_bench: &Bench) -> u32 {
    3
}

/// A value that cannot be shown.
struct Hidden;

impl serde::Serialize for Hidden {
    fn serialize<S: serde::Serializer>(&self, _serializer: S) -> std::result::Result<S::Ok, S::Error> {
        panic!("it hides")
    }
}

#[log_experiment]
fn result(_bench: &Bench) -> Hidden {
    Hidden
}

#[log_experiment]
fn argument(_bench: &Bench, hidden: Hidden) {
    let _ = hidden;
}

#[log_experiment]
#[test_hypothesis(claim = "c", null = |_bench, _seed| -> f64 { panic!("no draw") })]
fn null(_bench: &Bench) -> f64 {
    1.0
}

#[test]
fn a_panic_is_recorded_and_goes_on() {
    let (_folder, bench) = bench();
    let panicking: [(&str, &str, &dyn Fn()); 2] = [
        ("tool", "the tool exploded", &|| tool(&bench)),
        ("statistic", "no statistic", &|| assert_eq!(statistic(&bench), 3)),
    ];
    for (name, message, call) in panicking {
        let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&message), "{name}");
        assert_eq!(only_run(&bench, name).outcome, Outcome::Panic(message.into()), "{name}");
    }
}

#[test]
fn a_value_that_panics_when_it_is_shown_is_a_problem() {
    let (_folder, bench) = bench();
    argument(&bench, result(&bench));
    let problems = only_run(&bench, "argument").problems;
    assert!(problems.len() == 1 && problems[0].ends_with("writing it panics"), "{problems:?}");
    let Outcome::Ok(shown) = only_run(&bench, "result").outcome else { panic!("a result") };
    assert_eq!(shown["problem"], "writing it panics");
}

#[test]
fn a_panic_of_the_null_is_a_problem_of_the_record_and_goes_on() {
    let (_folder, bench) = bench();
    assert!(catch_unwind(AssertUnwindSafe(|| null(&bench))).is_err());
    let record = only_run(&bench, "null");
    assert_eq!((record.outcome, record.problems), (Outcome::Ok(1.0.into()), vec!["no draw".to_owned()]));
}

/// An error with a cause.
#[derive(Debug)]
struct Layered(std::num::ParseIntError);

impl fmt::Display for Layered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such layer")
    }
}

impl StdError for Layered {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

#[log_experiment]
fn own_error(_bench: &Bench) -> std::result::Result<u8, Layered> {
    "x".parse().map_err(Layered)
}

#[log_experiment]
fn boxed_error(_bench: &Bench) -> std::result::Result<u8, Box<dyn StdError + Send + Sync>> {
    Ok("x".parse().map_err(Layered)?)
}

#[test]
fn an_error_is_recorded_with_its_causes() {
    let (_folder, bench) = bench();
    assert!(own_error(&bench).is_err() && boxed_error(&bench).is_err());
    for name in ["own_error", "boxed_error"] {
        assert_eq!(message(&only_run(&bench, name).outcome), "no such layer: invalid digit found in string");
    }
}

#[use_tools]
fn without_result(_bench: &Bench, #[tool] _tool: Impossible) {}

/// The hook sees the panics of all threads, so the test runs alone.
#[test]
fn our_panics_are_at_the_users_line() {
    arrakis_tests::alone(|| {
        static PLACE: std::sync::Mutex<String> = std::sync::Mutex::new(String::new());
        std::panic::set_hook(Box::new(|info| *PLACE.lock().unwrap() = info.location().unwrap().file().to_owned()));
        let (_folder, bench) = bench();
        assert!(catch_unwind(AssertUnwindSafe(|| without_result(&bench))).is_err());
        assert!(file!().ends_with(&*PLACE.lock().unwrap()), "{}", PLACE.lock().unwrap());
    });
}

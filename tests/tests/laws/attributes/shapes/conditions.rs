//! Arguments under `#[cfg(..)]`, and other attributes of arguments and bodies.

use super::super::*;

#[log_experiment(tags = [kept.to_string()])]
fn conditional(_bench: &Bench, #[cfg(test)] kept: u32, #[cfg(not(test))] left_out: Missing) -> u32 {
    kept + 1
}

#[log_experiment]
fn attributed(
    _bench: &Bench,
    #[cfg_attr(test, allow(unused_variables))] ignored: u32,
    #[expect(unused_variables)] unused: u32,
    #[allow(unused_assignments)] mut assigned: u32,
) -> u32 {
    #![allow(clippy::let_and_return, reason = "an attribute inside the body")]
    assigned = 4;
    let result = assigned;
    result
}

#[test]
fn an_argument_is_recorded_if_it_exists() {
    let (_folder, bench) = bench();
    assert_eq!((conditional(&bench, 2), attributed(&bench, 1, 2, 3)), (3, 4));
    let record = only_run(&bench, "conditional");
    assert_eq!(record.arguments.keys().collect::<Vec<_>>(), ["kept"]);
    assert_eq!(record.tags, ["2"]);
    let record = only_run(&bench, "attributed");
    assert_eq!(record.arguments.keys().collect::<Vec<_>>(), ["ignored", "unused", "assigned"]);
    assert_eq!(record.argument::<u32>("assigned").unwrap(), 3);
}

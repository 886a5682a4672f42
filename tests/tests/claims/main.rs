//! Claims about the embedded model, run as one suite, and what the suite promises to `cargo test`, to nextest and to CI.

#![allow(clippy::unwrap_used, reason = "clippy does not see that this is a test")]

mod about_the_model;

use std::process::{Command, ExitCode, Output};

mod suite {
    use super::about_the_model;

    arrakis::hypothesis_suite!(
        about_the_model::names_depend_on_attention,
        about_the_model::names_depend_on_the_last_layer,
        about_the_model::the_first_layer_ignores_names,
        about_the_model::years_are_later,
    );
}

/// Names of the claims, as nextest lists them.
const NAMES: [&str; 4] = [
    "about_the_model::names_depend_on_attention",
    "about_the_model::names_depend_on_the_last_layer",
    "about_the_model::the_first_layer_ignores_names",
    "about_the_model::years_are_later",
];

/// Set in the processes that the checks start.
const CHILD: &str = "ARRAKIS_TESTS_SUITE_CHILD";

/// The value of [`CHILD`] for a child that only looks at its main thread. Other tests run in threads of their own.
const MAIN_THREAD: &str = "main thread";

fn main() -> ExitCode {
    if std::env::var(CHILD).as_deref() == Ok(MAIN_THREAD) {
        arrakis::models::HookedAutoModel::embedded().unwrap();
        println!("{:?}", rayon::current_thread_index());
        return ExitCode::SUCCESS;
    }
    // A filter or a list asks for the suite alone.
    if std::env::args().len() == 1 && std::env::var_os(CHILD).is_none() {
        lists_like_cargo_test();
        runs_one_as_nextest_does();
        writes_a_report();
        the_main_thread_computes();
    }
    suite::main()
}

fn run(arguments: &[&str]) -> Output {
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(arguments).env(CHILD, "1").env_remove("ARRAKIS_JUNIT").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The main thread is in the pool: with one thread more than cores, they wait for each other.
fn the_main_thread_computes() {
    let program = std::env::current_exe().unwrap();
    let child = Command::new(program).env(CHILD, MAIN_THREAD).env_remove("RAYON_NUM_THREADS").output().unwrap();
    let alone = std::thread::available_parallelism().unwrap().get() == 1;
    assert_eq!(text(&child.stdout).trim(), if alone { "None" } else { "Some(0)" });
}

fn lists_like_cargo_test() {
    let listed = run(&["--list", "--format", "terse"]);
    assert!(listed.status.success());
    let expected: String = NAMES.iter().fold(String::new(), |listed, name| listed + name + ": test\n");
    assert_eq!(text(&listed.stdout), expected);
    assert_eq!(text(&run(&["--list", "--format", "terse", "--ignored"]).stdout), "");
}

fn runs_one_as_nextest_does() {
    let one = run(&[NAMES[0], "--exact", "--nocapture"]);
    let said = text(&one.stdout);
    assert!(one.status.success(), "{said}");
    assert!(said.contains("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out"), "{said}");
    assert!(said.contains("1 of 4 claims were run"), "{said}");
    let none = run(&["no such claim", "--exact"]);
    assert!(none.status.success() && text(&none.stdout).contains("4 filtered out"));
}

fn writes_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.xml");
    let all = run(&["--test-threads", "2", "--junit", path.to_str().unwrap()]);
    let said = text(&all.stdout);
    assert!(all.status.success(), "{said}");
    for part in [
        "2 of 4 claims hold, corrected within each family by Holm",
        "seeds: holds in 3 of 3",
        "resamples of `pairs`: holds in ",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    let report = std::fs::read_to_string(path).unwrap();
    assert!(report.contains(r#"tests="4" failures="0" errors="0""#), "{report}");
    let (_, name) = NAMES[3].rsplit_once("::").unwrap();
    assert!(report.contains(&format!(r#"<testcase name="{name}" classname="about_the_model""#)), "{report}");
}

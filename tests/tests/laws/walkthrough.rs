//! The walkthrough of `arrakis-mi`, run to its end for every family that it names.

#[path = "../../../examples/src/bin/walkthrough.rs"]
#[allow(dead_code, reason = "it is a separate program")]
mod example;

#[test]
fn every_line_runs_for_every_family() {
    let folder = tempfile::tempdir().unwrap();
    for name in example::FAMILIES {
        let figures = example::walk(name, folder.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(figures.iter().any(|file| file.exists()), "{name} draws nothing");
    }
}

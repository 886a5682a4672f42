//! What a record holds, what its version depends on, and how to find it.

mod identity;
mod inputs;
mod processes;
mod seeds;
mod threads;
mod values;

use std::process::Command;

use arrakis::experiment::json::{canonical, digest};

use super::*;

/// Adds the layer to the seed.
#[log_experiment(tags = ["sum", "toy"])]
fn add(bench: &Bench, layer: usize) -> f64 {
    // A comment belongs to the source.
    let seed = bench.current_seed();
    (layer as u64 + seed) as f64
}

#[log_experiment(name = "not finite", seed = 40 + 2)]
fn infinities(bench: &Bench, scale: f64) -> (Vec<f64>, u64) {
    (vec![f64::NAN, f64::INFINITY, -scale, -0.0], bench.current_seed())
}

#[test]
fn a_record_says_what_ran_on_what() {
    let (_folder, bench) = bench();
    add(&bench, 3);
    let record = only_run(&bench, "add");
    assert_eq!(record.function, "laws::attributes::records::add");
    assert_eq!(
        (record.package.as_str(), record.tags.as_slice()),
        ("arrakis-tests", ["sum".to_owned(), "toy".to_owned()].as_slice())
    );
    assert!(
        record
            .source
            .starts_with("/// Adds the layer to the seed.\n#[log_experiment(tags = [\"sum\", \"toy\"])]\nfn add("),
        "{}",
        record.source
    );
    assert!(record.source.ends_with("    // A comment belongs to the source.\n    let seed = bench.current_seed();\n    (layer as u64 + seed) as f64\n}"), "{}", record.source);
    assert!(record.file.ends_with("records.rs") && record.line > 1);
    assert_eq!(record.model.fingerprint, bench.model().fingerprint().unwrap());
    assert_eq!((record.model.device_kind(), record.model.dtype.as_str()), ("cpu", "f32"));
    assert_eq!(record.versions.keys().collect::<Vec<_>>(), ["arrakis", "burn", "rustc"]);
    assert!(record.versions["rustc"].starts_with("rustc 1."));
    assert!(record.lock.is_some() && record.started.ends_with('Z') && record.duration_secs >= 0.0);
    assert_eq!(record.result::<f64>().unwrap(), 3.0);
}

#[test]
fn equal_inputs_are_runs_of_one_version() {
    let (folder, bench) = bench();
    for layer in [0, 1, 0] {
        add(&bench, layer);
    }
    let versions = bench.list_versions("add").unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!(bench.runs("add", &versions[0]).unwrap().len(), 2);
    assert_eq!(bench.get_version("add", &versions[1]).unwrap().argument::<usize>("layer").unwrap(), 1);

    let seeded = Bench::new(bench.model().clone()).save_dir(folder.path()).seed(9);
    assert_eq!(add(&seeded, 0), 9.0);
    assert_eq!(bench.list_versions("laws::attributes::records::add").unwrap().len(), 3);
}

#[test]
fn another_model_is_another_version() {
    let (folder, bench) = bench();
    add(&bench, 0);
    let other = HookedAutoModel::from_config(bench.model().config(), 1).unwrap();
    add(&Bench::new(other).save_dir(folder.path()), 0);
    assert_eq!(bench.list_versions("add").unwrap().len(), 2);
}

#[test]
fn numbers_that_json_cannot_represent_read_back() {
    let (_folder, bench) = bench();
    infinities(&bench, f64::INFINITY);
    let record = only_run(&bench, "not finite");
    let (values, seed) = record.result::<(Vec<f64>, u64)>().unwrap();
    assert!(values[0].is_nan() && values[3].is_sign_negative());
    assert_eq!((&values[1..], seed), ([f64::INFINITY, f64::NEG_INFINITY, 0.0].as_slice(), 42));
    assert_eq!(record.argument::<f64>("scale").unwrap(), f64::INFINITY);
}

#[test]
fn unknown_names_suggest_the_nearest() {
    let (_folder, bench) = bench();
    add(&bench, 0);
    let error = bench.list_versions("ad").unwrap_err().to_string();
    assert!(error.ends_with("did you mean `add`?"), "{error}");
    let version = bench.list_versions("add").unwrap().remove(0);
    let short = &version.as_ref()[..15];
    let error = bench.get_version("add", short).unwrap_err().to_string();
    assert_eq!(error, format!("`add` has no version `{short}`; did you mean `{version}`?"));
}

#[log_experiment]
fn returns_result(_bench: &Bench) -> Result<u32> {
    Ok(5)
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_and_the_record_is_kept_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("a file");
    std::fs::write(&blocked, "").unwrap();
    let bench = Bench::new(model()).save_dir(&blocked);
    let error = returns_result(&bench).unwrap_err();
    let Error::RecordRescued { kept, .. } = &error else { panic!("{error}") };
    assert!(error.to_string().contains("make the folder writable"), "{error}");
    let kept_text = std::fs::read_to_string(kept).unwrap();
    assert!(kept_text.contains("\"ok\": 5"));
    std::fs::remove_file(kept).unwrap();
    assert_eq!(bench.last().unwrap().record.unwrap().result::<u32>().unwrap(), 5);
}

mod twin {
    use super::super::*;

    #[log_experiment]
    pub(super) fn add(_bench: &Bench) {}
}

#[test]
fn a_name_means_a_function_of_this_program_first() {
    let (_folder, bench) = bench();
    add(&bench, 0);
    let own = only_run(&bench, "add");

    // The same function in another crate that keeps its records in the same folder.
    let mut json = own.to_json();
    json["function"] = "elsewhere::records::add".into();
    json.as_object_mut().unwrap().remove("digest");
    json["digest"] = digest(&canonical(&json)).into();
    let file = bench.store().folder_of("add").join("elsewhere.json");
    std::fs::write(file, json.to_string()).unwrap();
    assert_eq!(only_run(&bench, "add"), own);
    assert_eq!(only_run(&bench, "elsewhere::records::add").function, "elsewhere::records::add");

    twin::add(&bench);
    assert_eq!(
        bench.list_versions("add").unwrap_err().to_string(),
        "`add` names 2 functions: laws::attributes::records::add, laws::attributes::records::twin::add; ask for one by its full path"
    );
    assert_eq!(only_run(&bench, "laws::attributes::records::add"), own);
}

/// The test below runs this in a separate process.
#[test]
fn in_another_process() {
    let Ok(folder) = std::env::var("ARRAKIS_TEST_FOLDER") else {
        return;
    };
    let bench = Bench::new(model()).save_dir(folder);
    for layer in 0..10 {
        add(&bench, layer);
    }
}

#[test]
fn processes_write_side_by_side_and_read_each_other() {
    let (folder, bench) = bench();
    let this = std::env::current_exe().unwrap();
    let start = || {
        Command::new(&this)
            .args(["--exact", "attributes::records::in_another_process"])
            .env("ARRAKIS_TEST_FOLDER", folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut processes: Vec<_> = (0..3).map(|_| start()).collect();
    for process in &mut processes {
        assert!(process.wait().unwrap().success());
    }
    let runs = bench.store().runs("add").unwrap();
    assert_eq!((runs.records.len(), runs.unreadable.len(), runs.versions().len()), (30, 0, 10));
}

//! Records and versions outlive the code. A golden record is checked in when its format is new, together with the exact
//! fingerprint and version of its inputs.
//!
//! `ARRAKIS_BLESS=1 cargo test --workspace --test laws -- golden` writes the golden record of a format that has none
//! yet. A golden record is never rewritten: if it cannot be read, users' records cannot be read either.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use arrakis::experiment::{FORMAT, Store};
use arrakis::models::device;
use arrakis::plot::Heatmap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::*;

/// The fingerprint of the embedded model. If it changes, the version of every experiment on every model changes.
const FINGERPRINT: &str = "c4d34de2e11bef25a632573041ce3849aadb4fa38992af61574c2480b1d22476";

/// The version of [`golden`] below. If it changes, every old run looks like a run on other inputs.
const VERSION: &str = "9de06198589d56e2";

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Scores {
    values: Vec<f64>,
    best: Option<u32>,
    missing: f32,
}

/// Leave its text, its path and its arguments as they are: the version above is theirs. The golden record is of this
/// function where it stood then.
#[log_experiment(tags = ["golden"], seed = 7)]
#[plot_results(name = "Golden scores")]
#[profile_model]
#[test_hypothesis(claim = "the scores are positive", null = 0.0, statistic = |scores| scores.values.clone(), alternative = Greater)]
fn golden(
    bench: &Bench,
    prompt: &str,
    layers: Vec<usize>,
    scale: f64,
    heads: HashMap<String, [u8; 2]>,
    #[figure] fig: &mut Figure,
) -> Result<Scores> {
    measured(bench, prompt, &layers, scale, &heads, fig)
}

fn measured(
    bench: &Bench,
    prompt: &str,
    layers: &[usize],
    scale: f64,
    heads: &HashMap<String, [u8; 2]>,
    fig: &mut Figure,
) -> Result<Scores> {
    bench.model().forward(prompt)?;
    fig.push(Heatmap::new([[1.0, scale]]));
    let values = vec![0.5, 0.75, 0.625, 0.5, 1.0, layers.len() as f64];
    Ok(Scores { values, best: u32::try_from(heads.len()).ok(), missing: f32::NAN })
}

fn embedded_on_the_cpu() -> HookedTransformer {
    HookedAutoModel::embedded_on(&device::choose(Some("cpu")).unwrap()).unwrap()
}

fn golden_file() -> PathBuf {
    arrakis_tests::fixture("records").join(format!("format-{FORMAT}.json"))
}

/// The record that a call writes with today's code.
fn today() -> Record {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(embedded_on_the_cpu()).save_dir(folder.path());
    let heads = HashMap::from([("b".into(), [1, 0]), ("a".into(), [0, 1]), ("c".into(), [1, 1])]);
    golden(&bench, "When Mary and John went", vec![0, 2], 0.1, heads).unwrap();
    only_run(&bench, "golden")
}

#[test]
fn a_golden_record_reads_back_word_for_word() {
    let record = today();
    if std::env::var_os("ARRAKIS_BLESS").is_some() && !golden_file().exists() {
        std::fs::write(golden_file(), format!("{:#}\n", record.to_json())).unwrap();
    }
    let text = std::fs::read_to_string(golden_file()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    std::fs::create_dir(store.folder_of("golden")).unwrap();
    std::fs::write(store.folder_of("golden").join("golden.json"), &text).unwrap();
    let runs = store.runs("golden").unwrap();
    assert_eq!(runs.unreadable, []);
    let read = &runs.records[0];
    assert!(read.is_intact());
    assert_eq!(read.version_of_inputs(), read.version);
    assert_eq!(format!("{:#}\n", read.to_json()), text);

    let scores: Scores = read.result().unwrap();
    assert!(scores.values == [0.5, 0.75, 0.625, 0.5, 1.0, 2.0] && scores.best == Some(3) && scores.missing.is_nan());
    assert_eq!(read.argument::<Vec<usize>>("layers").unwrap(), [0, 2]);
    let verdict = read.verdict.as_ref().unwrap();
    assert_eq!((verdict.claim.statement.as_str(), verdict.holds), ("the scores are positive", true));
    assert!(read.profile.as_ref().unwrap().sites.iter().any(|site| site.site == "blocks.0.attn.pattern"));
    assert_eq!((read.format, read.seed, read.figures.is_empty()), (1, 7, false));
}

#[test]
fn every_field_of_the_golden_record_is_written_today() {
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(golden_file()).unwrap()).unwrap();
    let today = today().to_json();
    for part in ["", "/model", "/profile", "/profile/sites/0", "/profile/scopes/0", "/verdict", "/verdict/claim"] {
        let keys = |json: &Value| -> HashSet<String> {
            json.pointer(part).unwrap().as_object().unwrap().keys().cloned().collect()
        };
        let missing: Vec<String> = keys(&golden).difference(&keys(&today)).cloned().collect();
        assert!(missing.is_empty(), "`{part}` lost {missing:?}: readers expect them");
    }
}

#[test]
fn equal_inputs_have_the_version_they_always_had() {
    assert_eq!(embedded_on_the_cpu().fingerprint().unwrap(), FINGERPRINT);
    assert_eq!(today().version.as_ref(), VERSION);
}

#[derive(Debug)]
#[allow(dead_code, reason = "read by Debug")]
struct Names(HashMap<String, HashSet<u32>>);

/// Every kind of argument whose debug text differs between processes.
#[log_experiment]
fn awkward(
    _bench: &Bench,
    score: fn(u32) -> u32,
    pointer: *const u8,
    heads: HashSet<String>,
    names: Names,
    text: Option<HashMap<String, f32>>,
) -> usize {
    heads.len() + names.0.len() + usize::from(pointer.is_null()) + text.map_or(0, |map| map.len()) + score(4) as usize
}

/// The test below runs this in separate processes.
#[test]
fn awkward_in_another_process() {
    let Ok(folder) = std::env::var("ARRAKIS_TEST_AWKWARD") else {
        return;
    };
    let bench = Bench::new(model()).save_dir(&folder);
    let words = || (0..20).map(|i| format!("{i} apples"));
    let names = words().map(|word| (word, (0..20).collect())).collect();
    let text = words().zip((0_u8..).map(f32::from)).collect();
    awkward(&bench, u32::isqrt, folder.as_ptr(), words().collect(), Names(names), Some(text));
}

#[test]
fn processes_with_equal_inputs_agree_on_the_version() {
    let folder = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    for _ in 0..3 {
        let mut process = Command::new(&this);
        process
            .args(["--exact", "attributes::golden::awkward_in_another_process"])
            .env("ARRAKIS_TEST_AWKWARD", folder.path());
        assert!(process.stdout(Stdio::null()).status().unwrap().success());
    }
    let runs = Store::new(folder.path()).runs("awkward").unwrap();
    assert_eq!((runs.records.len(), runs.versions().len()), (3, 1));
    let record = &runs.records[0];
    assert_eq!(record.arguments["heads"][0], "0 apples");
    assert_eq!(
        record.problems,
        [
            "the argument `score` is in the version by its type alone, `fn(u32) -> u32`: \
             its debug text holds an address, which differs between processes",
            "the argument `pointer` is in the version by its type alone, `*const u8`: \
             its debug text holds an address, which differs between processes",
        ]
    );
}

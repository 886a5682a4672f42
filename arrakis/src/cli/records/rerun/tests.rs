//! A repository, a record of it, and a cargo that builds a script.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::super::testing::ran;
use crate::experiment::testing::sealed_run;
use crate::experiment::{Git, Launch, Metrics, Outcome, Record, State, Store, Target};

/// Stands for cargo. The program that it "builds" writes the record that lies in the sources, or fails.
const CARGO: &str = r#"#!/bin/sh
package=$(dirname "$(printf '%s\n' "$@" | grep -A1 -x -e --manifest-path | tail -n1)")
case "$1" in
metadata) echo '{"packages": [{"name": "probe", "targets": [{"name": "study", "kind": ["bin"]}]}]}' ;;
build)
    grep -q broken "$package/src/main.rs" && { echo "error: it is broken" >&2; exit 101; }
    cat > "$package/program" <<END
#!/bin/sh
[ "\$1" = "--layer" ] || { echo "which layer?" >&2; exit 3; }
cat new/a.txt ../data/words.txt > /dev/null || exit 4
mkdir -p "\$ARRAKIS_RERUN_DIR/score" && cp "$package/again.json" "\$ARRAKIS_RERUN_DIR/score/"
END
    chmod +x "$package/program"
    echo "{\"target\": {\"name\": \"study\"}, \"executable\": \"$package/program\"}" ;;
esac
"#;

struct Study {
    folder: tempfile::TempDir,
    store: tempfile::TempDir,
    record: Record,
}

impl Study {
    /// A package in a repository, whose program gives `again`, which is not committed. The record says 0.5.
    fn new(again: f64) -> Self {
        let (folder, commit) = crate::experiment::state_tests::committed(&[
            ("probe/src/main.rs", "fn main() {}\n"),
            ("probe/Cargo.toml", "[package]\nname = \"probe\"\n"),
            ("probe/again.json", "{}\n"),
            (".gitignore", "data\nprogram\n"),
        ]);
        let store = tempfile::tempdir().unwrap();
        let mut study = Self { record: recorded(0.5, &commit), folder, store };
        let given = format!("{:#}\n", Record { id: "again".into(), ..recorded(again, &commit) }.sealed().to_json());
        study.write("probe/again.json", &given);
        study.write("data/words.txt", "what git ignores");
        let state = State {
            commit,
            patch: String::from_utf8(study.git(&["diff", "HEAD"])).unwrap(),
            files: [("probe/new/a.txt".to_owned(), "new".to_owned())].into(),
            left_out: [].into(),
        };
        let digest = state.remembered();
        if let Some(git) = &mut study.record.git {
            git.state = Some(digest);
        }
        study.record.data = vec![crate::experiment::DataFile {
            path: "../data/words.txt".into(),
            folder: study.folder.path().join("probe").to_string_lossy().into(),
            sha256: "00".into(),
        }];
        study.git(&["checkout", "--quiet", "probe/again.json"]);
        study.save();
        study
    }

    fn save(&mut self) {
        drop(fs::remove_dir_all(self.store.path().join("score")));
        self.record = self.record.clone().sealed();
        Store::new(self.store.path()).write(&self.record).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> Vec<u8> {
        crate::experiment::state_tests::said(self.folder.path(), arguments)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn cargo(&self) -> PathBuf {
        let path = self.store.path().join("cargo.sh");
        fs::write(&path, CARGO).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The exit status and everything that is said, without the places of this test.
    fn said(&self, more: &[&str]) -> (u8, String) {
        self.said_of(self.folder.path(), more)
    }

    fn said_of(&self, sources: &Path, more: &[&str]) -> (u8, String) {
        let cargo = self.cargo();
        let paths = [self.store.path(), sources, &cargo].map(|path| path.to_str().unwrap());
        let args = ["rerun", &self.record.id, "--dir", paths[0], "--sources", paths[1], "--cargo", paths[2]];
        let args: Vec<String> = args.iter().chain(more).map(|arg| (*arg).to_owned()).collect();
        let (code, out, err) = ran(&args);
        (code, out + &err.replace(self.folder.path().to_str().unwrap(), "REPO"))
    }
}

/// A record of the probe's program.
fn recorded(score: f64, commit: &str) -> Record {
    let launch = Launch {
        program: "study".into(),
        target: Target::Bin,
        profile: "debug".into(),
        package: Some("probe".into()),
        arguments: vec!["--layer".into(), "3".into()],
        test: None,
        folder: "probe".into(),
    };
    let git = Git { commit: commit.into(), dirty: true, package: "probe".into(), state: None };
    let like = sealed_run("score", "fn score() {}", 3, score);
    Record { launch: Some(launch), git: Some(git), sources: None, lock: None, ..like }
}

#[test]
fn the_recorded_changes_are_built_and_run_and_compared() {
    let study = Study::new(0.5);
    let (code, said) = study.said(&[]);
    let name = study.record.short_id();
    assert_eq!(
        (code, said.as_str()),
        (
            0,
            format!(
                "reproduced: run {name} of `score`: 1 value compared, all the same to the bit\nnote: the file ../data/words.txt was \
                 changed, or was not read\n"
            )
            .as_str()
        )
    );
    assert_eq!(study.git(&["worktree", "list"]).split(|byte| *byte == b'\n').count(), 2, "nothing is left");
    assert_eq!(study.git(&["status", "--porcelain"]), b"", "and nothing was touched");
}

#[test]
fn what_drifted_is_named_and_a_tolerance_is_kept() {
    let study = Study::new(0.50001);
    let (code, said) = study.said(&["--rtol", "1e-6"]);
    assert!(code == 1 && said.contains("1 value compared, 1 beyond the tolerance\n"), "{said}");
    assert!(said.contains("value   recorded  again    apart by\nresult  0.5       0.50001  "), "{said}");
    let (code, said) = study.said(&["--atol", "1e-3"]);
    assert!(code == 0 && said.contains("the largest difference is "), "{said}");
}

#[test]
fn what_fails_says_why() {
    let mut study = Study::new(0.5);
    let (code, said) = study.said(&["--", "--head", "3"]);
    assert_eq!(code, 2);
    assert!(
        said.contains("failed: `study` ended with exit status: 3 and made no record of `probe::heads::score` with these arguments:\nwhich layer?"),
        "{said}"
    );
    let (code, said) = study.said_of(study.store.path(), &[]);
    assert!(code == 2 && said.contains("is in no git work tree, or there is no git: say with --sources"), "{said}");
    study.write("probe/src/main.rs", "broken\n");
    let patch = String::from_utf8(study.git(&["diff", "HEAD"])).unwrap();
    let commit = study.record.git.clone().unwrap().commit;
    let broken = State { commit, patch, files: [].into(), left_out: [].into() }.remembered();
    study.record.git.as_mut().unwrap().state = Some(broken);
    study.save();
    let (code, said) = study.said(&[]);
    assert!(
        code == 2 && said.contains("failed: cargo build ended with exit status: 101:\nerror: it is broken"),
        "{said}"
    );
    let commit = study.record.git.clone().unwrap().commit;
    let place = study.store.path().join("outside.txt");
    let files = [(place.to_string_lossy().into_owned(), "written".to_owned())].into();
    let outside = State { commit, patch: String::new(), files, left_out: [].into() }.remembered();
    study.record.git.as_mut().unwrap().state = Some(outside);
    study.save();
    let (code, said) = study.said(&[]);
    assert!(code == 2 && said.contains("failed: cannot write the recorded file"), "{said}");
    assert!(!place.exists(), "nothing is written outside of the work tree");
    study.record.git.as_mut().unwrap().commit = "0".repeat(40);
    study.save();
    let (code, said) = study.said(&[]);
    assert!(
        code == 2 && said.contains("failed: `REPO` does not have the commit 0000000000000000000000000000000000000000"),
        "{said}"
    );
    study.record.launch.as_mut().unwrap().arguments = vec!["--token=***".into()];
    study.save();
    let said = study.said(&[]).1;
    assert!(said.contains("argument 1 of `study` was not recorded, because it looks like a secret"), "{said}");
    study.record.launch = None;
    study.save();
    assert!(study.said(&[]).1.contains("failed: the record does not say which program made it"));
    study.record.git = None;
    study.save();
    assert!(study.said(&[]).1.contains("failed: the record names no commit"));
}

#[test]
fn notes_name_what_is_another() {
    let study = Study::new(0.5);
    let mut after = study.record.clone();
    after.versions.insert("rustc".into(), "rustc 1".into());
    after.sources = Some("1".into());
    after.model.fingerprint = "other".into();
    after.outcome = Outcome::Ok(1.into());
    let before = Record { sources: Some("0".into()), ..study.record.clone() };
    let left_out = State { left_out: [("a.rs".into(), "it is large".into())].into(), ..State::default() };
    let said = super::notes(&before, &after, Some(&left_out));
    let rustc = format!("rustc was {} and is rustc 1", before.versions["rustc"]);
    for note in [
        "the changes of a.rs were not recorded: it is large",
        "the sources are not those of the record: git ignores some, or a package by path is in no work tree",
        "the model `toy` has other weights",
        &rustc,
    ] {
        assert!(said.iter().any(|said| said == note), "{note}: {said:?}");
    }
    assert!(study.store.path().join("score").exists());
    assert_eq!(Store::new(study.store.path()).metrics(&before).unwrap(), Metrics::new());
}

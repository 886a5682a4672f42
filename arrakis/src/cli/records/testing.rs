//! A folder with three runs, and the command line on it.

use std::path::Path;

use crate::experiment::Store;
use crate::experiment::testing::sealed_run;

/// Three runs of `score`, of layers 0, 1 and 2 with 0.25, 0.5 and 0.75, each by a function with another text.
pub(super) struct Study {
    folder: tempfile::TempDir,
    ids: Vec<String>,
}

impl Study {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let write = |layer: usize| {
            let score = 0.25 * (layer + 1) as f64;
            let source = format!("fn score(layer: usize) -> f64 {{\n    {score}\n}}");
            let record = sealed_run("score", &source, layer, score);
            store.write(&record).unwrap();
            record.id
        };
        let ids = (0..3).map(write).collect();
        Self { folder, ids }
    }

    pub(super) fn id(&self, layer: usize) -> &str {
        &self.ids[layer]
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sources with the function of layer 1.
    pub(super) fn sources() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        let text = "//! Scores.\nfn score(layer: usize) -> f64 {\n    0.5\n}\n";
        std::fs::write(folder.path().join("src/heads.rs"), text).unwrap();
        folder
    }

    /// A command on this folder.
    pub(super) fn args(&self, args: &[&str]) -> Vec<String> {
        let dir = ["--dir", self.folder.path().to_str().unwrap()];
        args.iter().chain(&dir).map(|arg| (*arg).to_owned()).collect()
    }
}

/// The exit status, the answer and the error of a command.
pub(super) fn ran(args: &[String]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let all = std::iter::once("arrakis".to_owned()).chain(args.iter().cloned());
    let code = super::super::run(all, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

//! The compiler, with the libraries of the running build.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A rustc command with `arrakis` and its dependencies.
pub(super) struct Compiler {
    /// `libarrakis-*.rlib`. Its dependencies are in the same folder.
    arrakis: PathBuf,
    /// The folder for its output.
    out: tempfile::TempDir,
}

impl Compiler {
    /// Asks cargo for the library that this test binary links. It is already built, so cargo only prints where it is.
    pub(super) fn of_this_build() -> Self {
        let this = std::env::current_exe().unwrap();
        let profile = this.ancestors().nth(2).unwrap();
        let mut target = profile.parent().unwrap();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        // Build scripts read these, and run again if they differ.
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_a_package(&name.to_string_lossy())) {
            cargo.env_remove(name);
        }
        cargo.args(["test", "--workspace", "--test", "laws", "--no-run", "--offline", "--message-format", "json"]);
        // A build for a named target has one folder more in its path. Cargo writes neither file into that one, and no tag into a
        // folder that was there before.
        if !["CACHEDIR.TAG", ".rustc_info.json"].iter().any(|file| target.join(file).is_file()) {
            cargo.arg("--target").arg(target.file_name().unwrap());
            target = target.parent().unwrap();
        }
        let profile = profile.file_name().unwrap().to_str().unwrap();
        let profile = if profile == "debug" { "dev" } else { profile };
        let output = cargo.args(["--profile", profile, "--target-dir"]).arg(target).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { arrakis: library(&output.stdout), out: tempfile::tempdir().unwrap() }
    }

    /// What the compiler prints about a file it refuses; empty for a file that compiles. It runs where cargo compiles
    /// the workspace, so that it finds the sources it quotes.
    pub(super) fn refusal(&self, file: &Path) -> Option<String> {
        let output = self.command("arrakis", file).args(["--emit", "metadata"]).output().unwrap();
        (!output.status.success()).then(|| String::from_utf8(output.stderr).unwrap())
    }

    /// What the compiler prints about a file that uses `arrakis` under another name, with warnings; nothing is wanted.
    pub(super) fn said_of_renamed(&self, name: &str, file: &Path) -> String {
        let output = self.command(name, file).args(["--emit", "metadata", "--test"]).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    }

    /// The source without its macros, as the compiler prints it.
    pub(super) fn expanded(&self, file: &Path) -> String {
        let mut command = self.command("arrakis", file);
        let output = command.env("RUSTC_BOOTSTRAP", "1").arg("-Zunpretty=expanded").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn command(&self, name: &str, file: &Path) -> Command {
        let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        command
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
            .args(["--edition", "2024", "--crate-type", "bin", "--diagnostic-width", "140"])
            .arg("--extern")
            .arg(format!("{name}={}", self.arrakis.display()))
            .arg("-L")
            .arg(format!("dependency={}", self.arrakis.parent().unwrap().display()))
            .arg("--out-dir")
            .arg(self.out.path())
            .arg(Path::new("tests").join(file));
        command
    }
}

/// Whether cargo sets this variable for the package it runs.
fn is_of_a_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"]
        .iter()
        .any(|start| variable.starts_with(start))
}

/// The library among the artifacts that cargo lists, one JSON object a line.
fn library(listed: &[u8]) -> PathBuf {
    let artifacts = std::str::from_utf8(listed).unwrap().lines().map(|line| serde_json::from_str(line).unwrap());
    let arrakis = |artifact: &Value| artifact["target"]["name"] == "arrakis" && artifact["target"]["kind"][0] == "lib";
    let artifact = artifacts.into_iter().find(arrakis).expect("cargo lists the library among its artifacts");
    let files: Vec<PathBuf> = serde_json::from_value(artifact["filenames"].clone()).unwrap();
    files.into_iter().find(|file| file.extension().is_some_and(|end| end == "rlib")).unwrap()
}

//! The program of a record, built by cargo as it was.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::experiment::{Launch, Record, Target};

/// Lines of a failed build or run that are shown.
const SHOWN: usize = 20;

/// The cargo that builds, and where its builds go.
pub(super) struct Cargo<'a> {
    pub(super) program: &'a Path,
    pub(super) target: PathBuf,
}

/// What to build.
pub(super) struct Build<'a> {
    pub(super) cargo: Cargo<'a>,
    pub(super) record: &'a Record,
    pub(super) launch: &'a Launch,
    /// The manifest of the function's package.
    pub(super) manifest: &'a Path,
}

/// A target of a package.
#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    package: String,
    kind: &'static str,
    name: String,
}

impl Build<'_> {
    /// The executable.
    pub(super) fn run(&self) -> Result<PathBuf, String> {
        let listed = self.cargo(&["metadata", "--no-deps", "--format-version=1"], false)?;
        let metadata =
            serde_json::from_str(&listed).map_err(|error| format!("cargo metadata cannot be read: {error}"))?;
        let chosen = chosen(&metadata, self.launch, &self.record.package)?;
        let options = self.options(&chosen);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let messages = self.cargo(&options, true)?;
        executable(&messages, &chosen.name).ok_or_else(|| format!("cargo built no program `{}`", chosen.name))
    }

    fn options(&self, chosen: &Chosen) -> Vec<String> {
        let mut all: Vec<&str> =
            if self.launch.target == Target::Test { vec!["test", "--no-run"] } else { vec!["build"] };
        all.extend(["--message-format=json-render-diagnostics", "--package", &chosen.package]);
        match chosen.kind {
            "lib" => all.push("--lib"),
            kind => all.extend([kind, chosen.name.as_str()]),
        }
        match self.launch.profile.as_str() {
            "debug" => {}
            "release" => all.push("--release"),
            profile => all.extend(["--profile", profile]),
        }
        let features = self.record.features.join(",");
        if chosen.package == self.record.package {
            all.push("--no-default-features");
            if !features.is_empty() {
                all.extend(["--features", &features]);
            }
        }
        let target = self.cargo.target.to_string_lossy();
        all.extend(["--target-dir", &target]);
        all.into_iter().map(str::to_owned).collect()
    }

    fn cargo(&self, options: &[&str], shows: bool) -> Result<String, String> {
        let mut command = Command::new(self.cargo.program);
        command.args(options).arg("--manifest-path").arg(self.manifest).stdin(Stdio::null());
        if let Some(folder) = self.manifest.parent() {
            command.current_dir(folder);
        }
        let watched = shows && std::io::stderr().is_terminal();
        command.stderr(if watched { Stdio::inherit() } else { Stdio::piped() }).stdout(Stdio::piped());
        let done = command.spawn().and_then(std::process::Child::wait_with_output);
        let done = done.map_err(|error| format!("cannot run `{}`: {error}", self.cargo.program.display()))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        Err(format!("cargo {} ended with {}{}", options[0], done.status, last_lines(&done.stderr)))
    }
}

/// The target of the program among those of the workspace: of the package that started it, then of the function's, then of any.
fn chosen(metadata: &Value, launch: &Launch, package: &str) -> Result<Chosen, String> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let name_of = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let kinds: &[(&str, &str)] = match launch.target {
        Target::Bin => &[("bin", "--bin")],
        Target::Example => &[("example", "--example")],
        Target::Test => {
            &[("lib", "lib"), ("test", "--test"), ("bin", "--bin"), ("bench", "--bench"), ("example", "--example")]
        }
    };
    let wanted = [launch.package.as_deref(), Some(package)];
    let rank = |name: &str| wanted.iter().position(|wanted| *wanted == Some(name)).unwrap_or(wanted.len());
    let mut found = Vec::new();
    for one in packages {
        for target in one["targets"].as_array().into_iter().flatten() {
            let is_kind = |kind: &str| {
                let mut of = target["kind"].as_array().into_iter().flatten().filter_map(Value::as_str);
                of.any(|of| of == kind || kind == "lib" && (of.ends_with("lib") || of == "proc-macro"))
            };
            let same = name_of(target).replace('-', "_") == launch.program.replace('-', "_");
            if let Some(place) = kinds.iter().position(|(kind, _)| is_kind(kind)).filter(|_| same) {
                let chosen = Chosen { package: name_of(one), kind: kinds[place].1, name: name_of(target) };
                found.push((rank(&chosen.package), place, chosen));
            }
        }
    }
    found.sort_by_key(|(rank, place, _)| (*rank, *place));
    let chosen = found.into_iter().next().map(|(.., chosen)| chosen);
    chosen.ok_or_else(|| format!("the recorded sources have no program `{}`", launch.program))
}

/// The executable among cargo's messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let path = |one: Value| (one["target"]["name"] == name).then(|| one["executable"].as_str().map(PathBuf::from))?;
    messages.filter_map(path).next_back()
}

/// The last lines of what a program said, under a colon.
pub(super) fn last_lines(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return String::new();
    }
    format!(":\n{}", lines[lines.len().saturating_sub(SHOWN)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn launch(program: &str, target: Target) -> Launch {
        Launch {
            program: program.into(),
            target,
            profile: "debug".into(),
            package: None,
            arguments: Vec::new(),
            test: None,
            folder: String::new(),
        }
    }

    #[test]
    fn a_program_is_found_among_the_targets_of_the_workspace() {
        let target = |name: &str, kind: &str| json!({ "name": name, "kind": [kind] });
        let metadata = json!({ "packages": [
            { "name": "other", "targets": [target("my-study", "bin")] },
            { "name": "my-study", "targets": [target("my_study", "rlib"), target("my-study", "bin"), target("laws", "test")] },
        ] });
        let of = |program: &str, kind: Target, package: &str| {
            chosen(&metadata, &launch(program, kind), package)
                .map(|one| format!("{} {} {}", one.package, one.kind, one.name))
        };
        assert_eq!(of("my-study", Target::Bin, "my-study").unwrap(), "my-study --bin my-study");
        assert_eq!(of("my-study", Target::Bin, "other").unwrap(), "other --bin my-study");
        assert_eq!(of("my_study", Target::Test, "my-study").unwrap(), "my-study lib my_study");
        assert_eq!(of("laws", Target::Test, "elsewhere").unwrap(), "my-study --test laws");
        assert_eq!(of("gone", Target::Bin, "other").unwrap_err(), "the recorded sources have no program `gone`");
    }

    #[test]
    fn cargo_is_asked_for_the_recorded_profile_and_features() {
        let record = Record { package: "p".into(), features: vec!["a".into(), "b".into()], ..Record::default() };
        let options = |target: Target, profile: &str, kind: &'static str, package: &str| {
            let launch = Launch { profile: profile.into(), ..launch("x", target) };
            let cargo = Cargo { program: Path::new("cargo"), target: "/t".into() };
            let build = Build { cargo, record: &record, launch: &launch, manifest: Path::new("Cargo.toml") };
            build.options(&Chosen { package: package.into(), kind, name: "x".into() }).join(" ")
        };
        let format = "--message-format=json-render-diagnostics --package";
        assert_eq!(
            options(Target::Bin, "debug", "--bin", "p"),
            format!("build {format} p --bin x --no-default-features --features a,b --target-dir /t")
        );
        assert_eq!(
            options(Target::Test, "release", "lib", "q"),
            format!("test --no-run {format} q --lib --release --target-dir /t")
        );
    }
}

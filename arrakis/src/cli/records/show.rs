//! `arrakis show` and `arrakis source`: one run.

use std::fmt::Write as _;

use similar::TextDiff;

use super::{Answer, Dir, SourceArgs, shown, when};
use crate::error::Result;
use crate::experiment::code::text_of;
use crate::experiment::{Assessment, Cause, Names, Record, Status, Store, UsedHelper};
use crate::fmt::short;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or its last eight digits; a version means its latest run
    id: String,
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    sources: SourceArgs,
    /// The record's own JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Answer> {
    let store = args.dir.store()?;
    let record = store.find(&args.id)?;
    let text = if args.json {
        format!("{:#}\n", record.to_json())
    } else {
        page(&store, &record, &args.sources.read().assess(&record))?
    };
    Ok(Answer { text, yes: true })
}

pub(crate) fn source(args: &Args) -> Result<Answer> {
    let record = args.dir.store()?.find(&args.id)?;
    let text = if args.json {
        format!("{:#}\n", serde_json::json!({ "file": record.file, "line": record.line, "source": record.source }))
    } else {
        format!("{}\n", record.source.trim_end())
    };
    Ok(Answer { text, yes: true })
}

/// Everything but the source and the profile.
pub(super) fn page(store: &Store, record: &Record, code: &Assessment) -> Result<String> {
    let annotations = store.annotations(record)?;
    let mut page = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(page, "{name:<12}{value}");
        }
    };
    line("run", &record.id);
    line("version", record.version.as_ref());
    line("function", record.instance.as_deref().unwrap_or(&record.function));
    line("source", &format!("{}:{} ({} {})", record.file, record.line, record.package, record.package_version));
    line("code", code.freshness.word());
    for cause in &code.causes {
        line("", &cause.to_string());
    }
    for helper in &record.helpers {
        line("helper", &format!("{} {}:{}", helper.path, helper.file, helper.line));
    }
    line("started", &format!("{} UTC, took {:.3} s", when(&record.started), record.duration_secs));
    line("status", &Status::of(record).to_string());
    line("model", &format!("{} on {} in {}", record.model.name, record.model.device, record.model.dtype));
    line("fingerprint", &record.model.fingerprint);
    for file in &record.data {
        line("data", &format!("{} {}", file.path, &file.sha256[..file.sha256.len().min(8)]));
    }
    line("seed", &record.seed.to_string());
    line("commit", &record.git.as_ref().map(|git| shown::value(&serde_json::json!(git))).unwrap_or_default());
    line("tags", &annotations.tags_of(record).into_iter().collect::<Vec<_>>().join(" "));
    line("parents", &record.parents.join(" "));
    line("figures", &record.figures.join(" "));
    for (at, note) in annotations.notes() {
        line("note", &format!("{} {note}", when(at)));
    }
    for problem in &record.problems {
        line("problem", problem);
    }
    for (name, steps) in store.metrics(record)? {
        line("metric", &course(&name, &steps));
    }
    let of_call = |name: &str| ["args", "result", "error", "panic"].contains(&name.split('.').next().unwrap_or(name));
    for (name, value) in Names::of(record).iter().filter(|(name, _)| of_call(name)) {
        line("", &format!("{name} = {}", shown::value(value)));
    }
    if let Some(verdict) = &record.verdict {
        let _ = writeln!(page, "{verdict}");
    }
    code.causes.iter().filter_map(|cause| changed(store, record, cause)).for_each(|lines| page += &lines);
    Ok(page)
}

/// The course of a number over the steps: `loss: 1000 steps, 2.31 to 0.04, least 0.039, most 2.31`.
fn course(name: &str, steps: &[(u64, f64)]) -> String {
    let (Some((_, first)), Some((_, last))) = (steps.first(), steps.last()) else { return name.to_owned() };
    let values = || steps.iter().map(|(_, value)| *value);
    let (least, most) = (values().fold(f64::NAN, f64::min), values().fold(f64::NAN, f64::max));
    let [first, last, least, most] = [*first, *last, least, most].map(short);
    format!("{name}: {} steps, {first} to {last}, least {least}, most {most}", steps.len())
}

/// The lines of a function or a helper that were changed since.
fn changed(store: &Store, record: &Record, cause: &Cause) -> Option<String> {
    let Cause::Code { path, place, hash, text } = cause else { return None };
    let of_hash = |helper: &&UsedHelper| Some(&helper.hash) == hash.as_ref() && helper.path == *path;
    let before = match record.helpers.iter().find(of_hash) {
        Some(helper) => store.helper_text(record, helper)?,
        None => record.source.clone(),
    };
    let name = path.rsplit("::").next().unwrap_or(path);
    let before = text_of(&before, name).unwrap_or(before);
    let lines = TextDiff::from_lines(&before, text);
    let then = format!("{path}, as recorded");
    Some(format!("\n{}", lines.unified_diff().missing_newline_hint(false).header(&then, place)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Study, ran};
    use super::*;

    #[test]
    fn a_run_is_shown_with_its_values() {
        let study = Study::new();
        let (code, out, _) = ran(&study.args(&["show", study.id(1)]));
        assert_eq!(code, 0);
        assert!(out.starts_with(&format!("run         {}\n", study.id(1))), "{out}");
        assert!(out.contains("args.layer = 1\n") && out.contains("result = 0.5\n"), "{out}");
        let (_, json, _) = ran(&study.args(&["show", study.id(1), "--json"]));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["id"], study.id(1));
    }

    #[test]
    fn what_was_changed_since_is_shown_with_its_lines() {
        let study = Study::new();
        let sources = Study::sources();
        let (_, out, _) = ran(&study.args(&["show", study.id(0), "--sources", sources.path().to_str().unwrap()]));
        let place = format!("{}:2-4", sources.path().join("src/heads.rs").display());
        assert!(
            out.contains(&format!("code        stale\n            `probe::heads::score` was changed: {place}\n")),
            "{out}"
        );
        assert!(out.contains("-    0.25\n+    0.5\n"), "{out}");
    }

    #[test]
    fn the_source_is_as_it_was() {
        let study = Study::new();
        let (_, out, _) = ran(&study.args(&["source", study.id(0)]));
        assert_eq!(out, "fn score(layer: usize) -> f64 {\n    0.25\n}\n");
    }

    #[test]
    fn the_course_of_a_number_is_on_a_line() {
        assert_eq!(course("loss", &[(0, 2.0), (1, 4.0), (5, 0.5)]), "loss: 3 steps, 2 to 0.5, least 0.5, most 4");
        assert_eq!(course("loss", &[(0, f64::NAN)]), "loss: 1 steps, NaN to NaN, least NaN, most NaN");
    }

    #[test]
    fn an_id_of_nothing_is_an_error() {
        let study = Study::new();
        let (code, _, err) = ran(&study.args(&["show", "ffff0000"]));
        assert!(code == 2 && err.contains("has the id `ffff0000`"), "{err}");
    }
}

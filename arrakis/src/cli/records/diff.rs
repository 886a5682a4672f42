//! `arrakis diff`: what is different between two runs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use similar::TextDiff;

use super::{Answer, Dir, shown, table};
use crate::error::Result;
use crate::experiment::{Change, Metrics, Names, Record, Store, diff};
use crate::fmt::short;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first run, as `arrakis show` takes it
    before: String,
    /// The second run
    after: String,
    #[command(flatten)]
    dir: Dir,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Answer> {
    let store = args.dir.store()?;
    let (before, after) = (store.find(&args.before)?, store.find(&args.after)?);
    let changes = diff(&before, &after);
    let text = if args.json {
        let change = |change: &Change| json!({ "path": change.path, "before": change.before, "after": change.after });
        format!("{:#}\n", changes.iter().map(change).collect::<Value>())
    } else {
        page(&store, &before, &after)?
    };
    Ok(Answer { text, yes: changes.is_empty() })
}

fn page(store: &Store, before: &Record, after: &Record) -> Result<String> {
    let mut page = format!("--- {}\n+++ {}\n", before.id, after.id);
    let mut rows = rows(before, after);
    rows.extend(metrics(&store.metrics(before)?, &store.metrics(after)?));
    page += &table::aligned(&["value", "before", "after", "change"], &rows);
    if rows.is_empty() {
        page = format!("{page}no value is different\n");
    }
    if before.source != after.source {
        let lines = TextDiff::from_lines(&before.source, &after.source);
        let _ = write!(
            page,
            "\n{}",
            lines.unified_diff().missing_newline_hint(false).header(&place(before), &place(after))
        );
    }
    Ok(page)
}

fn place(record: &Record) -> String {
    format!("{}:{}", record.file, record.line)
}

/// Each value that is different, with the change of a number.
fn rows(before: &Record, after: &Record) -> Vec<Vec<String>> {
    let (old, new) = (Names::of(before), Names::of(after));
    let mut names: Vec<&str> = old.iter().map(|(name, _)| name).collect();
    names.extend(new.iter().map(|(name, _)| name).filter(|name| old.get(name).is_none()));
    let is_of_every_run = |name: &str| ["id", "started", "duration_secs", "source_hash"].contains(&name);
    let changed = names.into_iter().filter(|name| !is_of_every_run(name) && old.get(name) != new.get(name));
    changed.map(|name| row(name, &old, &new)).collect()
}

/// The last number of each metric, where the two are different.
fn metrics(old: &Metrics, new: &Metrics) -> Vec<Vec<String>> {
    let last =
        |metrics: &Metrics, name: &str| metrics.get(name).and_then(|steps| steps.last()).map(|(_, value)| *value);
    let shown = |value: Option<f64>| value.map_or_else(|| "absent".into(), short);
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let pairs = names.into_iter().map(|name| (name, last(old, name), last(new, name)));
    let row = |(name, old, new): (&String, Option<f64>, Option<f64>)| {
        let change = old.zip(new).map_or_else(String::new, |(old, new)| change(old, new));
        vec![format!("metrics.{name}"), shown(old), shown(new), change]
    };
    let differs = |(_, old, new): &(&String, Option<f64>, Option<f64>)| old.map(f64::to_bits) != new.map(f64::to_bits);
    pairs.filter(differs).map(row).collect()
}

fn row(name: &str, old: &Names, new: &Names) -> Vec<String> {
    let shown = |names: &Names| names.get(name).map_or_else(|| "absent".into(), shown::value);
    let change = match (old.number(name), new.number(name)) {
        (Some(old), Some(new)) => change(old, new),
        _ => String::new(),
    };
    vec![name.to_owned(), shown(old), shown(new), change]
}

/// The difference, and in per cent of the first number where that means something.
fn change(old: f64, new: f64) -> String {
    let difference = new - old;
    let relative = 100.0 * difference / old.abs();
    if relative.is_finite() { format!("{difference:+.4} ({relative:+.1} %)") } else { format!("{difference:+.4}") }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Study, ran};
    use super::*;

    #[test]
    fn values_and_lines_that_differ_are_listed() {
        let study = Study::new();
        let (code, out, _) = ran(&study.args(&["diff", study.id(0), study.id(2)]));
        assert_eq!(code, 1, "different");
        assert!(out.contains("args.layer  0"), "{out}");
        assert!(out.contains("+0.5000 (+200.0 %)"), "{out}");
        assert!(out.contains("-    0.25\n+    0.75\n"), "{out}");
        let (code, out, _) = ran(&study.args(&["diff", study.id(0), study.id(0)]));
        assert!(code == 0 && out.ends_with("no value is different\n"), "{out}");
        let (_, json, _) = ran(&study.args(&["diff", study.id(0), study.id(1), "--json"]));
        let json: Vec<Value> = serde_json::from_str(&json).unwrap();
        assert!(json.iter().any(|change| change["path"] == "outcome.ok" && change["after"] == 0.5), "{json:?}");
    }

    #[test]
    fn the_last_numbers_of_metrics_are_compared() {
        let of = |name: &str, value: f64| Metrics::from([(name.to_owned(), vec![(0, 9.0), (1, value)])]);
        let rows = metrics(&of("loss", 0.5), &of("loss", 0.25));
        assert_eq!(rows, [["metrics.loss", "0.5", "0.25", "-0.2500 (-50.0 %)"]]);
        assert_eq!(metrics(&of("a", 0.5), &Metrics::new()), [["metrics.a", "0.5", "absent", ""]]);
        assert_eq!(metrics(&of("a", f64::NAN), &of("a", f64::NAN)), [] as [Vec<String>; 0]);
    }

    #[test]
    fn a_change_has_a_sign_and_per_cent() {
        assert_eq!(change(0.5, 0.25), "-0.2500 (-50.0 %)");
        assert_eq!(change(-2.0, -1.0), "+1.0000 (+50.0 %)");
        assert_eq!(change(0.0, 1.0), "+1.0000");
    }
}

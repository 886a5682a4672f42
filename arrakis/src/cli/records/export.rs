//! `arrakis export`: runs as a table for other programs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrakis_models::files::write_whole;
use serde_json::Value;

use super::{Answer, Dir, csv, log};
use crate::error::Result;
use crate::experiment::{Condition, Metrics, Names, Query, Record, Status, Store};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An experiment; the default is all
    name: Option<String>,
    #[command(flatten)]
    dir: Dir,
    /// Only runs that meet a condition, as for `arrakis log`
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<Condition>,
    /// CSV with a column for each value, or one JSON object per line
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The file to write; the default is standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

pub(crate) fn run(args: &Args) -> Result<Answer> {
    let store = args.dir.store()?;
    let query = args.name.iter().fold(Query::new(), Query::name);
    let mut records = store.query(&args.conditions.iter().cloned().fold(query, Query::condition))?.records;
    records.reverse();
    let text = match args.format {
        Format::Csv => wide(&store, &records)?,
        Format::Jsonl => {
            let line = |record| Ok(format!("{}\n", log::object(&store, record)?));
            records.iter().map(line).collect::<Result<String>>()?
        }
    };
    let Some(path) = &args.output else { return Ok(Answer { text, yes: true }) };
    write_whole(path, &text)?;
    Ok(Answer { text: format!("{} runs in `{}`\n", records.len(), path.display()), yes: true })
}

/// One row per run, oldest first; columns are every value that one of them has, and the last number of each metric.
fn wide(store: &Store, records: &[Record]) -> Result<String> {
    let names: Vec<Names> = records.iter().map(Names::of).collect();
    let metrics: Vec<Metrics> = records.iter().map(|record| store.metrics(record)).collect::<Result<_>>()?;
    let of_steps: BTreeSet<&String> = metrics.iter().flat_map(BTreeMap::keys).collect();
    let mut seen = BTreeSet::new();
    let columns: Vec<&str> = names
        .iter()
        .flat_map(|names| names.iter().map(|(name, _)| name))
        .filter(|name| !matches!(*name, "tags" | "verdict") && seen.insert(*name))
        .collect();
    let mut rows: Vec<Vec<String>> = vec![header(&columns, &of_steps)];
    for ((record, names), metrics) in records.iter().zip(&names).zip(&metrics) {
        let tags: Vec<String> = store.annotations(record)?.tags_of(record).into_iter().collect();
        let cells = columns.iter().map(|name| names.get(name).map_or_else(String::new, cell));
        let last = |name: &&String| metrics.get(*name)?.last().map(|(_, value)| value.to_string());
        let lasts = of_steps.iter().map(|name| last(name).unwrap_or_default());
        rows.push(cells.chain([Status::of(record).to_string(), tags.join(" ")]).chain(lasts).collect());
    }
    Ok(csv::table(rows))
}

fn header(columns: &[&str], of_steps: &BTreeSet<&String>) -> Vec<String> {
    let metrics = of_steps.iter().map(|name| format!("metrics.{name}"));
    columns.iter().map(|name| (*name).to_owned()).chain(["status".into(), "all_tags".into()]).chain(metrics).collect()
}

/// A number in full, text as it is, anything else as JSON.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(fields) => match fields.get("$float").and_then(Value::as_str) {
            Some(number) => number.to_owned(),
            None => value.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Study, ran};
    use super::csv;

    #[test]
    fn a_table_has_a_row_per_run_and_a_column_per_value() {
        let study = Study::new();
        let (_, out, _) = ran(&study.args(&["export", "--where", "layer > 0"]));
        let rows = csv::read(&out);
        let column = |name: &str| rows[0].iter().position(|found| found == name).unwrap();
        let value = |row: &Vec<String>| (row[column("args.layer")].clone(), row[column("result")].clone());
        let values: Vec<(String, String)> = rows[1..].iter().map(value).collect();
        assert_eq!(values, [("1".into(), "0.5".into()), ("2".into(), "0.75".into())]);
    }

    #[test]
    fn lines_go_to_a_file() {
        let study = Study::new();
        let path = study.folder().join("all.jsonl");
        let (_, out, _) = ran(&study.args(&["export", "--format", "jsonl", "--output", path.to_str().unwrap()]));
        assert_eq!(out, format!("3 runs in `{}`\n", path.display()));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
    }
}

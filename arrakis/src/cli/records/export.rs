//! `arrakis export`: runs for other programs: as a table, or on an `MLflow` server.

mod mlflow;
#[cfg(feature = "parquet")]
mod typed;
mod wide;

use std::path::PathBuf;

use arrakis_models::files::write_whole;

use super::{Answer, Dir, log};
#[cfg(feature = "parquet")]
use crate::error::Error;
use crate::error::Result;
use crate::experiment::{Condition, Query, Record, Store};
use wide::Wide;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An experiment; the default is all
    name: Option<String>,
    #[command(flatten)]
    dir: Dir,
    /// Only runs that meet a condition, as for `arrakis log`
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<Condition>,
    /// CSV or Parquet with a column for each value, or one JSON object per line
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The file to write; the default is standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Sends the runs to an `MLflow` server instead, each once: `http://127.0.0.1:5000`
    #[arg(long, value_name = "URL", conflicts_with_all = ["format", "output"])]
    mlflow: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Csv,
    Jsonl,
    #[cfg(feature = "parquet")]
    Parquet,
}

pub(crate) fn run(args: &Args) -> Result<Answer> {
    let store = args.dir.store()?;
    let query = args.name.iter().fold(Query::new(), Query::name);
    let mut records = store.query(&args.conditions.iter().cloned().fold(query, Query::condition))?.records;
    records.reverse();
    if let Some(url) = &args.mlflow {
        return mlflow::export(url, &store, &records);
    }
    #[cfg(feature = "parquet")]
    if matches!(args.format, Format::Parquet) && args.output.is_none() {
        let problem = "Parquet is not text; name a file with `--output runs.parquet`".to_owned();
        return Err(Error::Value { of: "export", problem });
    }
    let bytes = bytes(args.format, &store, &records)?;
    if let Some(path) = &args.output {
        write_whole(path, &bytes)?;
        return Ok(Answer { text: format!("{} runs in `{}`\n", records.len(), path.display()), yes: true });
    }
    Ok(Answer { text: String::from_utf8(bytes).expect("BUG: CSV and JSON are text"), yes: true })
}

fn bytes(format: Format, store: &Store, records: &[Record]) -> Result<Vec<u8>> {
    Ok(match format {
        Format::Csv => Wide::of(store, records)?.csv().into_bytes(),
        Format::Jsonl => {
            let line = |record| Ok(format!("{}\n", log::object(store, record)?));
            records.iter().map(line).collect::<Result<String>>()?.into_bytes()
        }
        #[cfg(feature = "parquet")]
        Format::Parquet => typed::parquet(&Wide::of(store, records)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::csv;
    use super::super::testing::{Study, ran};

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

    #[cfg(feature = "parquet")]
    #[test]
    fn parquet_needs_a_file_and_mlflow_takes_none() {
        let study = Study::new();
        let (code, _, err) = ran(&study.args(&["export", "--format", "parquet"]));
        assert_eq!(
            (code, err.trim()),
            (2, "error: `export`: Parquet is not text; name a file with `--output runs.parquet`")
        );
        let (code, _, err) = ran(&study.args(&["export", "--mlflow", "http://127.0.0.1:1", "--output", "a.csv"]));
        assert!(code == 2 && err.contains("cannot be used with"), "{code} {err}");
    }
}

//! Runs as one table: a row for each, a column for each value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::csv;
use crate::error::Result;
use crate::experiment::{Metrics, Names, Record, Status, Store, json};

/// A table with named columns; a run without a value has `null` there.
pub(super) struct Wide {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Wide {
    /// One row per run, oldest first; columns are every value that one of them has, and the last number of each metric.
    pub(super) fn of(store: &Store, records: &[Record]) -> Result<Self> {
        let names: Vec<Names> = records.iter().map(Names::of).collect();
        let metrics: Vec<Metrics> = records.iter().map(|record| store.metrics(record)).collect::<Result<_>>()?;
        let of_steps: BTreeSet<&String> = metrics.iter().flat_map(BTreeMap::keys).collect();
        let mut seen = BTreeSet::new();
        let columns: Vec<&str> = names
            .iter()
            .flat_map(|names| names.iter().map(|(name, _)| name))
            .filter(|name| !matches!(*name, "tags" | "verdict") && seen.insert(*name))
            .collect();
        let mut rows = Vec::new();
        for ((record, names), metrics) in records.iter().zip(&names).zip(&metrics) {
            let tags: Vec<String> = store.annotations(record)?.tags_of(record).into_iter().collect();
            let cells = columns.iter().map(|name| names.get(name).cloned().unwrap_or_default());
            let last = |name: &&String| json::to_value(&metrics.get(*name)?.last()?.1).ok();
            let lasts = of_steps.iter().map(|name| last(name).unwrap_or_default());
            let own = [Value::from(Status::of(record).to_string()), Value::from(tags.join(" "))];
            rows.push(cells.chain(own).chain(lasts).collect());
        }
        Ok(Self { columns: header(&columns, &of_steps), rows })
    }

    /// As CSV.
    pub(super) fn csv(&self) -> String {
        let rows = self.rows.iter().map(|row| row.iter().map(cell).collect());
        csv::table(std::iter::once(self.columns.clone()).chain(rows))
    }
}

fn header(columns: &[&str], of_steps: &BTreeSet<&String>) -> Vec<String> {
    let metrics = of_steps.iter().map(|name| format!("metrics.{name}"));
    columns.iter().map(|name| (*name).to_owned()).chain(["status".into(), "all_tags".into()]).chain(metrics).collect()
}

/// A number in full, text as it is, anything else as JSON.
pub(super) fn cell(value: &Value) -> String {
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

//! The differences between two records: inputs, environment, outcome.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Record;

/// One value that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its path in the record, such as `arguments.layer`.
    pub path: String,
    /// The value in the first record; `null` if absent.
    pub before: Value,
    /// The value in the second record.
    pub after: Value,
}

/// Parts that differ between any two runs and so say nothing.
const OF_EVERY_RUN: [&str; 5] = ["id", "version", "started", "duration_secs", "digest"];

/// Every value that differs, in the order of the first record's fields.
pub fn diff(before: &Record, after: &Record) -> Vec<Change> {
    let mut changes = Vec::new();
    walk(String::new(), &before.to_json(), &after.to_json(), &mut changes);
    changes.retain(|change| !OF_EVERY_RUN.contains(&change.path.as_str()));
    changes
}

fn walk(path: String, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let mut seen = BTreeSet::new();
            for key in a.keys().chain(b.keys()).filter(|key| seen.insert(*key)) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(path, a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), changes);
            }
        }
        (before, after) if before == after => {}
        (before, after) => changes.push(Change { path, before: before.clone(), after: after.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn only_what_differs_is_listed() {
        let before = record(0).sealed();
        let after = Record { outcome: Outcome::Ok(0.5.into()), ..record(2) }.sealed();
        let paths: Vec<String> = diff(&before, &after).into_iter().map(|change| change.path).collect();
        assert_eq!(paths, ["arguments.layer", "outcome.ok"]);
        assert_eq!(diff(&before, &before), []);
    }
}

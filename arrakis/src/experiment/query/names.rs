//! The values of a record, by the names that conditions, columns and comparisons use.

use serde_json::Value;

use super::super::{Record, json};

/// Leaves of a record that are listed by name. A longer list of numbers is one value.
const LONGEST_LIST: usize = 16;

/// The values of a record by name: `seed`, `model.name`, `args.layer`, `result.scores.0`.
///
/// `args` are the arguments and `result` is what the function returned. Other names are the fields of the record's JSON.
#[derive(Clone, Debug)]
pub struct Names(Vec<(String, Value)>);

impl Names {
    /// The values of a record.
    pub fn of(record: &Record) -> Self {
        let mut found = Vec::new();
        let Value::Object(fields) = record.to_json() else { return Self(found) };
        for (field, value) in fields {
            match field.as_str() {
                "arguments" => leaves("args", &value, &mut found),
                "outcome" => outcome(&value, &mut found),
                "source" | "digest" | "profile" | "figures" | "problems" | "parents" | "launch" => {}
                "model" => leaves("model", &without(value, "files"), &mut found),
                "data" => found.extend(
                    record.data.iter().map(|file| (format!("data.{}", file.path), file.sha256.as_str().into())),
                ),
                _ => leaves(&field, &value, &mut found),
            }
        }
        Self(found)
    }

    /// These values.
    pub(in crate::experiment) fn from_pairs(pairs: Vec<(String, Value)>) -> Self {
        Self(pairs)
    }

    /// No values.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// The value of a name. An argument and a part of the result can be named without `args.` and `result.`, if no field
    /// of the record has the name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let exact = |name: &str| self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        exact(name).or_else(|| exact(&format!("args.{name}"))).or_else(|| exact(&format!("result.{name}")))
    }

    /// The number of a name, if it is one.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(number)
    }

    /// The numbers of the result: the metrics of a run.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, f64)> {
        let of_result = |name: &str| name == "result" || name.starts_with("result.");
        self.0
            .iter()
            .filter(move |(name, _)| of_result(name))
            .filter_map(|(name, value)| Some((&**name, number(value)?)))
    }

    /// Every name and value, in the order of the record.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

fn without(mut value: Value, field: &str) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.remove(field);
    }
    value
}

/// A number; records mark those that JSON has no word for.
pub(super) fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| json::from_value::<f64>(value).ok())
}

fn outcome(value: &Value, found: &mut Vec<(String, Value)>) {
    match value.as_object().and_then(|only| only.iter().next()) {
        Some((kind, value)) if kind == "ok" => leaves("result", value, found),
        Some((kind, value)) => found.push((kind.clone(), value.clone())),
        None => {}
    }
}

fn leaves(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        // What stands for a number or an array is one value.
        Value::Object(fields) if !fields.keys().any(|key| key.starts_with('$')) && !fields.is_empty() => {
            fields.iter().for_each(|(key, value)| leaves(&format!("{path}.{key}"), value, found));
        }
        Value::Array(items) if !items.is_empty() && items.len() <= LONGEST_LIST => {
            items.iter().enumerate().for_each(|(index, value)| leaves(&format!("{path}.{index}"), value, found));
        }
        _ => found.push((path.to_owned(), value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::Outcome;
    use super::super::super::record::tests::record;
    use super::*;

    #[test]
    fn parts_have_names_and_metrics_are_numbers_of_the_result() {
        let result = json!({ "score": 0.5, "by_head": [1, 2], "best": "1.2", "worst": {"$float": "NaN"} });
        let names = Names::of(&Record { outcome: Outcome::Ok(result), ..record(3) });
        assert_eq!(names.number("args.layer"), Some(3.0));
        assert_eq!(names.number("layer"), Some(3.0));
        assert_eq!(names.get("best"), Some(&json!("1.2")));
        assert_eq!(names.get("model.name"), Some(&json!("toy")));
        let metrics: Vec<(&str, f64)> = names.metrics().collect();
        assert_eq!(metrics[..3], [("result.score", 0.5), ("result.by_head.0", 1.0), ("result.by_head.1", 2.0)]);
        assert!(metrics[3].0 == "result.worst" && metrics[3].1.is_nan());
    }

    #[test]
    fn a_failed_run_has_no_result() {
        let names = Names::of(&Record { outcome: Outcome::Error("no such head".into()), ..record(0) });
        assert_eq!((names.get("error"), names.get("result")), (Some(&json!("no such head")), None));
        assert_eq!(names.metrics().count(), 0);
    }
}

//! Two runs beside each other: what they returned and measured, within a tolerance.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::json::numbers_of;
use super::{Metrics, Outcome, Record, Store};
use crate::error::Result;
use crate::fmt::short;

/// How far two numbers may lie apart.
///
/// Numbers `a` and `b` are as good as equal if `|a - b| <= absolute + relative * scale`. The scale is the larger of their
/// magnitudes; in an array, the largest magnitude of the two arrays, because sums round as their terms do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Relative to the scale.
    pub relative: f64,
    /// In the unit of the numbers.
    pub absolute: f64,
}

/// The rounding of `f32` in sums of another order: `1e-5` of the scale.
impl Default for Tolerance {
    fn default() -> Self {
        Self { relative: 1e-5, absolute: 0.0 }
    }
}

/// A value that is not the same in two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Its name: `result.score`, `metrics.loss`.
    pub name: String,
    /// The first run's value in words; `absent` if there is none.
    pub before: String,
    /// The second run's.
    pub after: String,
    /// The largest `|a - b|`, if both are numbers or arrays of one shape.
    pub by: Option<f64>,
    /// Whether it is within the tolerance.
    pub within: bool,
}

/// The outcomes and metrics of two runs, compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// How many values were compared; an array is one.
    pub compared: usize,
    /// Those that are not the same to the bit, also within the tolerance.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// Whether every value is within the tolerance.
    pub fn agrees(&self) -> bool {
        self.differences.iter().all(|difference| difference.within)
    }

    /// The differences beyond the tolerance.
    pub fn beyond(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| !difference.within)
    }

    /// The largest difference of numbers; 0 if there is none.
    pub fn largest(&self) -> f64 {
        self.differences.iter().filter_map(|difference| difference.by).fold(0.0, f64::max)
    }

    /// Compares the metrics of two runs as well, step by step.
    #[must_use]
    pub fn with_metrics(mut self, before: &Metrics, after: &Metrics, tolerance: Tolerance) -> Self {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (a, b) = (before.get(name), after.get(name));
            let steps = |steps: &Vec<(u64, f64)>| steps.iter().map(|(step, _)| *step).collect::<Vec<_>>();
            let values = |steps: &Vec<(u64, f64)>| steps.iter().map(|(_, value)| *value).collect::<Vec<_>>();
            let found = match (a, b) {
                (Some(a), Some(b)) if steps(a) == steps(b) => numbers(&values(a), &values(b), tolerance),
                (a, b) => Found::Other(told(a), told(b)),
            };
            self.note(format!("metrics.{name}"), found);
        }
        self
    }

    fn note(&mut self, name: String, found: Found) {
        self.compared += 1;
        let (before, after, by, within) = match found {
            Found::Same => return,
            Found::Numbers { before, after, by, within } => (before, after, Some(by), within),
            Found::Other(before, after) => (before, after, None, false),
        };
        self.differences.push(Difference { name, before, after, by, within });
    }

    fn walk(&mut self, name: &str, before: (&Value, &Record), after: (&Value, &Record), tolerance: Tolerance) {
        let array = |(value, record): (&Value, &Record)| numbers_of(value, &record.blobs);
        match (array(before), array(after), before.0, after.0) {
            (Some(Ok(a)), Some(Ok(b)), ..) if a.0 == b.0 => self.note(name.to_owned(), numbers(&a.1, &b.1, tolerance)),
            (Some(a), Some(b), ..) => self.note(name.to_owned(), Found::Other(of_array(a), of_array(b))),
            (_, _, Value::Object(a), Value::Object(b)) => {
                let mut seen = BTreeSet::new();
                for key in a.keys().chain(b.keys()).filter(|key| seen.insert(*key)) {
                    let part =
                        |fields: &serde_json::Map<String, Value>| fields.get(key).cloned().unwrap_or(Value::Null);
                    let (a, b) = (part(a), part(b));
                    self.walk(&format!("{name}.{key}"), (&a, before.1), (&b, after.1), tolerance);
                }
            }
            (_, _, Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (index, (a, b)) in a.iter().zip(b).enumerate() {
                    self.walk(&format!("{name}.{index}"), (a, before.1), (b, after.1), tolerance);
                }
            }
            (_, _, a, b) if a == b => self.note(name.to_owned(), Found::Same),
            (_, _, a, b) => self.note(name.to_owned(), Found::Other(in_words(a), in_words(b))),
        }
    }
}

/// What became of one value.
enum Found {
    Same,
    Numbers { before: String, after: String, by: f64, within: bool },
    Other(String, String),
}

/// Compares what two runs returned: numbers and arrays within the tolerance, anything else exactly. Times, places and the
/// environment are not compared; [`diff`](super::diff) lists them.
pub fn compare(before: &Record, after: &Record, tolerance: Tolerance) -> Comparison {
    let mut comparison = Comparison::default();
    match (&before.outcome, &after.outcome) {
        (Outcome::Ok(a), Outcome::Ok(b)) => comparison.walk("result", (a, before), (b, after), tolerance),
        (a, b) if a == b => comparison.note("outcome".into(), Found::Same),
        (a, b) => comparison.note("outcome".into(), Found::Other(outcome(a), outcome(b))),
    }
    comparison
}

impl Store {
    /// Compares what two of its runs returned and measured.
    ///
    /// ```
    /// # use arrakis::prelude::*;
    /// # use arrakis::experiment::Tolerance;
    /// #[log_experiment]
    /// fn third(_bench: &Bench, of: f64) -> f64 {
    ///     of / 3.0
    /// }
    ///
    /// let bench = Bench::embedded()?;
    /// let mut run = |of| {
    ///     third(&bench, of);
    ///     bench.last().and_then(|run| run.record).expect("it was recorded")
    /// };
    /// let (first, close, far) = (run(1.0), run(1.0 + 1e-9), run(1.5));
    /// assert!(bench.store().compare(&first, &close, Tolerance::default())?.agrees());
    /// let found = bench.store().compare(&first, &far, Tolerance::default())?;
    /// assert_eq!(found.differences[0].name, "result");
    /// assert!(!found.agrees() && (found.largest() - 0.5 / 3.0).abs() < 1e-12);
    /// # Ok::<(), arrakis::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Store::metrics`].
    pub fn compare(&self, before: &Record, after: &Record, tolerance: Tolerance) -> Result<Comparison> {
        Ok(compare(before, after, tolerance).with_metrics(&self.metrics(before)?, &self.metrics(after)?, tolerance))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.name, self.before, self.after)?;
        self.by.map_or(Ok(()), |by| write!(f, " (by {})", short(by)))
    }
}

/// Numbers of one shape.
fn numbers(before: &[f64], after: &[f64], tolerance: Tolerance) -> Found {
    let pairs = || before.iter().copied().zip(after.iter().copied());
    let same = |(a, b): (f64, f64)| a == b || a.is_nan() && b.is_nan();
    if pairs().all(same) {
        return Found::Same;
    }
    let apart = |(a, b): (f64, f64)| match (a - b).abs() {
        _ if same((a, b)) => 0.0,
        apart if apart.is_nan() => f64::INFINITY,
        apart => apart,
    };
    let (at, by) =
        pairs().map(apart).enumerate().fold((0, 0.0), |worst, one| if one.1 > worst.1 { one } else { worst });
    let scale = pairs().flat_map(|(a, b)| [a.abs(), b.abs()]).filter(|size| size.is_finite()).fold(0.0, f64::max);
    let place = |values: &[f64]| {
        let value = values[at].to_string();
        if values.len() == 1 { value } else { format!("{value} at {at} of {}", values.len()) }
    };
    Found::Numbers {
        before: place(before),
        after: place(after),
        by,
        within: by <= tolerance.absolute + tolerance.relative * scale,
    }
}

fn of_array(array: Result<(Vec<usize>, Vec<f64>), String>) -> String {
    match array {
        Ok((shape, values)) if shape.is_empty() => values[0].to_string(),
        Ok((shape, _)) => format!("numbers of shape {shape:?}"),
        Err(problem) => problem,
    }
}

fn told(steps: Option<&Vec<(u64, f64)>>) -> String {
    steps.map_or_else(|| "absent".into(), |steps| format!("{} steps", steps.len()))
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok(_) => "a result".into(),
        Outcome::Error(message) => format!("the error `{message}`"),
        Outcome::Panic(message) => format!("the panic `{message}`"),
    }
}

fn in_words(value: &Value) -> String {
    if value.is_null() { "absent".into() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::json::to_value_and_blobs;
    use super::super::record::tests::record;
    use super::*;

    fn of<T: serde::Serialize>(value: &T) -> Record {
        let (value, blobs) = to_value_and_blobs(value).unwrap();
        Record { outcome: Outcome::Ok(value), blobs, ..record(0) }
    }

    fn said(before: &Record, after: &Record) -> (bool, Vec<String>) {
        let found = compare(before, after, Tolerance::default());
        (found.agrees(), found.differences.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn numbers_are_compared_on_the_scale_of_their_array() {
        assert_eq!(said(&of(&[1.0, f64::NAN]), &of(&[1.0, f64::NAN])), (true, vec![]));
        // 1e-6 is a rounding of 1 and not of 1e-3.
        assert!(said(&of(&[1.0, 1e-3]), &of(&[1.0, 1e-3 + 1e-6])).0);
        assert_eq!(said(&of(&1e-3), &of(&1.5e-3)), (false, vec!["result: 0.001 -> 0.0015 (by 0.0005)".into()]));
        let strict = Tolerance { relative: 0.0, absolute: 1e-2 };
        assert!(compare(&of(&1e-3), &of(&2e-3), strict).agrees());
        assert_eq!(
            said(&of(&[1.0, f64::NAN]), &of(&[1.0, 2.0])),
            (false, vec!["result: NaN at 1 of 2 -> 2 at 1 of 2 (by inf)".into()])
        );
        assert_eq!(
            said(&of(&[1.0, 2.0]), &of(&[1.0])),
            (false, vec!["result: numbers of shape [2] -> numbers of shape [1]".into()])
        );
    }

    #[test]
    fn parts_of_a_result_are_named_and_texts_are_exact() {
        let before = of(&json!({"score": 0.5, "best": "1.2", "more": [{"x": 1}], "gone": 1}));
        let after = of(&json!({"score": 0.75, "best": "1.3", "more": [{"x": 1}]}));
        let found = compare(&before, &after, Tolerance::default());
        let lines: Vec<String> = found.beyond().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["result.score: 0.5 -> 0.75 (by 0.25)", "result.best: \"1.2\" -> \"1.3\"", "result.gone: 1 -> absent"]
        );
        assert_eq!((found.compared, found.largest()), (4, 0.25));
    }

    #[test]
    fn large_arrays_are_read_from_beside_the_record() {
        let array = |last: f32| {
            let mut values = vec![0.5_f32; 5000];
            values[4999] = last;
            of(&values)
        };
        assert!(array(0.5).outcome != array(0.75).outcome, "it is a file");
        assert_eq!(said(&array(0.5), &array(0.5)).1, [] as [String; 0]);
        assert!(said(&array(0.5), &array(0.500_001)).0);
        let (agrees, lines) = said(&array(0.5), &array(0.75));
        assert_eq!(
            (agrees, lines),
            (false, vec!["result: 0.5 at 4999 of 5000 -> 0.75 at 4999 of 5000 (by 0.25)".into()])
        );
    }

    #[test]
    fn failures_and_metrics_are_compared() {
        let failed = |message: &str| Record { outcome: Outcome::Error(message.into()), ..record(0) };
        assert!(said(&failed("no"), &failed("no")).0);
        assert_eq!(said(&failed("no"), &of(&1)).1, ["outcome: the error `no` -> a result"]);
        let of = |steps: &[(u64, f64)]| Metrics::from([("loss".to_owned(), steps.to_vec())]);
        let found = |before: &Metrics, after: &Metrics| {
            let found = Comparison::default().with_metrics(before, after, Tolerance::default());
            found.differences.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found(&of(&[(0, 2.0), (1, 1.0)]), &of(&[(0, 2.0), (1, 1.0)])), [] as [String; 0]);
        assert_eq!(
            found(&of(&[(0, 2.0), (1, 1.0)]), &of(&[(0, 2.0), (1, 1.5)])),
            ["metrics.loss: 1 at 1 of 2 -> 1.5 at 1 of 2 (by 0.5)"]
        );
        assert_eq!(found(&of(&[(0, 2.0)]), &Metrics::new()), ["metrics.loss: 1 steps -> absent"]);
    }
}

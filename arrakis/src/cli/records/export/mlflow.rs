//! Runs on an `MLflow` server, through its REST API (<https://mlflow.org/docs/latest/rest-api.html>).
//!
//! An experiment there has the name of the function here. A run has the arguments as parameters, the numbers of the result, of
//! the verdict and of `bench.metric(..)` as metrics, and the record's id as the tag `arrakis.record`, by which it is found again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::Answer;
use super::wide::cell;
use crate::error::{Error, Result};
use crate::experiment::{Names, Outcome, Record, Status, Store, json as lossless, millis};

/// The tag that names the record, and the one that says that all of it is there.
const RECORD: &str = "arrakis.record";
const WHOLE: &str = "arrakis.whole";

/// The most that one request may hold: metrics, and parameters or tags.
const METRICS: usize = 1000;
const ENTRIES: usize = 100;

/// The longest name, and the longest value of a parameter or tag, in bytes.
const NAME: usize = 250;
const VALUE: usize = 5000;

/// A number of a run: name, step, value.
type Point = (String, u64, f64);

/// Sends the runs that are not there yet.
pub(super) fn export(url: &str, store: &Store, records: &[Record]) -> Result<Answer> {
    let server = Server::new(url);
    let (mut experiments, mut sent) = (BTreeMap::new(), 0);
    for record in records {
        let experiment = match experiments.get(&record.name) {
            Some(id) => String::clone(id),
            None => server.experiment(&record.name)?,
        };
        experiments.insert(record.name.clone(), experiment.clone());
        sent += usize::from(server.send(&experiment, store, record)?);
    }
    let there = records.len() - sent;
    let before = if there == 0 { String::new() } else { format!(", {there} were there") };
    Ok(Answer { text: format!("{sent} runs sent to {}{before}\n", server.url), yes: true })
}

/// A server that answers in JSON.
struct Server {
    url: String,
    agent: ureq::Agent,
}

impl Server {
    fn new(url: &str) -> Self {
        let agent = ureq::AgentBuilder::new().timeout(Duration::from_mins(1)).build();
        Self { url: url.trim_end_matches('/').to_owned(), agent }
    }

    /// The id of an experiment, which is made if there is none.
    fn experiment(&self, name: &str) -> Result<String> {
        let found = self.asked("GET", "experiments/get-by-name", &[("experiment_name", name)], None)?;
        if let Some(found) = found {
            let found = &found["experiment"];
            if found["lifecycle_stage"] == "deleted" {
                let problem = format!("its experiment `{name}` is deleted; restore it, or remove it for good");
                return Err(self.refuse(problem));
            }
            return self.text(found, "experiment_id");
        }
        self.text(&self.post("experiments/create", &json!({ "name": name }))?, "experiment_id")
    }

    /// Sends a record unless all of it is there; whether it was sent. What a stopped export left is deleted.
    fn send(&self, experiment: &str, store: &Store, record: &Record) -> Result<bool> {
        let filter = format!("tags.`{RECORD}` = '{}'", record.id);
        let asked = json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 100 });
        let found = self.post("runs/search", &asked)?;
        for run in found["runs"].as_array().into_iter().flatten() {
            let tags = run["data"]["tags"].as_array();
            if tags.into_iter().flatten().any(|tag| tag["key"] == WHOLE) {
                return Ok(false);
            }
            self.post("runs/delete", &json!({ "run_id": run["info"]["run_id"] }))?;
        }
        self.write(experiment, store, record)?;
        Ok(true)
    }

    fn write(&self, experiment: &str, store: &Store, record: &Record) -> Result<()> {
        let (begun, ended) = times(record);
        let run = self.post(
            "runs/create",
            &json!({
                "experiment_id": experiment,
                "run_name": record.name,
                "start_time": begun,
                "tags": [{ "key": RECORD, "value": record.id }],
            }),
        )?;
        let id = self.text(&run["run"]["info"], "run_id")?;
        let names = Names::of(record);
        let log = |what: &str, part: Vec<Value>| self.post("runs/log-batch", &json!({ "run_id": id, what: part }));
        for part in params(&names).chunks(ENTRIES) {
            log("params", part.to_vec())?;
        }
        for part in points(store, record, &names)?.chunks(METRICS) {
            let part = part.iter().map(|(name, step, value)| {
                let value = lossless_number(*value);
                json!({ "key": name, "value": value, "timestamp": ended, "step": step })
            });
            log("metrics", part.collect())?;
        }
        for part in tags(store, record)?.chunks(ENTRIES) {
            log("tags", part.to_vec())?;
        }
        let status = if matches!(record.outcome, Outcome::Ok(_)) { "FINISHED" } else { "FAILED" };
        self.post("runs/update", &json!({ "run_id": id, "status": status, "end_time": ended }))?;
        log("tags", vec![entry(WHOLE, "true")]).map(drop)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.asked("POST", path, &[], Some(body))?;
        answer.ok_or_else(|| self.refuse(format!("`{path}` is not there; is this the address of an MLflow server?")))
    }

    /// The answer, or `None` if what was asked for does not exist.
    fn asked(&self, method: &str, path: &str, query: &[(&str, &str)], body: Option<&Value>) -> Result<Option<Value>> {
        let request = self.agent.request(method, &format!("{}/api/2.0/mlflow/{path}", self.url));
        let request = query.iter().fold(request, |request, (key, value)| request.query(key, value));
        let request = match std::env::var("MLFLOW_TRACKING_TOKEN") {
            Ok(token) if !token.is_empty() => request.set("Authorization", &format!("Bearer {token}")),
            _ => request,
        };
        let answer = match body {
            Some(body) => request.set("Content-Type", "application/json").send_string(&body.to_string()),
            None => request.call(),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(ureq::Error::Status(404, _)) => return Ok(None),
            Err(ureq::Error::Status(status, answer)) => {
                let said = answer.into_string().unwrap_or_default();
                let message = serde_json::from_str::<Value>(&said)
                    .ok()
                    .and_then(|said| Some(said["message"].as_str()?.to_owned()));
                return Err(self.refuse(format!("`{path}` answered with {status}: {}", message.unwrap_or(said))));
            }
            Err(ureq::Error::Transport(transport)) => {
                return Err(self.refuse(format!("no connection: {transport}; does `mlflow server` run there?")));
            }
        };
        let text = answer.into_string().map_err(|error| self.refuse(format!("`{path}` broke off: {error}")))?;
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|_| self.refuse(format!("`{path}` did not answer in JSON; is this an MLflow server?")))
    }

    fn text(&self, value: &Value, field: &str) -> Result<String> {
        let found = value[field].as_str().map(str::to_owned);
        found.ok_or_else(|| self.refuse(format!("its answer has no `{field}`; is this an MLflow server?")))
    }

    fn refuse(&self, problem: impl Into<String>) -> Error {
        Error::Server { url: self.url.clone(), problem: problem.into() }
    }
}

/// When a run began and ended, in milliseconds since 1970.
fn times(record: &Record) -> (u64, u64) {
    let begun = millis(&record.started).unwrap_or_default();
    (begun, begun + (1000.0 * record.duration_secs.max(0.0)) as u64)
}

fn entry(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": short(value, VALUE) })
}

/// Arguments, seed and model.
fn params(names: &Names) -> Vec<Value> {
    let wanted = |(name, value): (&str, &Value)| {
        let key = name.strip_prefix("args.").or_else(|| matches!(name, "seed" | "model.name").then_some(name))?;
        Some(entry(&named(key), &cell(value)))
    };
    names.iter().filter_map(wanted).collect()
}

/// The numbers of the result and of the verdict at step 0, the duration, and the metrics of steps.
fn points(store: &Store, record: &Record, names: &Names) -> Result<Vec<Point>> {
    let of_verdict = ["verdict.p_value", "verdict.difference"];
    let of_verdict = of_verdict.into_iter().filter_map(|name| Some((name, names.number(name)?)));
    let single = names.metrics().chain(of_verdict).chain([("duration_secs", record.duration_secs)]);
    let mut points: Vec<Point> = single.map(|(name, value)| (named(name), 0, value)).collect();
    for (name, steps) in store.metrics(record)? {
        points.extend(steps.into_iter().map(|(step, value)| (named(&name), step, value)));
    }
    Ok(points)
}

fn tags(store: &Store, record: &Record) -> Result<Vec<Value>> {
    let all: Vec<String> = store.annotations(record)?.tags_of(record).into_iter().collect();
    let mut tags = vec![
        entry("arrakis.version", record.version.as_ref()),
        entry("arrakis.status", &Status::of(record).to_string()),
        entry("arrakis.function", &record.function),
        entry("arrakis.tags", &all.join(" ")),
        entry("mlflow.source.name", &format!("{}:{}", record.file, record.line)),
        entry("mlflow.note.content", &format!("```rust\n{}\n```", record.source)),
    ];
    tags.extend(record.git.as_ref().map(|git| entry("mlflow.source.git.commit", &git.commit)));
    if let Outcome::Error(message) | Outcome::Panic(message) = &record.outcome {
        tags.push(entry("arrakis.error", message));
    }
    Ok(tags)
}

/// A name that `MLflow` takes: letters, digits, `_`, `-`, `.`, space, `:` and `/`.
fn named(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | ':' | '/');
    short(&name.chars().map(|c| if fits(c) { c } else { '_' }).collect::<String>(), NAME).to_owned()
}

/// As much of a text as fits in so many bytes.
fn short(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// JSON has no NaN and no infinities: protocol buffers write their names.
fn lossless_number(value: f64) -> Value {
    match value {
        value if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        value => lossless::to_value(&value).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;

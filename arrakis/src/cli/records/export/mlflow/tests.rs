use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::super::super::testing::{Study, ran};
use super::*;
use crate::experiment::{Store, testing::sealed_run};

/// What a server was sent: the path and the body of each request.
type Sent = Arc<Mutex<Vec<(String, Value)>>>;

/// A server with experiments and runs. It stops answering with success after so many requests.
struct Fake {
    url: String,
    sent: Sent,
}

#[derive(Default)]
struct State {
    experiments: BTreeMap<String, String>,
    /// The tags of each run.
    runs: BTreeMap<String, Vec<Value>>,
}

impl State {
    fn answer(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let run = || body["run_id"].as_str().unwrap().to_owned();
        match path {
            path if path.starts_with("experiments/get-by-name") => {
                match self.experiments.get(path.rsplit('=').next().unwrap()) {
                    Some(id) => (200, json!({ "experiment": { "experiment_id": id, "lifecycle_stage": "active" } })),
                    None => (404, json!({ "error_code": "RESOURCE_DOES_NOT_EXIST" })),
                }
            }
            "experiments/create" => {
                let id = self.experiments.len().to_string();
                self.experiments.insert(body["name"].as_str().unwrap().to_owned(), id.clone());
                (200, json!({ "experiment_id": id }))
            }
            "runs/search" => {
                let filter = body["filter"].as_str().unwrap();
                let fits = |tags: &[Value]| {
                    tags.iter().any(|tag| {
                        filter
                            == format!("tags.`{}` = '{}'", tag["key"].as_str().unwrap(), tag["value"].as_str().unwrap())
                    })
                };
                let found = self.runs.iter().filter(|(_, tags)| fits(tags));
                let runs: Vec<Value> =
                    found.map(|(id, tags)| json!({ "info": { "run_id": id }, "data": { "tags": tags } })).collect();
                (200, if runs.is_empty() { json!({}) } else { json!({ "runs": runs }) })
            }
            "runs/create" => {
                let id = format!("run {}", self.runs.len());
                self.runs.insert(id.clone(), body["tags"].as_array().unwrap().clone());
                (200, json!({ "run": { "info": { "run_id": id } } }))
            }
            "runs/log-batch" => {
                let tags = body["tags"].as_array().cloned().unwrap_or_default();
                self.runs.get_mut(&run()).unwrap().extend(tags);
                (200, json!({}))
            }
            "runs/delete" => {
                self.runs.remove(&run());
                (200, json!({}))
            }
            "runs/update" => (200, json!({})),
            _ => (404, json!({})),
        }
    }
}

impl Fake {
    fn new(requests: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sent = Sent::default();
        let kept = Arc::clone(&sent);
        std::thread::spawn(move || {
            let (mut state, mut left) = (State::default(), requests);
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (path, body) = request(&mut stream);
                let path = path.strip_prefix("/api/2.0/mlflow/").unwrap().to_owned();
                let (status, answer) = if left > 0 {
                    left -= 1;
                    state.answer(&path, &body)
                } else {
                    left = usize::MAX;
                    (500, json!({ "message": "the disk is full" }))
                };
                kept.lock().unwrap().push((path, body));
                let answer = answer.to_string();
                let length = answer.len();
                let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                stream.write_all((head + &answer).as_bytes()).unwrap();
            }
        });
        Self { url, sent }
    }

    /// The bodies of the requests for one path.
    fn sent(&self, path: &str) -> Vec<Value> {
        self.sent.lock().unwrap().iter().filter(|(to, _)| to == path).map(|(_, body)| body.clone()).collect()
    }
}

/// The path and the body of a request.
fn request(stream: &mut TcpStream) -> (String, Value) {
    let (mut reader, mut first, mut length) = (BufReader::new(stream), String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (first.split(' ').nth(1).unwrap().to_owned(), serde_json::from_slice(&body).unwrap_or_default())
}

fn exported(study: &Study, server: &Fake) -> (u8, String, String) {
    ran(&study.args(&["export", "--mlflow", &server.url]))
}

#[test]
fn each_run_is_sent_once_with_what_was_measured() {
    let (study, server) = (Study::new(), Fake::new(usize::MAX));
    let (code, out, err) = exported(&study, &server);
    assert_eq!((code, out), (0, format!("3 runs sent to {}\n", server.url)), "{err}");
    assert_eq!(server.sent("experiments/create"), [json!({ "name": "score" })]);
    let begun = server.sent("runs/create");
    assert_eq!((begun.len(), &begun[1]["tags"][0]["value"]), (3, &json!(study.id(1))));
    let batches = server.sent("runs/log-batch");
    let of_run = |what: &str| {
        batches
            .iter()
            .filter(|batch| batch["run_id"] == "run 1")
            .find_map(|batch| batch[what].as_array().cloned())
            .unwrap()
    };
    assert!(of_run("params").contains(&json!({ "key": "layer", "value": "1" })), "{batches:?}");
    let metrics = of_run("metrics");
    assert_eq!(
        (&metrics[0]["key"], &metrics[0]["value"], &metrics[0]["step"]),
        (&json!("result"), &json!(0.5), &json!(0))
    );
    let ended = server.sent("runs/update");
    assert_eq!(
        (&ended[1]["status"], ended[1]["end_time"].as_u64()),
        (&json!("FINISHED"), metrics[0]["timestamp"].as_u64())
    );
    assert!(begun[1]["start_time"].as_u64().unwrap() <= ended[1]["end_time"].as_u64().unwrap());

    let (_, out, _) = exported(&study, &server);
    assert_eq!(out, format!("0 runs sent to {}, 3 were there\n", server.url));
    assert_eq!(server.sent("runs/create").len(), 3);
}

#[test]
fn a_run_that_was_sent_in_part_is_sent_anew() {
    // The fifth request for the first run breaks off.
    let (study, server) = (Study::new(), Fake::new(6));
    let (code, _, err) = exported(&study, &server);
    let said =
        format!("error: cannot export to `{}`: `runs/log-batch` answered with 500: the disk is full", server.url);
    assert_eq!((code, err.trim()), (2, said.as_str()));
    let (_, out, _) = exported(&study, &server);
    assert_eq!(out, format!("3 runs sent to {}\n", server.url));
    assert_eq!((server.sent("runs/delete").len(), server.sent("runs/create").len()), (1, 4));
}

#[test]
fn steps_names_and_numbers_are_those_that_a_server_takes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let record = sealed_run("score", "fn score() {}", 1, 0.5);
    let path = store.folder_of(&record.name).join("metrics").join(format!("{}.jsonl", record.id));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lines = "{\"name\":\"loss[a]\",\"step\":1,\"value\":2.5}\n{\"name\":\"loss[a]\",\"step\":2,\"value\":{\"$float\":\"NaN\"}}\n";
    std::fs::write(path, lines).unwrap();
    let points = points(&store, &record, &Names::of(&record)).unwrap();
    let [.., first, second] = &points[..] else { panic!("{points:?}") };
    assert_eq!(*first, ("loss_a_".to_owned(), 1, 2.5));
    assert!(second.1 == 2 && lossless_number(second.2) == json!("NaN"));
    assert_eq!(
        [f64::INFINITY, f64::NEG_INFINITY, 0.1].map(lossless_number),
        [json!("Infinity"), json!("-Infinity"), json!(0.1)]
    );
    assert_eq!(short("aéb", 2), "a");
    assert_eq!(short("aéb", 3), "aé");
}

#[test]
fn a_wrong_address_is_said() {
    let study = Study::new();
    let (code, _, err) = ran(&study.args(&["export", "--mlflow", "http://127.0.0.1:1"]));
    assert_eq!(code, 2);
    assert!(err.starts_with("error: cannot export to `http://127.0.0.1:1`: no connection: "), "{err}");
    assert!(err.trim().ends_with("does `mlflow server` run there?"), "{err}");
}

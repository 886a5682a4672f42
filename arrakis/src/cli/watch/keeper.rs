//! Holds the weights of models between runs, and hears of their records.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrakis_models::ground::bytes::human_bytes;
use arrakis_models::ground::watcher::{Message, Reply};

use super::say::say;
use super::told::told;
use crate::experiment::Record;

/// Answers the programs that run, on a thread of its own.
pub(super) struct Keeper {
    folder: tempfile::TempDir,
    held: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    models: BTreeMap<String, Model>,
    /// The last record of each function.
    records: BTreeMap<String, Record>,
}

/// Weights in memory. They are there as long as the file is open.
struct Model {
    label: String,
    bytes: u64,
    file: File,
    /// Whether the current run has asked for it.
    asked: bool,
}

impl Keeper {
    pub(super) fn start() -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("arrakis-watch-").tempdir()?;
        let listener = UnixListener::bind(folder.path().join("socket"))?;
        let held = Arc::<Mutex<State>>::default();
        let state = Arc::clone(&held);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A program that goes away without its answer does not need it.
                drop(answer(&stream, &state));
            }
        });
        Ok(Self { folder, held })
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Lets go of the models that a successful run did not ask for, and says what is still held.
    pub(super) fn end_of_run(&self, succeeded: bool) -> String {
        let mut state = locked(&self.held);
        if succeeded {
            state.models.retain(|_, model| model.asked);
        }
        state.models.values_mut().for_each(|model| model.asked = false);
        let held = state.models.values().map(|model| format!("`{}` ({})", model.label, human_bytes(model.bytes)));
        let held: Vec<String> = held.collect();
        if held.is_empty() { String::new() } else { format!("; still loaded: {}", held.join(", ")) }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(stream: &UnixStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let reply = serde_json::from_str(&line).map_or(Reply::Ok, |message| locked(state).reply(message));
    let mut to = stream;
    writeln!(to, "{}", serde_json::to_string(&reply)?)
}

impl State {
    fn reply(&mut self, message: Message) -> Reply {
        match message {
            Message::Take { name } => self.models.get_mut(&name).map_or(Reply::Ok, |model| {
                model.asked = true;
                Reply::At(format!("/proc/{}/fd/{}", std::process::id(), model.file.as_raw_fd()).into())
            }),
            Message::Keep { name, label, bytes, path } => {
                if let Ok(file) = File::open(path) {
                    say(&format!("`{label}` ({}) is loaded, and stays so for later runs", human_bytes(bytes)));
                    self.models.insert(name, Model { label, bytes, file, asked: true });
                }
                Reply::Ok
            }
            Message::Record { path } => {
                if let Some(record) = read(&path) {
                    say(&told(self.records.get(&record.function), &record));
                    self.records.insert(record.function.clone(), record);
                }
                Reply::Ok
            }
        }
    }
}

fn read(path: &Path) -> Option<Record> {
    let text = std::fs::read_to_string(path).ok()?;
    Record::from_json(&serde_json::from_str(&text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use arrakis_models::ground::watcher::Watcher;

    use super::*;

    #[test]
    fn weights_are_held_until_a_run_succeeds_without_them() {
        let keeper = Keeper::start().unwrap();
        let watcher = Watcher::at(keeper.socket());
        let take = || watcher.ask(&Message::Take { name: "weights".into() });
        assert_eq!(take(), Some(Reply::Ok), "nothing is held yet");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        std::fs::write(&path, "numbers").unwrap();
        let keep = Message::Keep { name: "weights".into(), label: "gpt2".into(), bytes: 7, path: path.clone() };
        assert_eq!(watcher.ask(&keep), Some(Reply::Ok));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(keeper.end_of_run(true), "; still loaded: `gpt2` (7 B)");
        assert_eq!(keeper.end_of_run(false), "; still loaded: `gpt2` (7 B)", "a crash lets go of nothing");
        let Some(Reply::At(held)) = take() else { panic!("it is held") };
        assert!(!cfg!(target_os = "linux") || std::fs::read_to_string(held).unwrap() == "numbers");
        assert_eq!(keeper.end_of_run(true), "; still loaded: `gpt2` (7 B)", "the run asked for them");
        assert_eq!(keeper.end_of_run(true), "");
        assert_eq!(take(), Some(Reply::Ok));
    }

    #[test]
    fn what_is_not_a_message_is_answered_and_forgotten() {
        let keeper = Keeper::start().unwrap();
        let mut stream = UnixStream::connect(keeper.socket()).unwrap();
        stream.write_all(b"hello\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        assert_eq!(line, "\"ok\"\n");
    }
}

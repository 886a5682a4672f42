//! The client against a small Hub in this process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::Digest as _;

use super::snapshot::templates;
use super::*;
use crate::ground::files::MORE_TEMPLATES;

/// A port on which nothing listens.
const NOBODY: &str = "http://127.0.0.1:9";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A Hub with one repository, `owner/model`, that serves the files of a folder in ranges, as the real Hub does.
struct TinyHub {
    endpoint: String,
    log: Arc<Mutex<Log>>,
}

/// What was asked, and how the server behaves.
#[derive(Default)]
struct Log {
    /// The line and the token of each request.
    requests: Vec<(String, Option<String>)>,
    /// Files whose content was sent, not only their headers.
    sent: usize,
    /// A status, with headers, for every request.
    refusal: Option<(u16, &'static str)>,
    /// Bytes after which the next long answer breaks off.
    cut: Option<usize>,
}

impl TinyHub {
    fn serve(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::<Mutex<Log>>::default();
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = answer(stream.unwrap(), &folder, &shared);
            }
        });
        Self { endpoint, log }
    }

    fn gone() -> Self {
        Self { endpoint: NOBODY.into(), log: Arc::default() }
    }

    fn settings(&self, cache: &Path) -> Settings {
        Settings { endpoint: self.endpoint.clone(), cache: cache.to_owned(), token: None, offline: false }
    }

    fn fetch(&self, cache: &Path) -> Result<PathBuf> {
        fetch_by(&self.settings(cache), "owner/model", false, &MODEL)
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }
}

fn answer(mut stream: TcpStream, folder: &Path, log: &Mutex<Log>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let headers: Vec<String> = lines.map_while(|line| line.ok().filter(|line| !line.is_empty())).collect();
    let header = |name: &str| {
        headers.iter().find_map(|line| line.split_once(": ").filter(|(other, _)| other.eq_ignore_ascii_case(name)))
    };
    let range = header("range").and_then(|(_, range)| range.strip_prefix("bytes=").map(str::to_owned));
    let mut log = log.lock().unwrap();
    log.requests.push((request.clone(), header("authorization").map(|(_, token)| token.to_owned())));
    if let Some((status, more)) = log.refusal {
        return write!(stream, "HTTP/1.1 {status} No\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n");
    }
    if request.contains(&format!(" /api/models/owner/model/revision/{COMMIT} ")) {
        let body = serde_json::json!({ "sha": COMMIT, "siblings": siblings(folder) }).to_string();
        return write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    }
    let path = request.split(' ').nth(1).and_then(|path| path.strip_prefix("/owner/model/resolve/"));
    let (revision, name) = path.and_then(|path| path.split_once('/')).unwrap_or_default();
    if !["main", "v1", COMMIT].contains(&revision) {
        let code = "X-Error-Code: RevisionNotFound\r\n";
        return write!(stream, "HTTP/1.1 404 No\r\n{code}Content-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let Ok(bytes) = std::fs::read(folder.join(name)) else {
        let code = "X-Error-Code: EntryNotFound\r\n";
        return write!(stream, "HTTP/1.1 404 No\r\n{code}Content-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let (first, last) = range.as_deref().and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
    let first: usize = first.parse().unwrap_or(0);
    let end = last.parse().map_or(bytes.len(), |last: usize| (last + 1).min(bytes.len()));
    if first >= bytes.len() {
        return write!(stream, "HTTP/1.1 416 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    log.sent += usize::from(last.is_empty());
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{}/{}\r\nETag: \"{:x}\"\r\nX-Repo-Commit: {COMMIT}\r\nConnection: close\r\n\r\n",
        end - first,
        end - 1,
        bytes.len(),
        sha2::Sha256::digest(&bytes),
    )?;
    let sent = log.cut.filter(|cut| end - first > *cut).map_or(end, |cut| first + cut);
    if sent < end {
        log.cut = None;
    }
    stream.write_all(&bytes[first..sent])
}

/// The files of a repository, as the Hub lists them.
fn siblings(folder: &Path) -> Vec<serde_json::Value> {
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    let inner = names(&folder.join(MORE_TEMPLATES)).into_iter().map(|name| format!("{MORE_TEMPLATES}/{name}"));
    names(folder).into_iter().chain(inner).map(|name| serde_json::json!({ "rfilename": name })).collect()
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/parity/llama")
}

/// A folder with some of the fixture's files.
fn with(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        std::fs::copy(fixture().join(file), folder.path().join(file)).unwrap();
    }
    folder
}

#[test]
fn a_model_is_fetched_once_and_then_read_from_the_cache() {
    let cache = tempfile::tempdir().unwrap();
    let hub = TinyHub::serve(fixture());
    let folder = hub.fetch(cache.path()).unwrap();
    assert_eq!(commit_of(&folder).as_deref(), Some(COMMIT));
    let load = |folder: &Path| {
        let options = crate::LoadOptions::new().device("cpu").quiet();
        crate::HookedAutoModel::load(folder.to_str().unwrap(), &options).unwrap()
    };
    let logits = |folder: &Path| crate::device::read(load(folder).forward([1, 2, 3]).unwrap()).unwrap();
    assert_eq!(logits(&folder), logits(&fixture()));
    let asked = hub.log().requests.len();
    assert_eq!(
        (hub.fetch(cache.path()).unwrap(), hub.log().requests.len()),
        (folder.clone(), asked),
        "nothing is asked again"
    );
    assert_eq!(TinyHub::gone().fetch(cache.path()).unwrap(), folder, "without a network, the cache is used");
}

#[test]
fn named_chat_templates_come_along_and_are_asked_for_once() {
    let (cache, folder) = (tempfile::tempdir().unwrap(), with(&["config.json", "model.safetensors"]));
    std::fs::write(folder.path().join("chat_template.jinja"), "one").unwrap();
    std::fs::create_dir(folder.path().join(MORE_TEMPLATES)).unwrap();
    for name in ["rag.jinja", "tool_use.jinja", "notes.txt"] {
        std::fs::write(folder.path().join(MORE_TEMPLATES).join(name), name).unwrap();
    }
    let hub = TinyHub::serve(folder.path().to_owned());
    let found = hub.fetch(cache.path()).unwrap();
    for name in ["rag.jinja", "tool_use.jinja"] {
        assert_eq!(std::fs::read_to_string(found.join(MORE_TEMPLATES).join(name)).unwrap(), name);
    }
    assert!(!found.join(MORE_TEMPLATES).join("notes.txt").exists());
    let asked = hub.log().requests.len();
    assert_eq!((hub.fetch(cache.path()).unwrap(), hub.log().requests.len()), (found, asked));
}

#[test]
fn a_template_may_only_be_a_file_of_its_folder() {
    let listed = |names: &[&str]| templates(names.iter().map(|name| format!("{MORE_TEMPLATES}/{name}")));
    assert_eq!(listed(&["a.jinja", "b-c_2.jinja"]).len(), 2);
    assert!(listed(&["../a.jinja", "a/b.jinja", ".jinja", "a.txt", "..\\a.jinja"]).is_empty());
    assert!(templates(["chat_template.jinja".to_owned()].into_iter()).is_empty());
}

#[test]
fn every_file_is_of_the_revision_asked_for() {
    let (cache, hub) = (tempfile::tempdir().unwrap(), TinyHub::serve(fixture()));
    let folder = fetch_by(&hub.settings(cache.path()), "owner/model@v1", false, &MODEL).unwrap();
    assert!(folder.ends_with(COMMIT));
    let asked: Vec<String> = hub.log().requests.iter().map(|(line, _)| line.clone()).collect();
    assert!(asked.iter().all(|line| line.contains("/resolve/v1/config.json") || line.contains(COMMIT)), "{asked:?}");
    let said = fetch_by(&hub.settings(cache.path()), "owner/model@v9", false, &MODEL).unwrap_err().to_string();
    assert!(said.contains("it has no revision `v9` (404); give a branch, a tag or a commit"), "{said}");
    let pinned = format!("owner/model@{COMMIT}");
    assert_eq!(fetch_by(&hub.settings(cache.path()), &pinned, false, &MODEL).unwrap(), folder);
}

#[test]
fn offline_nothing_is_asked() {
    let (cache, hub) = (tempfile::tempdir().unwrap(), TinyHub::serve(fixture()));
    let offline = Settings { offline: true, ..hub.settings(cache.path()) };
    let said = fetch_by(&offline, "owner/model", false, &MODEL).unwrap_err().to_string();
    assert!(said.contains("`HF_HUB_OFFLINE` is set, and revision `main` is not in the cache"), "{said}");
    let folder = hub.fetch(cache.path()).unwrap();
    let asked = hub.log().requests.len();
    for name in ["owner/model", &format!("owner/model@{COMMIT}")] {
        assert_eq!(fetch_by(&offline, name, false, &MODEL).unwrap(), folder);
    }
    assert_eq!(hub.log().requests.len(), asked);
}

#[test]
fn the_token_is_sent() {
    let (cache, hub) = (tempfile::tempdir().unwrap(), TinyHub::serve(fixture()));
    let settings = Settings { token: Some("hf_x".into()), ..hub.settings(cache.path()) };
    fetch_by(&settings, "owner/model", false, &MODEL).unwrap();
    assert!(hub.log().requests.iter().all(|(_, token)| token.as_deref() == Some("Bearer hf_x")));
}

#[test]
fn a_download_that_breaks_off_goes_on() {
    let (cache, hub) = (tempfile::tempdir().unwrap(), TinyHub::serve(fixture()));
    hub.log().cut = Some(10_000);
    let folder = hub.fetch(cache.path()).unwrap();
    let whole = std::fs::read(fixture().join("model.safetensors")).unwrap();
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), whole);
    assert_eq!(hub.log().cut, None, "it broke off");
}

#[test]
fn a_part_that_is_whole_is_not_asked_for_beyond_its_end() {
    let (cache, hub) = (tempfile::tempdir().unwrap(), TinyHub::serve(fixture()));
    let bytes = std::fs::read(fixture().join("model.safetensors")).unwrap();
    let blobs = cache.path().join("models--owner--model/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(blobs.join(format!("{:x}.part", sha2::Sha256::digest(&bytes))), &bytes).unwrap();
    let folder = hub.fetch(cache.path()).unwrap();
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), bytes);
}

#[test]
fn every_answer_says_what_to_do() {
    let (cache, hub) = (tempfile::tempdir().unwrap(), TinyHub::serve(fixture()));
    for (status, header, said) in [
        (401, "", "the Hub did not let us in (401): no token was sent, and it is not valid for this model"),
        (401, "X-Error-Code: RepoNotFound\r\n", "the Hub has no such model, or it is private (401)"),
        (403, "X-Error-Code: GatedRepo\r\n", "its authors ask for consent (403); accept their terms at"),
        (403, "", "access is forbidden (403)"),
        (404, "X-Error-Code: RepoNotFound\r\n", "the Hub has no such model, or it is private (404)"),
        (429, "Retry-After: 30\r\n", "too many requests (429); wait 30 seconds, or set `HF_TOKEN`"),
        (503, "", "the Hub failed (503); try again later"),
    ] {
        hub.log().refusal = Some((status, header));
        let error = hub.fetch(cache.path()).unwrap_err().to_string();
        assert!(error.starts_with("could not fetch `owner/model`") && error.contains(said), "{error}");
    }
    let error = TinyHub::gone().fetch(cache.path()).unwrap_err().to_string();
    assert!(error.contains("no connection to http://127.0.0.1:9") && error.contains("HF_HUB_OFFLINE=1"), "{error}");
}

#[test]
fn what_is_missing_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let bare = with(&["config.json"]);
    let error = TinyHub::serve(bare.path().to_owned()).fetch(empty.path()).unwrap_err().to_string();
    assert!(error.contains("it has no weights"), "{error}");
    let none = with(&[]);
    let error =
        TinyHub::serve(none.path().to_owned()).fetch(tempfile::tempdir().unwrap().path()).unwrap_err().to_string();
    assert!(error.contains("it has no config.json"), "{error}");
}

#[test]
fn an_adapter_is_fetched_and_named_where_a_model_is_wanted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/adapters/llama_lora");
    let (cache, hub) = (tempfile::tempdir().unwrap(), TinyHub::serve(folder.clone()));
    let found = hub.fetch(cache.path()).unwrap();
    let said = crate::checkpoint::check_folder(&found).unwrap_err().to_string();
    assert!(said.contains("a LORA adapter of the base model `tiny/llama`"), "{said}");
    let found = fetch_by(&hub.settings(cache.path()), "owner/model", false, &ADAPTER).unwrap();
    let file = "adapter_model.safetensors";
    assert_eq!(std::fs::read(found.join(file)).unwrap(), std::fs::read(folder.join(file)).unwrap());
}

#[test]
fn an_index_may_only_name_files_of_the_repository() {
    let (cache, again, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), with(&["config.json"]));
    let shard = "model-00001-of-00001.safetensors";
    std::fs::copy(fixture().join("model.safetensors"), folder.path().join(shard)).unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    let hub = TinyHub::serve(folder.path().to_owned());
    std::fs::write(&index, r#"{"weight_map": {"a": "../../escaped"}}"#).unwrap();
    let error = hub.fetch(cache.path()).unwrap_err().to_string();
    assert!(error.contains("which is not a file of this folder"), "{error}");
    std::fs::write(&index, format!(r#"{{"weight_map": {{"a": "{shard}"}}}}"#)).unwrap();
    let fetched = hub.fetch(again.path()).unwrap();
    assert!(fetched.ends_with(COMMIT) && fetched.join(shard).is_file());
}

#[test]
fn files_of_a_folder_are_fetched_by_what_lies_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/dictionaries/formats");
    let (cache, hub) = (tempfile::tempdir().unwrap(), TinyHub::serve(folder));
    let sets: [&[&str]; 2] =
        [&["sae_weights.safetensors", "cfg.json"], &["sae.safetensors", "cfg.json", "../config.json"]];
    let settings = hub.settings(cache.path());
    let fetch = |settings: &Settings, inner: &str| parts::fetch_by(settings, "owner/model", false, inner, &sets);
    let found = fetch(&settings, "sparsify/layers.5").unwrap().unwrap();
    assert!(found.ends_with(format!("{COMMIT}/sparsify/layers.5")));
    for file in ["sae.safetensors", "cfg.json", "../config.json"] {
        assert!(found.join(file).is_file(), "{file}");
    }
    let asked = hub.log().requests.len();
    let offline = Settings { offline: true, ..settings.clone() };
    assert_eq!(fetch(&offline, "sparsify/layers.5").unwrap(), Some(found));
    assert_eq!(hub.log().requests.len(), asked);
    for settings in [&settings, &offline] {
        assert_eq!(fetch(settings, "sparsify").unwrap(), None);
    }
    assert_eq!(
        parts::none("owner/model", "sparsify", &sets).to_string(),
        "could not fetch `owner/model` from the Hugging Face Hub: its folder `sparsify` has none of sae_weights.safetensors, \
         sae.safetensors; add the folder of one of them to the name; or give a local folder or file"
    );
    let said = fetch(&settings, "../up").unwrap_err().to_string();
    assert!(said.contains("`../up` is no folder of a repository"), "{said}");
}

#[test]
fn numbered_files_are_fetched_until_there_are_none() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/dictionaries/formats");
    let (cache, hub) = (tempfile::tempdir().unwrap(), TinyHub::serve(folder));
    let sets = |layer: usize| {
        let pair = vec![format!("W_enc_{layer}.safetensors"), format!("W_dec_{layer}.safetensors")];
        vec![pair, vec![format!("params_layer_{layer}.safetensors"), "config.json".to_owned()]]
    };
    let settings = hub.settings(cache.path());
    let pairs = layers_by(&settings, "owner/model", false, "cross_layer", sets).unwrap();
    let inner = "gemma-scope-2-1b-pt/clt/width_10_l0_big_affine";
    let whole = layers_by(&settings, "owner/model", false, inner, sets).unwrap();
    for layer in 0..3 {
        assert!(pairs.join(format!("W_dec_{layer}.safetensors")).is_file());
        assert!(whole.join(format!("params_layer_{layer}.safetensors")).is_file());
    }
    assert!(whole.join("config.json").is_file() && whole.ends_with(format!("{COMMIT}/{inner}")));
    let said = layers_by(&settings, "owner/model", false, "sparsify", sets).unwrap_err().to_string();
    assert!(said.contains("has none of W_enc_0.safetensors, params_layer_0.safetensors"), "{said}");
}

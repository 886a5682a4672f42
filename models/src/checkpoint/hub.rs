//! A model from the Hugging Face Hub, through the Hub's own cache.

mod id;
mod settings;
mod told;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hf_hub::Cache;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};

use super::located::promised;
use crate::error::{Error, Result};
use crate::ground::warnings::warn;
use id::{Id, is_commit};
use settings::Settings;
use told::{is_absent, is_beyond_the_end, told};

/// How often a download that breaks off goes on by itself. The client's own retries may start at the wrong byte.
const RETRIES: usize = 2;

/// Fetches config, tokenizer and weights of a repository, `owner/name` or `owner/name@revision`. Cached files are not
/// fetched again.
///
/// Returns the folder of the cache's snapshot, which is named after the commit. Progress bars go to stderr. `HF_HOME`,
/// `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they mean in Python.
///
/// # Errors
///
/// [`Error::Hub`] saying what went wrong and what to do.
pub fn fetch(id: &str) -> Result<PathBuf> {
    fetch_by(&Settings::of_process(), id, true, &MODEL)
}

/// Fetches an adapter, as [`fetch`] does a model.
///
/// # Errors
///
/// As [`fetch`].
pub(crate) fn fetch_adapter(id: &str) -> Result<PathBuf> {
    fetch_by(&Settings::of_process(), id, true, &ADAPTER)
}

/// The commit of a folder in the Hub's cache.
pub(crate) fn commit_of(folder: &Path) -> Option<String> {
    let of_cache = folder.parent()?.file_name()? == "snapshots";
    let name = folder.file_name()?.to_str()?;
    (of_cache && is_commit(name)).then(|| name.to_owned())
}

/// What to fetch: the file that must be there, and how to fetch the others of its commit.
struct Wanted {
    first: &'static str,
    others: fn(&Snapshot<'_>) -> Result<(), String>,
}

const MODEL: Wanted = Wanted { first: "config.json", others: model };
const ADAPTER: Wanted = Wanted { first: "adapter_config.json", others: adapter };

fn fetch_by(settings: &Settings, name: &str, progress: bool, wanted: &Wanted) -> Result<PathBuf> {
    let failed = |problem: String| Error::Hub { id: name.to_owned(), problem };
    let no_id = "this is neither an existing folder nor an id such as `gpt2`, `owner/name` or `owner/name@revision`";
    let id = Id::parse(name).ok_or_else(|| failed(no_id.into()))?;
    if settings.offline {
        let (revision, cache) = (&id.revision, settings.cache.display());
        return cached(settings, &id, wanted.first).ok_or_else(|| {
            failed(format!(
                "`HF_HUB_OFFLINE` is set, and revision `{revision}` is not in the cache `{cache}`; unset it to download the model"
            ))
        });
    }
    let api = api(settings, progress).map_err(|error| failed(error.to_string()))?;
    let asked = Snapshot { repo: api.repo(id.repo_at(&id.revision)), commit: None, id: &id, settings };
    let folder = asked.first(wanted).map_err(failed)?;
    if !folder.join(wanted.first).is_file() {
        return Ok(folder);
    }
    // All files are of the commit that the first is of, even if the branch moves meanwhile.
    let commit = commit_of(&folder).ok_or_else(|| failed("it did not say which commit it sent".into()))?;
    let pinned = id.repo_at(&commit);
    let listed = Cache::new(settings.cache.clone()).repo(pinned.clone()).create_ref(&commit);
    listed.map_err(|error| failed(error.to_string()))?;
    let snapshot = Snapshot { repo: api.repo(pinned), commit: Some(commit), id: &id, settings };
    (wanted.others)(&snapshot).map_err(failed)?;
    Ok(folder)
}

fn api(settings: &Settings, progress: bool) -> Result<Api, ApiError> {
    ApiBuilder::from_cache(Cache::new(settings.cache.clone()))
        .with_endpoint(settings.endpoint.clone())
        .with_token(settings.token.clone())
        .with_progress(progress)
        .build()
}

/// The folder of a revision in the cache, if its first file is there.
fn cached(settings: &Settings, id: &Id, first: &str) -> Option<PathBuf> {
    let folder = settings.cache.join(id.folder());
    let commit = if id.is_commit() {
        id.revision.clone()
    } else {
        std::fs::read_to_string(folder.join("refs").join(&id.revision)).ok()?.trim().to_owned()
    };
    let snapshot = folder.join("snapshots").join(is_commit(&commit).then_some(commit)?);
    snapshot.join(first).is_file().then_some(snapshot)
}

/// One commit of a repository.
struct Snapshot<'a> {
    repo: ApiRepo,
    commit: Option<String>,
    id: &'a Id,
    settings: &'a Settings,
}

impl Snapshot<'_> {
    /// The folder with the first file. A repository with an adapter alone gives that, to be named.
    fn first(&self, wanted: &Wanted) -> Result<PathBuf, String> {
        let file = match self.repo.get(wanted.first) {
            Err(error) if is_absent(&error) => self.repo.get(ADAPTER.first).map_err(|_| {
                format!(
                    "it has no {}, so it does not hold what transformers loads; give another model, or download one of its GGUF files \
                     and give its path",
                    wanted.first
                )
            }),
            other => other.map_err(|error| self.told(&error, wanted.first)),
        };
        Ok(file?.parent().map_or_else(PathBuf::new, Path::to_path_buf))
    }

    /// A file, from the cache or the Hub.
    fn get(&self, file: &str) -> Result<PathBuf, ApiError> {
        let mut left = RETRIES;
        loop {
            match self.repo.get(file) {
                Err(error) if is_beyond_the_end(&error) && left > 0 => self.forget_parts(),
                Err(ApiError::IoError(_)) if left > 0 => {}
                other => return other,
            }
            left -= 1;
        }
    }

    /// Removes parts of files. One that is whole, but was not renamed, cannot go on.
    fn forget_parts(&self) {
        let blobs = self.settings.cache.join(self.id.folder()).join("blobs");
        for entry in std::fs::read_dir(blobs).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "part") {
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }

    fn told(&self, error: &ApiError, file: &str) -> String {
        told(error, file, self.id, self.settings)
    }

    /// A file of which the repository may have none. That it has none is noted in the cache, as in Python.
    fn if_there(&self, file: &str) -> Result<Option<PathBuf>, ApiError> {
        let folder = self.settings.cache.join(self.id.folder()).join(".no_exist");
        let none = self.commit.as_ref().map(|commit| folder.join(commit).join(file));
        if none.as_ref().is_some_and(|none| none.is_file()) {
            return Ok(None);
        }
        match self.get(file) {
            Ok(path) => Ok(Some(path)),
            Err(error) if is_absent(&error) => {
                if let Some(none) = none {
                    // Without the note, it is asked for again.
                    drop(none.parent().map(std::fs::create_dir_all));
                    drop(std::fs::write(none, ""));
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a file that a model can do without is there.
    fn optional(&self, file: &str) -> bool {
        self.if_there(file)
            .unwrap_or_else(|error| {
                warn(format_args!("{} is loaded without {}", self.id.repo, self.told(&error, file)));
                None
            })
            .is_some()
    }
}

/// Small files of a model, besides its tokenizer. An adapter beside a model is named when it is not applied.
const BESIDE: [&str; 6] = [
    "adapter_config.json",
    "tokenizer_config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
];

/// The files of a model besides config.json.
fn model(snapshot: &Snapshot<'_>) -> Result<(), String> {
    for file in BESIDE {
        snapshot.optional(file);
    }
    // GPT-2's older format has two files, BERT's one.
    let _ = snapshot.optional("tokenizer.json")
        || (snapshot.optional("vocab.json") && snapshot.optional("merges.txt"))
        || snapshot.optional("vocab.txt")
        || snapshot.optional("tokenizer.model");
    weights(snapshot)
}

/// One file, or the shards an index names. A file that cannot be fetched may not be needed: without a network, the cache
/// of a sharded model does not hold a single file.
fn weights(snapshot: &Snapshot<'_>) -> Result<(), String> {
    let mut problem = None;
    let mut fetched = |file: &str| {
        snapshot.if_there(file).unwrap_or_else(|error| {
            problem.get_or_insert_with(|| snapshot.told(&error, file));
            None
        })
    };
    for single in ["model.safetensors", "pytorch_model.bin"] {
        if fetched(single).is_some() {
            return Ok(());
        }
        if let Some(index) = fetched(&format!("{single}.index.json")) {
            // Names that lead out of the folder are refused before anything is written there.
            let promised = promised(&index).map_err(|error| error.to_string())?;
            let shards: BTreeSet<String> = promised.into_values().collect();
            let get = |shard: &String| snapshot.get(shard).map(drop).map_err(|error| snapshot.told(&error, shard));
            return shards.iter().try_for_each(get);
        }
    }
    let none = "it has no weights: neither model.safetensors nor pytorch_model.bin, as one file or in shards";
    Err(problem.unwrap_or_else(|| none.into()))
}

/// The weights of an adapter.
fn adapter(snapshot: &Snapshot<'_>) -> Result<(), String> {
    for file in ["adapter_model.safetensors", "adapter_model.bin"] {
        if snapshot.if_there(file).map_err(|error| snapshot.told(&error, file))?.is_some() {
            return Ok(());
        }
    }
    Err("its adapter has no weights: neither adapter_model.safetensors nor adapter_model.bin".into())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};

    use sha2::Digest as _;

    use super::*;

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
    fn every_file_is_of_the_revision_asked_for() {
        let (cache, hub) = (tempfile::tempdir().unwrap(), TinyHub::serve(fixture()));
        let folder = fetch_by(&hub.settings(cache.path()), "owner/model@v1", false, &MODEL).unwrap();
        assert!(folder.ends_with(COMMIT));
        let asked: Vec<String> = hub.log().requests.iter().map(|(line, _)| line.clone()).collect();
        assert!(
            asked.iter().all(|line| line.contains("/resolve/v1/config.json") || line.contains(COMMIT)),
            "{asked:?}"
        );
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
        let said = super::super::check_folder(&found).unwrap_err().to_string();
        assert!(said.contains("a LORA adapter of the base model `tiny/llama`"), "{said}");
        let found = fetch_by(&hub.settings(cache.path()), "owner/model", false, &ADAPTER).unwrap();
        let file = "adapter_model.safetensors";
        assert_eq!(std::fs::read(found.join(file)).unwrap(), std::fs::read(folder.join(file)).unwrap());
    }

    #[test]
    fn an_index_may_only_name_files_of_the_repository() {
        let (cache, again, folder) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), with(&["config.json"]));
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
}

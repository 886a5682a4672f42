//! A model from the Hugging Face Hub, through the Hub's own cache.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};

use super::files::promised;
use crate::error::{Error, Result};
use crate::ground::warnings::warn;

/// Fetches config, tokenizer and weights of a repository. Cached files are not fetched again.
///
/// Returns the folder of the cache's snapshot. Progress bars go to stderr. `HF_HOME` sets where the cache is,
/// `HF_ENDPOINT` which Hub is asked.
///
/// # Errors
///
/// [`Error::Hub`] naming what could not be fetched, also when offline.
pub fn fetch(id: &str) -> Result<PathBuf> {
    fetch_by(ApiBuilder::from_env().with_progress(true), id)
}

fn fetch_by(builder: ApiBuilder, id: &str) -> Result<PathBuf> {
    let failed = |problem: String| Error::Hub { id: id.to_owned(), problem };
    if !is_id(id) {
        return Err(failed("this is neither an existing folder nor an id such as `gpt2` or `owner/name`".into()));
    }
    let api = builder.build().map_err(|error| failed(error.to_string()))?;
    let repo = api.model(id.to_owned());
    let config = repo.get("config.json").map_err(|error| failed(format!("config.json: {error}")))?;
    let optional = |name: &str| match repo.get(name) {
        Ok(_) => true,
        Err(error) => {
            if !is_absent(&error) {
                warn(format_args!("{id} is loaded without {name}: {error}"));
            }
            false
        }
    };
    for name in ["tokenizer_config.json", "generation_config.json"] {
        optional(name);
    }
    // GPT-2's older format has two files.
    let _ = optional("tokenizer.json") || (optional("vocab.json") && optional("merges.txt"));
    weights(&repo).map_err(failed)?;
    Ok(config.parent().map_or_else(PathBuf::new, Path::to_path_buf))
}

/// Fetches one file, or the shards an index names. A file that cannot be fetched may not be needed: offline, the cache
/// of a sharded model does not hold a single file.
fn weights(repo: &ApiRepo) -> Result<(), String> {
    let mut problem = None;
    let mut fetched = |name: &str| match repo.get(name) {
        Ok(path) => Some(path),
        Err(error) if is_absent(&error) => None,
        Err(error) => {
            problem.get_or_insert(format!("{name}: {error}"));
            None
        }
    };
    for single in ["model.safetensors", "pytorch_model.bin"] {
        if fetched(single).is_some() {
            return Ok(());
        }
        if let Some(index) = fetched(&format!("{single}.index.json")) {
            // Names that lead out of the folder are refused before anything is written there.
            let promised = promised(&index).map_err(|error| error.to_string())?;
            let shards: BTreeSet<String> = promised.into_values().collect();
            return shards.iter().try_for_each(|shard| repo.get(shard).map(drop).map_err(|e| format!("{shard}: {e}")));
        }
    }
    let none = "it has no weights: neither model.safetensors nor pytorch_model.bin, as one file or in shards";
    Err(problem.unwrap_or_else(|| none.into()))
}

/// Whether the Hub answered that the file does not exist. False if it did not answer.
fn is_absent(error: &ApiError) -> bool {
    matches!(error, ApiError::RequestError(_)) && error.to_string().contains("status code 404")
}

/// Whether it is `name` or `owner/name`, in characters that the Hub allows.
fn is_id(id: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let parts: Vec<&str> = id.split('/').collect();
    parts.len() <= 2 && parts.into_iter().all(part)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sha2::Digest as _;

    use super::*;

    /// A port on which nothing listens.
    const NOBODY: &str = "http://127.0.0.1:9";

    /// A Hub with one repository, `owner/model`, that serves the files of a folder in ranges, as the real Hub does.
    struct TinyHub {
        endpoint: String,
        /// Files whose content was sent, not only their headers.
        sent: Arc<AtomicUsize>,
    }

    impl TinyHub {
        fn serve(folder: PathBuf) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            let sent = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&sent);
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let _ = answer(stream.unwrap(), &folder, &counter);
                }
            });
            Self { endpoint, sent }
        }

        fn fetch(&self, cache: &Path) -> Result<PathBuf> {
            let builder = ApiBuilder::new().with_endpoint(self.endpoint.clone()).with_cache_dir(cache.to_owned());
            fetch_by(builder.with_progress(false), "owner/model")
        }
    }

    fn answer(mut stream: TcpStream, folder: &Path, sent: &AtomicUsize) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        let headers: Vec<String> = lines.map_while(|line| line.ok().filter(|line| !line.is_empty())).collect();
        let range =
            headers.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
        let name = request.split(' ').nth(1).and_then(|path| path.strip_prefix("/owner/model/resolve/main/"));
        let Some(bytes) = name.and_then(|name| std::fs::read(folder.join(name)).ok()) else {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        };
        let (first, last) = range.as_deref().and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
        let first: usize = first.parse().unwrap_or(0);
        let end = last.parse().map_or(bytes.len(), |last: usize| (last + 1).min(bytes.len()));
        if last.is_empty() {
            sent.fetch_add(1, Ordering::SeqCst);
        }
        write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{}/{}\r\nETag: \"{:x}\"\r\nX-Repo-Commit: 0123456789abcdef0123456789abcdef01234567\r\nConnection: close\r\n\r\n",
            end - first,
            end - 1,
            bytes.len(),
            sha2::Sha256::digest(&bytes),
        )?;
        stream.write_all(&bytes[first..end])
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
        let load = |folder: &Path| {
            let options = crate::LoadOptions::new().device("cpu").quiet();
            crate::HookedAutoModel::load(folder.to_str().unwrap(), &options).unwrap()
        };
        let logits = |folder: &Path| crate::device::read(load(folder).forward([1, 2, 3]).unwrap()).unwrap();
        assert_eq!(logits(&folder), logits(&fixture()));
        let sent = hub.sent.load(Ordering::SeqCst);
        assert_eq!((hub.fetch(cache.path()).unwrap(), hub.sent.load(Ordering::SeqCst)), (folder.clone(), sent));
        let gone = TinyHub { endpoint: NOBODY.into(), sent: Arc::default() };
        assert_eq!(gone.fetch(cache.path()).unwrap(), folder, "offline, the cache is used");
    }

    #[test]
    fn errors_name_the_file_offline_and_the_missing_weights() {
        let empty = tempfile::tempdir().unwrap();
        let gone = TinyHub { endpoint: NOBODY.into(), sent: Arc::default() };
        let error = gone.fetch(empty.path()).unwrap_err().to_string();
        assert!(error.contains("owner/model") && error.contains("config.json"), "{error}");
        let bare = with(&["config.json"]);
        let error = TinyHub::serve(bare.path().to_owned()).fetch(empty.path()).unwrap_err().to_string();
        assert!(error.contains("it has no weights"), "{error}");
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
        assert!(fetched.ends_with("0123456789abcdef0123456789abcdef01234567") && fetched.join(shard).is_file());
    }

    #[test]
    fn an_invalid_id_is_not_sent_to_the_hub() {
        for id in ["../gpt2", "a/b/c", "", "owner/", "gpt 2", "http://x"] {
            assert!(!is_id(id), "{id}");
        }
        assert!(is_id("gpt2") && is_id("HuggingFaceTB/SmolLM2-135M-Instruct"));
    }
}

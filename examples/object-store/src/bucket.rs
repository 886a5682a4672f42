//! A place in an object store, and what is brought there and back.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};
use url::Url;

use crate::copied::Copied;
use crate::files;
use crate::plain::Plain;
use crate::signing::Signing;

/// The result of anything here.
pub type Result<T> = std::result::Result<T, Error>;

/// Why records could not be brought there or back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A place that is none.
    #[error("`{url}` is no place for records: {problem}; give s3://BUCKET/FOLDER or file:///FOLDER")]
    Place {
        /// As it was given.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// A file.
    #[error("`{}`: {source}", path.display())]
    File {
        /// The file or the folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The object store.
    #[error("the object store: {0}")]
    Store(#[from] object_store::Error),
}

/// A place in an object store.
#[derive(Clone, Debug)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Key,
    url: String,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// What became of a file.
enum Put {
    Copied,
    There,
    Differs,
}

impl Bucket {
    /// The place that a URL names: `s3://BUCKET/FOLDER`, with the variables of AWS (`AWS_ENDPOINT`, `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`), or `file:///FOLDER`. An endpoint is plain HTTP: put what speaks TLS
    /// between, or a server in your own network.
    ///
    /// # Errors
    ///
    /// [`Error::Place`] for another URL or a folder that is not there.
    pub fn open(url: &str) -> Result<Self> {
        let refuse = |problem: String| Error::Place { url: url.to_owned(), problem };
        let parsed = Url::parse(url).map_err(|error| refuse(error.to_string()))?;
        match parsed.scheme() {
            "s3" => {
                let bucket = parsed.host_str().unwrap_or_default();
                let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_allow_http(true);
                let store = builder.with_crypto_provider(Arc::new(Signing)).with_http_connector(Plain).build();
                let prefix = Key::parse(parsed.path().trim_matches('/')).map_err(|error| refuse(error.to_string()))?;
                Ok(Self { store: Arc::new(store.map_err(|error| refuse(error.to_string()))?), prefix, url: url.into() })
            }
            "file" => {
                let folder = parsed.to_file_path().map_err(|()| refuse("it has no path".into()))?;
                let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| refuse(error.to_string()))?;
                Ok(Self { store: Arc::new(store), prefix: Key::default(), url: url.into() })
            }
            other => Err(refuse(format!("`{other}` is neither `s3` nor `file`"))),
        }
    }

    /// Brings the files of a folder there that are not there yet. It does not replace any.
    ///
    /// # Errors
    ///
    /// A folder or a file that cannot be read, and the errors of the store.
    pub fn push(&self, folder: &Path) -> Result<Copied> {
        let names = files::names(folder).map_err(|source| Error::File { path: folder.to_owned(), source })?;
        waited(async {
            let mut copied = Copied::default();
            for name in names {
                let path = folder.join(&name);
                let bytes = std::fs::read(&path).map_err(|source| Error::File { path, source })?;
                let put = self.put(&name, bytes.into()).await?;
                copied.count(name, put);
            }
            Ok(copied)
        })
    }

    /// Brings the files back that a folder does not have yet. It does not replace any.
    ///
    /// # Errors
    ///
    /// A file that cannot be written, and the errors of the store.
    pub fn pull(&self, folder: &Path) -> Result<Copied> {
        waited(async {
            let mut copied = Copied::default();
            for (name, _) in self.listed("").await? {
                let put = match files::path_of(folder, &name) {
                    Some(path) => get(&path, &name, &self.store.get(&self.key(&name)?).await?.bytes().await?)?,
                    None => Put::Differs,
                };
                copied.count(name, put);
            }
            Ok(copied)
        })
    }

    /// The key of a name, as it is: what builds keys from parts writes `é` as `%C3%A9`.
    fn key(&self, name: &str) -> Result<Key> {
        let key = [self.prefix.as_ref(), name].map(|part| part.trim_matches('/')).join("/");
        Ok(Key::parse(key).map_err(object_store::Error::from)?)
    }

    /// The objects below a folder, by name, with their sizes in bytes.
    pub(crate) async fn listed(&self, folder: &str) -> Result<Vec<(String, u64)>> {
        let objects = self.store.list(Some(&self.key(folder)?)).map_ok(|object| (object.location, object.size));
        let objects: Vec<(Key, u64)> = objects.try_collect().await?;
        let name = |key: &Key| {
            let name = key.as_ref().strip_prefix(self.prefix.as_ref()).unwrap_or(key.as_ref());
            name.trim_start_matches('/').to_owned()
        };
        let mut names: Vec<(String, u64)> = objects.iter().map(|(key, size)| (name(key), *size)).collect();
        names.sort();
        Ok(names)
    }

    /// Writes an object that does not exist yet, or is a log that has grown.
    async fn put(&self, name: &str, bytes: Bytes) -> Result<Put> {
        if self.created(name, bytes.clone()).await? {
            return Ok(Put::Copied);
        }
        let Some((other, version)) = self.read(name).await? else { return Ok(Put::Differs) };
        match compared(name, &bytes, &other) {
            // Where another process was faster, the next push compares again.
            Beside::Becomes(bytes) => {
                Ok(if self.updated(name, bytes, version).await? { Put::Copied } else { Put::Differs })
            }
            Beside::Stays => Ok(Put::There),
            Beside::Differs => Ok(Put::Differs),
        }
    }

    /// Writes an object that does not exist yet. `false` if it exists.
    pub(crate) async fn created(&self, name: &str, bytes: Bytes) -> Result<bool> {
        match self.store.put_opts(&self.key(name)?, bytes.into(), PutOptions::from(PutMode::Create)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces this version of an object. `false` if it is another now.
    pub(crate) async fn updated(&self, name: &str, bytes: Bytes, version: UpdateVersion) -> Result<bool> {
        let key = self.key(name)?;
        match self.store.put_opts(&key, bytes.clone().into(), PutOptions::from(PutMode::Update(version))).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::Precondition { .. }) => Ok(false),
            // A folder has no such put.
            Err(object_store::Error::NotImplemented { .. }) => {
                Ok(self.store.put(&key, bytes.into()).await.map(|_| true)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The bytes of an object and its version; `None` if there is none.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<(Bytes, UpdateVersion)>> {
        let there = match self.store.get(&self.key(name)?).await {
            Ok(there) => there,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let version = UpdateVersion { e_tag: there.meta.e_tag.clone(), version: there.meta.version.clone() };
        Ok(Some((there.bytes().await?, version)))
    }
}

/// What should become of the second of two files.
enum Beside {
    Stays,
    Becomes(Bytes),
    Differs,
}

/// A log that has grown replaces its beginning. Tags and notes are a set of lines, whatever their order.
fn compared(name: &str, own: &Bytes, other: &[u8]) -> Beside {
    let log = files::grows(name);
    match () {
        () if own == other || log && other.starts_with(own) => Beside::Stays,
        () if log && own.starts_with(other) => Beside::Becomes(own.clone()),
        () if files::is_set_of_lines(name) => match files::new_lines(own, other) {
            new if new.is_empty() => Beside::Stays,
            new => Beside::Becomes([other, &new].concat().into()),
        },
        () => Beside::Differs,
    }
}

/// Writes a file that does not exist yet, or is a log that has grown.
fn get(path: &Path, name: &str, bytes: &Bytes) -> Result<Put> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    if files::write_new(path, bytes).map_err(failed)? {
        return Ok(Put::Copied);
    }
    let own = std::fs::read(path).map_err(failed)?;
    match compared(name, bytes, &own) {
        Beside::Becomes(bytes) => files::replace(path, &bytes).map(|()| Put::Copied).map_err(failed),
        Beside::Stays => Ok(Put::There),
        Beside::Differs => Ok(Put::Differs),
    }
}

impl Copied {
    fn count(&mut self, name: String, put: Put) {
        match put {
            Put::Copied => self.copied.push(name),
            Put::There => self.there += 1,
            Put::Differs => self.differ.push(name),
        }
    }
}

/// Waits for the store, on a thread of its own: the caller's may belong to a runtime, where none may wait.
pub(crate) fn waited<T: Send>(work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    let wait = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|source| Error::File { path: "the runtime".into(), source })?.block_on(work)
    };
    let waited = std::thread::scope(|scope| scope.spawn(wait).join());
    waited.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

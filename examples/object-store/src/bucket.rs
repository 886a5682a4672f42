//! A place in an object store, and what is brought there and back.

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
                Ok(Self { store: Arc::new(store.map_err(|error| refuse(error.to_string()))?), prefix })
            }
            "file" => {
                let folder = parsed.to_file_path().map_err(|()| refuse("it has no path".into()))?;
                let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| refuse(error.to_string()))?;
                Ok(Self { store: Arc::new(store), prefix: Key::default() })
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
            let mut keys: Vec<Key> =
                self.store.list(Some(&self.prefix)).map_ok(|object| object.location).try_collect().await?;
            keys.sort();
            for key in keys {
                let name = key.as_ref().strip_prefix(self.prefix.as_ref()).unwrap_or(key.as_ref());
                let name = name.trim_start_matches('/').to_owned();
                let put = match files::path_of(folder, &name) {
                    Some(path) => get(&path, &name, &self.store.get(&key).await?.bytes().await?)?,
                    None => Put::Differs,
                };
                copied.count(name, put);
            }
            Ok(copied)
        })
    }

    /// Writes an object that does not exist yet.
    async fn put(&self, name: &str, bytes: Bytes) -> Result<Put> {
        let key = Key::from_iter(self.prefix.parts().chain(name.split('/').map(Into::into)));
        match self.store.put_opts(&key, bytes.clone().into(), PutOptions::from(PutMode::Create)).await {
            Ok(_) => Ok(Put::Copied),
            Err(object_store::Error::AlreadyExists { .. }) => self.beside(&key, name, bytes).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Compares a file with the object that is there. A log that has grown replaces the version that was read, and no other.
    async fn beside(&self, key: &Key, name: &str, own: Bytes) -> Result<Put> {
        let there = self.store.get(key).await?;
        let version = UpdateVersion { e_tag: there.meta.e_tag.clone(), version: there.meta.version.clone() };
        let other = there.bytes().await?;
        match compared(name, &own, &other) {
            Some(true) => {}
            Some(false) => return Ok(Put::There),
            None => return Ok(Put::Differs),
        }
        match self.store.put_opts(key, own.clone().into(), PutOptions::from(PutMode::Update(version))).await {
            Ok(_) => Ok(Put::Copied),
            // Another process was faster: the next push compares again.
            Err(object_store::Error::Precondition { .. }) => Ok(Put::Differs),
            // A folder has no such put.
            Err(object_store::Error::NotImplemented { .. }) => {
                self.store.put(key, own.into()).await?;
                Ok(Put::Copied)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the first of two files should replace the second; `None` if they differ.
fn compared(name: &str, own: &[u8], other: &[u8]) -> Option<bool> {
    let log = files::grows(name);
    match () {
        () if own == other || log && other.starts_with(own) => Some(false),
        () if log && own.starts_with(other) => Some(true),
        () => None,
    }
}

/// Writes a file that does not exist yet, or is a log that has grown.
fn get(path: &Path, name: &str, bytes: &[u8]) -> Result<Put> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    if files::write_new(path, bytes).map_err(failed)? {
        return Ok(Put::Copied);
    }
    let own = std::fs::read(path).map_err(failed)?;
    match compared(name, bytes, &own) {
        Some(true) => files::replace(path, bytes).map(|()| Put::Copied).map_err(failed),
        Some(false) => Ok(Put::There),
        None => Ok(Put::Differs),
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

/// Waits for the store on this thread.
fn waited<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Error::File { path: "the runtime".into(), source })?;
    runtime.block_on(work)
}

//! A bucket behind the folder of a bench.

use std::io;

use arrakis::experiment::Remote;
use bytes::Bytes;

use crate::bucket::{Bucket, Error, waited};

impl Remote for Bucket {
    fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        waited(self.created(name, Bytes::copy_from_slice(bytes))).map_err(failed)
    }

    fn replace(&self, name: &str, old: &[u8], new: &[u8]) -> io::Result<bool> {
        let replaced = async {
            match self.read(name).await? {
                Some((there, version)) if there == old => {
                    self.updated(name, Bytes::copy_from_slice(new), version).await
                }
                _ => Ok(false),
            }
        };
        waited(replaced).map_err(failed)
    }

    fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(waited(self.read(name)).map_err(failed)?.map(|(bytes, _)| bytes.into()))
    }

    fn list(&self, begins: &str) -> io::Result<Vec<(String, u64)>> {
        // An object store lists folders.
        let folder = begins.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut names = waited(self.listed(folder)).map_err(failed)?;
        names.retain(|(name, _)| name.starts_with(begins));
        Ok(names)
    }
}

fn failed(error: Error) -> io::Error {
    io::Error::other(error)
}

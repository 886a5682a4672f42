//! Writes the registration of a claim before it is measured.

use std::fs;
use std::path::{Path, PathBuf};

use arrakis_models::files;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::belongings::REGISTRATIONS;
use super::{Record, Registration, RunKind, Store, belongings, clock, json as lossless};
use crate::error::{Error, Result};
use crate::hypothesis::Claim;

/// What is in a file of `registrations/`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    id: String,
    function: String,
    at: String,
    /// The data that were seen; the declaration itself without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// The declaration, for a reader.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    declaration: Value,
}

/// Registers the claim of a call, before its body runs, also in the place behind the folder.
///
/// # Errors
///
/// Those of [`registered_in`], [`Error::Remote`] and [`Error::NotSent`].
pub(crate) fn register(record: &Record, claim: &Claim, store: &Store) -> Result<Registration> {
    store.refresh_registrations(&record.name)?;
    let registration = registered_in(record, claim, &store.folder_of(&record.name))?;
    store.send_registrations(&belongings::registrations(&record.name, &registration))?;
    Ok(registration)
}

/// Registers a claim in the folder of the experiment's records.
///
/// # Errors
///
/// [`Error::Write`] if the files cannot be written, [`Error::Read`] if the folder cannot be read.
fn registered_in(record: &Record, claim: &Claim, folder: &Path) -> Result<Registration> {
    let folder = folder.join(REGISTRATIONS);
    let declaration = json!({ "function": whole(record), "claim": claim, "source": without_comments(&record.source) });
    let (id, data) = (short(&declaration), short(&json!([record.arguments, record.model.fingerprint])));
    let entry = Entry { id: id.clone(), function: whole(record), at: clock::now(), data: None, declaration };
    let registered = keep(&folder.join(format!("{id}.json")), &entry)?.at;
    let seen = Entry { data: Some(data.clone()), declaration: Value::Null, ..entry };
    let first = keep(&folder.join(format!("{id}-{data}.json")), &seen)?.at;
    let earlier = others(&folder, &seen, &first)?;
    let run = if earlier.is_empty() { RunKind::Confirmatory } else { RunKind::Exploratory };
    Ok(Registration { id, registered, data, run, earlier })
}

/// The function with its generic arguments.
fn whole(record: &Record) -> String {
    record.instance.clone().unwrap_or_else(|| record.function.clone())
}

fn short(value: &Value) -> String {
    lossless::digest(&value.to_string())[..16].to_owned()
}

/// The text without lines that are comments, and without layout.
fn without_comments(source: &str) -> String {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

/// Writes an entry, or reads the one that is there already.
fn keep(path: &Path, entry: &Entry) -> Result<Entry> {
    let write = |source| Error::Write { path: path.to_owned(), source };
    if let Some(kept) = read(path) {
        return Ok(kept);
    }
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(write)?;
    let text = serde_json::to_string_pretty(entry).map_err(|error| write(error.into()))?;
    match files::write_new(path, text.as_bytes()) {
        Ok(()) => Ok(entry.clone()),
        // Another process was faster: its time counts.
        Err(error) => read(path).ok_or_else(|| write(error)),
    }
}

fn read(path: &Path) -> Option<Entry> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// Other declarations of the function that saw the data before `first`, oldest first.
fn others(folder: &Path, own: &Entry, first: &str) -> Result<Vec<String>> {
    let unread = |source| Error::Read { path: folder.to_owned(), source };
    let paths: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(unread)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()
        .map_err(unread)?;
    let saw = |entry: &Entry| entry.data == own.data && entry.function == own.function && entry.id != own.id;
    let mut earlier: Vec<Entry> =
        paths.iter().filter_map(|path| read(path)).filter(|entry| saw(entry) && entry.at.as_str() < first).collect();
    earlier.sort_by(|a, b| (&a.at, &a.id).cmp(&(&b.at, &b.id)));
    Ok(earlier.into_iter().map(|entry| entry.id).collect())
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    fn claim(alpha: f64) -> Claim {
        Claim { statement: "it copies".into(), alpha, ..Claim::default() }
    }

    /// A registration, as of this time if it is new.
    fn registered(folder: &Path, layer: usize, alpha: f64) -> Registration {
        registered_in(&record(layer), &claim(alpha), folder).unwrap()
    }

    /// Moves the times of all entries into the past, so that later ones are later.
    fn age(folder: &Path) {
        for entry in fs::read_dir(folder.join("registrations")).unwrap() {
            let path = entry.unwrap().path();
            let kept = read(&path).unwrap();
            let aged = Entry { at: kept.at.replacen('2', "1", 1), ..kept };
            fs::write(&path, serde_json::to_string(&aged).unwrap()).unwrap();
        }
    }

    #[test]
    fn a_changed_declaration_is_exploratory_on_data_that_were_seen() {
        let folder = tempfile::tempdir().unwrap();
        let first = registered(folder.path(), 0, 0.05);
        assert_eq!((first.run, first.note()), (RunKind::Confirmatory, None));
        age(folder.path());
        let again = registered(folder.path(), 0, 0.05);
        assert_eq!((&again.id, again.run), (&first.id, RunKind::Confirmatory));
        assert!(again.registered < first.registered, "the first time counts");
        let changed = registered(folder.path(), 0, 0.1);
        assert_eq!((changed.run, &changed.earlier), (RunKind::Exploratory, &vec![first.id.clone()]));
        assert_eq!(
            changed.note().unwrap(),
            "exploratory: another declaration of this claim saw the same data before; confirm it on data that nobody has seen"
        );
        assert_eq!(registered(folder.path(), 0, 0.05).run, RunKind::Confirmatory, "what came first stays so");
        assert_eq!(registered(folder.path(), 1, 0.1).run, RunKind::Confirmatory, "other data were not seen");
        let files = fs::read_dir(folder.path().join("registrations")).unwrap().count();
        assert_eq!(files, 5, "two declarations, the first on one data and the second on two");
    }

    #[test]
    fn comments_are_not_a_declaration() {
        let folder = tempfile::tempdir().unwrap();
        let with = |source: &str| Record { source: source.into(), ..record(0) };
        let id = |source: &str| registered_in(&with(source), &claim(0.05), folder.path()).unwrap().id;
        assert_eq!(id("/// all heads\nfn sweep() { 1 }"), id("// every head\nfn sweep() {\n    1\n}"));
        assert_ne!(id("fn sweep() { 1 }"), id("fn sweep() { 2 }"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("blocked");
        fs::write(&blocked, "a file").unwrap();
        let error = registered_in(&record(0), &claim(0.05), &blocked).unwrap_err();
        assert!(matches!(error, Error::Write { .. }), "{error}");
    }
}

//! Records for tests of other modules.

use super::record::tests::record;
use super::{Outcome, Record, Store, json};

/// A store in a folder of its own.
pub(crate) fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    (folder, store)
}

/// A sealed record of a run of a function with this text, with a `layer` and a number as its result.
pub(crate) fn sealed_run(name: &str, source: &str, layer: usize, result: f64) -> Record {
    let like = record(layer);
    Record {
        name: name.to_owned(),
        function: format!("probe::heads::{name}"),
        source: source.to_owned(),
        source_hash: json::digest(source),
        outcome: Outcome::Ok(result.into()),
        ..like
    }
    .with_version()
    .sealed()
}

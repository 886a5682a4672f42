//! The crates of the running program. In a program, a name means one of its own functions first.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

static CALLED: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Records that a function of this module was called: its crate is part of this program.
pub(crate) fn note(module: &'static str) {
    CALLED.lock().unwrap_or_else(PoisonError::into_inner).insert(crate_of(module));
}

/// The crates whose experiments were called, then the crate that the executable is named after.
///
/// The executable's name counts second: doc tests of every crate run as `rust_out`.
pub(super) fn own_crates() -> [BTreeSet<String>; 2] {
    let called = CALLED.lock().unwrap_or_else(PoisonError::into_inner);
    let executable = std::env::current_exe().ok().and_then(|path| crate_of_executable(&path));
    [called.iter().map(ToString::to_string).collect(), executable.into_iter().collect()]
}

fn crate_of(path: &str) -> &str {
    path.split("::").next().unwrap_or(path)
}

/// `name_movers` for `target/debug/name-movers`, and for a test's `name_movers-0123456789abcdef`.
fn crate_of_executable(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = stem.rsplit_once('-').filter(|(_, hash)| is_hash(hash)).map_or(stem, |(name, _)| name);
    Some(name.replace('-', "_"))
}

/// Keeps the runs of the function that a bare name means: the program's own, or else the only one.
///
/// A name given by an attribute may be shared on purpose; a function's own name may not.
///
/// # Errors
///
/// [`Error::AmbiguousExperiment`] if two functions of the program have the name, or none of its own and two others.
pub(super) fn keep_the_one_meant<T>(
    asked: &str,
    runs: &mut Vec<T>,
    own: &[BTreeSet<String>],
    of: impl for<'a> Fn(&'a T) -> (Cow<'a, str>, Cow<'a, str>),
) -> Result<()> {
    let has_own_name = |run: &T| {
        let (function, name) = of(run);
        function.rsplit("::").next() == Some(&*name)
    };
    let mut functions: BTreeSet<String> = BTreeSet::new();
    for run in runs.iter().filter(|run| has_own_name(run)) {
        let (function, _) = of(run);
        if !functions.contains(&*function) {
            functions.insert(function.into_owned());
        }
    }
    let of_crates = |crates: &BTreeSet<String>| -> BTreeSet<String> {
        functions.iter().filter(|function| crates.contains(crate_of(function))).cloned().collect()
    };
    let meant = own.iter().map(of_crates).find(|found| !found.is_empty()).unwrap_or(functions.clone());
    if meant.len() > 1 {
        return Err(Error::AmbiguousExperiment { asked: asked.to_owned(), functions: meant.into_iter().collect() });
    }
    runs.retain(|run| !has_own_name(run) || meant.contains(&*of(run).0));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Record;
    use super::super::record::tests::record;
    use super::*;

    fn of(functions: &[&str]) -> Vec<Record> {
        functions.iter().map(|function| Record { function: (*function).to_owned(), ..record(0) }).collect()
    }

    fn meant(functions: &[&str], own: &[&str]) -> Result<Vec<String>> {
        let mut records = of(functions);
        let own: Vec<BTreeSet<String>> = own.iter().map(|name| BTreeSet::from([(*name).to_owned()])).collect();
        keep_the_one_meant("sweep", &mut records, &own, |record| {
            (record.function.as_str().into(), record.name.as_str().into())
        })?;
        Ok(records.into_iter().map(|record| record.function).collect())
    }

    #[test]
    fn the_programs_own_function_is_meant_first() {
        let folder = ["study::sweep", "rust_out::sweep", "study::sweep"];
        assert_eq!(meant(&folder, &["study", "other"]).unwrap(), ["study::sweep", "study::sweep"]);
        assert_eq!(meant(&folder, &["rust_out"]).unwrap(), ["rust_out::sweep"]);
        assert_eq!(meant(&folder, &["rust_out", "study"]).unwrap(), ["rust_out::sweep"], "called before named");
        assert_eq!(meant(&folder, &["other", "rust_out"]).unwrap(), ["rust_out::sweep"]);
        assert_eq!(meant(&["rust_out::sweep"], &["study"]).unwrap(), ["rust_out::sweep"]);
    }

    #[test]
    fn two_functions_that_could_be_meant_are_both_named() {
        let folder = ["study::a::sweep", "study::b::sweep", "other::sweep"];
        assert_eq!(
            meant(&folder, &["study"]).unwrap_err().to_string(),
            "`sweep` names 2 functions: study::a::sweep, study::b::sweep; ask for one by its full path"
        );
        assert_eq!(
            meant(&folder, &["neither"]).unwrap_err().to_string(),
            "`sweep` names 3 functions: other::sweep, study::a::sweep, study::b::sweep; ask for one by its full path"
        );
    }

    #[test]
    fn a_name_that_attributes_give_is_shared() {
        let folder = ["study::first", "other::second", "other::sweep", "study::sweep"];
        assert_eq!(meant(&folder, &["study"]).unwrap(), ["study::first", "other::second", "study::sweep"]);
    }

    #[test]
    fn an_executable_is_named_after_its_crate() {
        let name = |path: &str| crate_of_executable(Path::new(path)).unwrap();
        assert_eq!(name("target/debug/name-movers"), "name_movers");
        assert_eq!(name("target/debug/deps/attributes-5e0052857f36b2d9"), "attributes");
        assert_eq!(name("target/debug/deps/my-study-short"), "my_study_short");
    }
}

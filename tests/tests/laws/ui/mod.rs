//! Mistakes with the attributes. Each is reported at its token, with the fix.
//!
//! Each mistake has a file, named after it. To accept new words, run `ARRAKIS_BLESS=1 cargo test --workspace --test
//! laws ui::` and read the diff: the `.stderr` files are what a user sees.
//!
//! The compiler is called directly, with the library that the tests themselves link. `trybuild` would check every
//! dependency again in its own folder and profile, which takes minutes instead of seconds.

mod compiler;
mod wording;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use compiler::Compiler;

/// The mistakes, relative to the package, as messages show them.
fn mistakes() -> Vec<PathBuf> {
    let folder = Path::new("tests/ui");
    let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let names = entries.map(|entry| folder.join(entry.unwrap().file_name()));
    let mut files: Vec<PathBuf> = names.filter(|file| file.extension().is_some_and(|end| end == "rs")).collect();
    files.sort();
    files
}

/// How the compiler's message differs from the expected one; `None` if it does not.
fn explained(compiler: &Compiler, mistake: &Path) -> Result<(), String> {
    let said = compiler.refusal(mistake).ok_or_else(|| format!("{}: it compiles", mistake.display()))?;
    let said = wording::tidy(&said, mistake);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(mistake).with_extension("stderr");
    if std::env::var_os("ARRAKIS_BLESS").is_some() {
        return std::fs::write(&path, said).map_err(|error| format!("{}: {error}", path.display()));
    }
    let expected = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let equal = expected.replace("\r\n", "\n") == said;
    equal.then_some(()).ok_or_else(|| format!("{}\n-- expected\n{expected}\n-- said\n{said}", mistake.display()))
}

#[test]
fn a_renamed_dependency_is_found() {
    let said = Compiler::of_this_build().said_of_renamed("ark", Path::new("tests/accepted/renamed.rs"));
    assert_eq!(said, "");
}

/// Lines of the function that an attribute is on, when everything in it is expanded.
#[test]
fn expansions_are_short() {
    let compiler = Compiler::of_this_build();
    for (file, function, most) in [("one", "fn next(", 30), ("five", "fn score(", 40)] {
        let expanded = compiler.expanded(&Path::new("tests/expansion").join(file).with_extension("rs"));
        let lines = expanded.lines().skip_while(|line| !line.starts_with(function)).take_while(|line| *line != "}");
        let count = lines.count() + 1;
        assert!((10..=most).contains(&count), "{count} lines\n{expanded}");
    }
}

#[test]
fn mistakes_are_explained() {
    let (compiler, mistakes, next) = (Compiler::of_this_build(), mistakes(), AtomicUsize::new(0));
    assert!(mistakes.len() > 40, "{mistakes:?}");
    let work = || {
        let taken = std::iter::from_fn(|| mistakes.get(next.fetch_add(1, Ordering::Relaxed)));
        taken.filter_map(|mistake| explained(&compiler, mistake).err()).collect::<Vec<String>>()
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
}

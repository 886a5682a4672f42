//! Folders stand on floors: no arrow between them runs up, and no two files import each other.
//!
//! The graph is read from the sources. Every path in code, `use` statements included, is followed through re-exports to
//! the file that defines the item. Tests are left out. A re-export is not an import.

mod graph;
mod names;
mod resolve;
mod source;

use std::path::Path;

use graph::Graph;
use source::Package;

const PACKAGES: [&str; 5] =
    ["models/src", "models/kernels/src", "models/recipe/src", "arrakis/src", "arrakis-macros/src"];

fn read(package: &str) -> Package {
    Package::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(package))
}

#[test]
fn no_arrow_between_folders_runs_up() {
    for name in PACKAGES {
        let folders = Graph::of_folders(&read(name));
        let described: Vec<String> = folders.cycles().iter().map(|group| folders.describe(group)).collect();
        assert!(
            described.is_empty(),
            "in `{name}` these import each other in a circle; cut one arrow:\n{}",
            described.join("\n")
        );
    }
}

#[test]
fn no_two_files_import_each_other() {
    for name in PACKAGES {
        let pairs = Graph::of_files(&read(name)).pairs();
        assert!(pairs.is_empty(), "in `{name}`; give what both need a file of its own:\n{}", pairs.join("\n"));
    }
}

fn small(files: &[(&str, &str)]) -> (Vec<Vec<String>>, Vec<String>) {
    let package = Package::of(files.iter().copied());
    (Graph::of_folders(&package).cycles(), Graph::of_files(&package).pairs())
}

#[test]
fn a_circle_is_found_through_re_exports_globs_aliases_and_macros() {
    let ways = [
        "use crate::b::Thing;",
        "use crate::b::{self, Other};\nfn f() -> b::Thing { b::Thing }",
        "use crate::b::inner as c;\nfn f() -> c::Thing { c::Thing }",
        "use crate::Thing;",
        "fn f() { assert_eq!(crate::b::Thing, 1) }",
        "#[error(\"{}\", crate::b::inner::Thing)]\nstruct E;",
    ];
    for way in ways {
        let (folders, pairs) = small(&[
            ("lib.rs", "mod a;\nmod b;\npub use b::Thing;"),
            ("a.rs", &format!("{way}\npub struct A;")),
            ("b/mod.rs", "pub mod inner;\npub use inner::*;"),
            ("b/inner.rs", "use super::super::a::A;\npub struct Thing;\npub struct Other;"),
        ]);
        assert_eq!(folders, [["a", "b"]], "{way}");
        assert_eq!(pairs.len(), 1, "{way}: {pairs:?}");
        assert!(
            pairs[0].starts_with("a.rs names ") && pairs[0].contains("and b/inner.rs names `super::super::a::A`"),
            "{}",
            pairs[0]
        );
    }
}

#[test]
fn what_is_not_an_import_is_not_counted() {
    let (folders, pairs) = small(&[
        ("lib.rs", "pub mod a;\npub mod b;\npub use a::A;"),
        (
            "a.rs",
            "pub(in crate::b) struct A;\n// crate::b::B\n#[cfg(test)]\nmod tests { use crate::b::B; }\n#[cfg(test)]\nuse crate::b::B;",
        ),
        ("b/mod.rs", "mod help;\n#[cfg(test)]\nmod testing;\npub use help::help;\nuse crate::a::A;\npub struct B(A);"),
        ("b/help.rs", "pub fn help(_: super::B) {}"),
        ("b/testing.rs", "use crate::b::B;"),
    ]);
    assert_eq!((folders, pairs), (vec![], vec![]));
}

#[test]
fn a_cycle_of_three_is_described_import_by_import() {
    let package = Package::of([
        ("a.rs", "use crate::b::B;\npub struct A;"),
        ("b.rs", "use crate::c::C;\npub struct B;"),
        ("c.rs", "\nuse crate::a::A;\npub struct C;"),
        ("d.rs", "use crate::a::A;"),
    ]);
    let folders = Graph::of_folders(&package);
    assert_eq!(folders.cycles(), [["a", "b", "c"]]);
    let described = folders.describe(&folders.cycles()[0]);
    assert!(described.contains("  c -> a: c.rs names `crate::a::A`\n"), "{described}");
    assert!(Graph::of_files(&package).pairs().is_empty());
}

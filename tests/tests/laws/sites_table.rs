//! `docs/SITES.md`: the sites that each family has, as runs of its checkpoints met them.
//!
//! `ARRAKIS_BLESS=1 cargo test --workspace --test laws sites_table` rewrites it.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrakis::models::site::{SITES, Site};
use arrakis::models::{HookedAutoModel, LoadOptions};

const HEAD: &str = "# Sites by family

Written by the test `sites_table` from runs of the checkpoints in `tests/fixtures/parity`. A filled mark means that every checkpoint
of the family meets the site in a forward, an open mark that only some do. Axes are `b` batch, `p` position, `h` head, `m` `d_model`,
`d` `d_head`, `f` `d_mlp`, `q` and `k` query and key position, `v` vocabulary, `e` expert, `s` neuron of a shared expert. The
full name of a site in a block is `blocks.LAYER.SITE`. A `*` stands for the number of an expert.
";

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folders() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(package().join("fixtures/parity")).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.join("config.json").is_file());
    folders.sort();
    folders
}

/// For each family, the sites that each of its checkpoints met, without their layers.
fn met() -> BTreeMap<String, Vec<BTreeSet<&'static str>>> {
    let mut met: BTreeMap<String, Vec<BTreeSet<&'static str>>> = BTreeMap::new();
    for folder in folders() {
        let options = LoadOptions::new().device("cpu").quiet();
        let model = HookedAutoModel::load(folder.to_str().unwrap(), &options).unwrap();
        let (_, cache) = model.run_with_cache([3, 14, 15, 9], ["*"]).unwrap();
        let inside = |site: &str| Site::named(site).unwrap().row().name;
        met.entry(model.config().family.clone()).or_default().push(cache.sites().map(inside).collect());
    }
    met
}

fn table() -> String {
    let met = met();
    let mut text = format!("{HEAD}\n| site | axes | {} |\n", met.keys().cloned().collect::<Vec<_>>().join(" | "));
    writeln!(text, "| --- | --- |{}", " :-: |".repeat(met.len())).unwrap();
    for site in SITES {
        let mark = |runs: &Vec<BTreeSet<&'static str>>| match runs.iter().filter(|run| run.contains(site.name)).count()
        {
            0 => "",
            count if count == runs.len() => "●",
            _ => "○",
        };
        let marks: Vec<&str> = met.values().map(mark).collect();
        writeln!(text, "| `{}` | `{}` | {} |", site.name, site.axes_listed(), marks.join(" | ")).unwrap();
    }
    text
}

#[test]
fn the_table_in_the_docs_equals_what_runs_meet() {
    let (path, made) = (package().join("../docs/SITES.md"), table());
    if std::env::var_os("ARRAKIS_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, made, "docs/SITES.md is out of date: run this test with ARRAKIS_BLESS=1 and commit the file");
}

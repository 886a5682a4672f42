//! The modules of a package: its files and the modules inside them, with what each defines and names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::names::{Import, named};

/// A module's place, from the crate's root: `hooks::run` is `["hooks", "run"]`.
pub(super) type Place = Vec<String>;

/// One module.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// Its file, relative to the package's sources; `None` for a folder without `mod.rs`.
    pub(super) file: Option<String>,
    /// Its child modules.
    pub(super) children: BTreeSet<String>,
    /// The names it defines.
    pub(super) items: BTreeSet<String>,
    /// The names it imports.
    pub(super) imports: Vec<Import>,
    /// The paths in its code, imports included, as written.
    pub(super) paths: Vec<Place>,
}

/// The modules of a package without its tests.
#[derive(Debug, Default)]
pub(super) struct Package {
    pub(super) modules: BTreeMap<Place, Module>,
}

impl Package {
    /// Reads every file below a folder of sources.
    pub(super) fn read(sources: &Path) -> Self {
        let mut files = Vec::new();
        collect(sources, sources, &mut files);
        Self::of(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))
    }

    /// The package of some files, by their paths relative to its sources.
    pub(super) fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut package = Self::default();
        let mut tests = Vec::new();
        for (file, text) in files.into_iter().filter(|(file, _)| !file.starts_with("bin/")) {
            let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
            package.add(file, place(file), &parsed.items, &mut tests);
        }
        package.modules.retain(|place, _| !tests.iter().any(|test: &Place| place.starts_with(test)));
        let places: Vec<Place> = package.modules.keys().cloned().collect();
        for place in &places {
            package.link(place);
        }
        package
    }

    fn add(&mut self, file: &str, place: Place, items: &[syn::Item], tests: &mut Vec<Place>) {
        let named = named(items);
        for (name, inner) in &named.inline {
            self.add(file, below(&place, name), inner, tests);
        }
        tests.extend(named.tests.iter().map(|name| below(&place, name)));
        let module = self.modules.entry(place).or_default();
        module.file = Some(file.to_owned());
        module.items.extend(named.items);
        module.imports.extend(named.imports);
        module.paths.extend(named.paths);
    }

    /// Adds a module to its parents.
    fn link(&mut self, place: &Place) {
        let mut place = place.clone();
        while let Some(name) = place.pop() {
            self.modules.entry(place.clone()).or_default().children.insert(name);
        }
    }
}

fn below(place: &Place, name: &str) -> Place {
    place.iter().cloned().chain([name.to_owned()]).collect()
}

/// `hooks/mod.rs` and `hooks.rs` are `hooks`; `lib.rs` is the root.
fn place(file: &str) -> Place {
    let mut place: Place = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if place.last().is_some_and(|name| name == "mod") || place == ["lib"] {
        place.pop();
    }
    place
}

fn collect(sources: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(sources, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(sources).unwrap().to_str().unwrap().replace('\\', "/");
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

//! The graph of imports, and its cycles.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Package, Place};

/// One import: the place in the importing file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Import {
    pub(super) file: String,
    pub(super) path: String,
}

/// Imports by importer and imported.
#[derive(Debug, Default)]
pub(super) struct Graph {
    edges: BTreeMap<String, BTreeMap<String, Import>>,
}

impl Graph {
    /// Files by the files they import from.
    pub(super) fn of_files(package: &Package) -> Self {
        Self::of(package, |place| package.modules.get(place)?.file.clone())
    }

    /// Top-level modules by the modules that they import from. The crate's root is a table of contents and has no edges.
    pub(super) fn of_folders(package: &Package) -> Self {
        Self::of(package, |place| place.first().cloned())
    }

    fn of(package: &Package, node: impl Fn(&Place) -> Option<String>) -> Self {
        let mut graph = Self::default();
        for (place, module) in &package.modules {
            let (Some(from), Some(file)) = (node(place), &module.file) else { continue };
            graph.edges.entry(from.clone()).or_default();
            for path in &module.paths {
                let Some(to) = package.definer(place, path).and_then(|place| node(&place)) else { continue };
                if to != from {
                    let import = Import { file: file.clone(), path: path.join("::") };
                    graph.edges.entry(from.clone()).or_default().entry(to).or_insert(import);
                }
            }
        }
        graph
    }

    /// Pairs that import each other.
    pub(super) fn pairs(&self) -> Vec<String> {
        let both = |from: &str, to: &str| Some((self.import(from, to)?, self.import(to, from)?));
        let each = self.edges.iter().flat_map(|(from, tos)| tos.keys().map(move |to| (from, to)));
        each.filter(|(from, to)| from < to)
            .filter_map(|(from, to)| both(from, to))
            .map(|(there, back)| format!("{there} and {back}"))
            .collect()
    }

    /// Groups of nodes in which each reaches every other.
    pub(super) fn cycles(&self) -> Vec<Vec<String>> {
        let mut left: BTreeSet<&String> = self.edges.keys().collect();
        let mut cycles = Vec::new();
        while let Some(start) = left.pop_first() {
            let round: Vec<String> =
                self.reached(start).into_iter().filter(|other| self.reached(other).contains(start)).cloned().collect();
            left.retain(|other| !round.contains(other));
            cycles.extend((!round.is_empty()).then_some(round));
        }
        cycles
    }

    /// The imports inside a group, one a line.
    pub(super) fn describe(&self, group: &[String]) -> String {
        let inside = |from: &String| {
            let tos = self.edges[from].iter().filter(|(to, _)| group.contains(to));
            tos.map(|(to, import)| format!("  {from} -> {to}: {import}\n")).collect::<Vec<_>>().concat()
        };
        group.iter().map(inside).collect()
    }

    fn import(&self, from: &str, to: &str) -> Option<&Import> {
        self.edges.get(from)?.get(to)
    }

    /// Every node that a node reaches; the node itself if it is on a cycle.
    fn reached(&self, from: &str) -> BTreeSet<&String> {
        let (mut found, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(node) = open.pop() {
            for to in self.edges.get(node).into_iter().flat_map(BTreeMap::keys) {
                if found.insert(to) {
                    open.push(to);
                }
            }
        }
        found
    }
}

impl std::fmt::Display for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} names `{}`", self.file, self.path)
    }
}

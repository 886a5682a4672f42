//! Resolves a path through modules and re-exports to the file that defines the item.

use super::source::{Module, Package, Place};

/// The most re-exports in a row; a longer chain is a cycle.
const HOPS: usize = 16;

impl Package {
    /// The module that defines the item of a path, as seen from a module; `None` for an item of another crate.
    pub(super) fn definer(&self, from: &Place, path: &[String]) -> Option<Place> {
        match self.follow(from, path, HOPS)? {
            Found::Item(place) => Some(place),
            // A path to a module alone does not use its items.
            Found::Module => None,
        }
    }

    fn follow(&self, from: &Place, path: &[String], hops: usize) -> Option<Found> {
        let hops = hops.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(Place::new(), rest, hops),
            "self" => self.walk(from.clone(), rest, hops),
            "super" => self.walk(from[..from.len().checked_sub(1)?].to_vec(), rest, hops),
            _ => {
                let module = self.modules.get(from)?;
                let import = module.imports.iter().find(|import| import.name.as_ref() == Some(first));
                match import {
                    Some(import) if import.path.first() != Some(first) || module.children.contains(first) => {
                        self.follow(from, &[&import.path, rest].concat(), hops)
                    }
                    _ if module.children.contains(first) => self.walk(from.clone(), path, hops),
                    _ => None,
                }
            }
        }
    }

    /// Follows the segments of a path from a module.
    fn walk(&self, place: Place, path: &[String], hops: usize) -> Option<Found> {
        let Some((name, rest)) = path.split_first() else { return Some(Found::Module) };
        if name == "super" {
            return self.walk(place[..place.len().checked_sub(1)?].to_vec(), rest, hops);
        }
        let module = self.modules.get(&place)?;
        if module.items.contains(name) && (rest.is_empty() || !module.children.contains(name)) {
            return Some(Found::Item(place));
        }
        if let Some(import) = exported(module, name).filter(|_| rest.is_empty() || !module.children.contains(name)) {
            let onward = [&import[..], rest].concat();
            return self.follow(&place, &onward, hops);
        }
        if module.children.contains(name) {
            return self.walk(place.iter().cloned().chain([name.clone()]).collect(), rest, hops);
        }
        let globs = module.imports.iter().filter(|import| import.name.is_none());
        let through = globs.map(|glob| [&glob.path[..], path].concat());
        let found =
            through.filter_map(|path| self.follow(&place, &path, hops)).find(|found| self.is_known(found, path));
        // An item that the parser does not see is made by a macro in that module.
        found.or(Some(Found::Item(place)))
    }

    fn is_known(&self, found: &Found, path: &[String]) -> bool {
        match found {
            Found::Module => true,
            Found::Item(place) => self.modules.get(place).is_some_and(|module| module.items.contains(&path[0])),
        }
    }
}

/// Where a name is imported from.
fn exported<'a>(module: &'a Module, name: &str) -> Option<&'a Place> {
    let import = module.imports.iter().find(|import| import.name.as_deref() == Some(name))?;
    Some(&import.path)
}

enum Found {
    Item(Place),
    Module,
}

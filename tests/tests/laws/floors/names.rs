//! The names that a module's code defines, imports and uses. Its tests are left out.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::source::Place;

/// One name brought in by a `use`.
#[derive(Debug)]
pub(super) struct Import {
    /// Its name in this module; `None` for a glob.
    pub(super) name: Option<String>,
    /// The path as written.
    pub(super) path: Place,
}

/// The names in the items of one module.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) items: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    pub(super) paths: Vec<Place>,
    /// Inline modules of this one.
    pub(super) inline: Vec<(String, Vec<syn::Item>)>,
    /// Modules in files that are only built for tests.
    pub(super) tests: Vec<String>,
}

pub(super) fn named(items: &[syn::Item]) -> Named {
    let mut named = Named::default();
    for item in items {
        if for_tests(attributes(item)) {
            if let syn::Item::Mod(module) = item {
                named.tests.push(module.ident.to_string());
            }
            continue;
        }
        match item {
            syn::Item::Mod(module) => {
                let inner = module.content.iter().map(|(_, items)| (module.ident.to_string(), items.clone()));
                named.inline.extend(inner);
            }
            syn::Item::Use(import) => named.import(import),
            // The code of a `macro_rules` belongs to its caller.
            syn::Item::Macro(rules) if rules.ident.is_some() => named.items.extend(defined(item)),
            item => {
                named.items.extend(defined(item));
                named.visit_item(item);
            }
        }
    }
    named
}

impl Named {
    /// A re-export is followed to its item, but does not count as a use of it.
    fn import(&mut self, import: &syn::ItemUse) {
        let mut leaves = Vec::new();
        flatten(&import.tree, &mut Vec::new(), &mut leaves);
        for (name, path) in leaves {
            if matches!(import.vis, syn::Visibility::Inherited) {
                self.paths.push(path.clone());
            }
            self.imports.push(Import { name, path });
        }
    }

    /// Paths in tokens that are not parsed: arguments of macros and attributes.
    fn scan(&mut self, tokens: TokenStream) {
        let (mut path, mut colons) = (Place::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Ident(name) if colons == 2 => path.push(name.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                other => {
                    self.paths.extend((path.len() > 1).then(|| std::mem::take(&mut path)));
                    path.clear();
                    match other {
                        TokenTree::Ident(name) => path.push(name.to_string()),
                        TokenTree::Group(group) => self.scan(group.stream()),
                        _ => {}
                    }
                }
            }
            colons = 0;
        }
        self.paths.extend((path.len() > 1).then_some(path));
    }
}

impl<'ast> Visit<'ast> for Named {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.scan(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone());
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    /// `use` in a function.
    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        self.import(import);
    }

    /// `pub(in super::super)` is a visibility, not a use.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

fn flatten(tree: &syn::UseTree, path: &mut Place, leaves: &mut Vec<(Option<String>, Place)>) {
    match tree {
        syn::UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            flatten(&inner.tree, path, leaves);
            path.pop();
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| flatten(item, path, leaves)),
        syn::UseTree::Glob(_) => leaves.push((None, path.clone())),
        syn::UseTree::Name(name) => leaf(&name.ident.to_string(), None, path, leaves),
        syn::UseTree::Rename(rename) => {
            leaf(&rename.ident.to_string(), Some(rename.rename.to_string()), path, leaves);
        }
    }
}

fn leaf(name: &str, called: Option<String>, path: &Place, leaves: &mut Vec<(Option<String>, Place)>) {
    let mut path = path.clone();
    if name != "self" {
        path.push(name.to_owned());
    }
    let called = called.or_else(|| path.last().cloned());
    leaves.push((called, path));
}

fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::NameValue(_) => false,
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn defined(item: &syn::Item) -> Option<String> {
    let name = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

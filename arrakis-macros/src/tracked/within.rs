//! `#[tracked]` on what holds functions: an `impl`, a trait, a module.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, Block, ImplItem, Item, ItemConst, ItemStatic, Signature, TraitItem};

use super::companion;
use super::note::{Note, is_hooked};
use crate::experiment::Kind;
use crate::mistakes::Mistakes;

/// Goes through the items of a container.
pub(super) struct Within<'a> {
    mistakes: &'a mut Mistakes,
    /// What cannot say that it is used: `const` functions and constants of types. A function that names one says it.
    silent: Vec<Note>,
}

impl<'a> Within<'a> {
    pub(super) fn new(mistakes: &'a mut Mistakes) -> Self {
        Self { mistakes, silent: Vec::new() }
    }

    pub(super) fn item(&mut self, item: &mut Item) {
        match item {
            Item::Fn(function) if goes_on(&function.attrs, &function.sig) => {
                let text = function.to_token_stream();
                self.function(&function.attrs, &function.sig, &mut function.block, &text);
            }
            Item::Impl(block) if is_free(&block.attrs) => {
                let silent = block.items.iter().filter_map(silent_in_impl).collect();
                self.around(silent, |within| block.items.iter_mut().for_each(|item| within.in_impl(item)));
            }
            Item::Trait(block) if is_free(&block.attrs) => {
                self.around(Vec::new(), |within| block.items.iter_mut().for_each(|item| within.in_trait(item)));
            }
            Item::Mod(module) if is_free(&module.attrs) => match &mut module.content {
                Some((_, items)) => {
                    let silent = items.iter().filter_map(silent_in_module).collect();
                    self.around(silent, |within| within.in_module(items));
                }
                None => self.mistakes.at(
                    module.mod_token.span,
                    format!(
                        "`#[tracked]` does not see the text of a module in another file: put it on the functions there, \
                         or on a module in braces around them, such as `#[tracked] mod {} {{ .. }}`",
                        module.ident
                    ),
                ),
            },
            _ => {}
        }
    }

    /// With these silent items besides those around.
    fn around(&mut self, silent: Vec<Note>, inside: impl FnOnce(&mut Self)) {
        let before = self.silent.len();
        self.silent.extend(silent);
        inside(self);
        self.silent.truncate(before);
    }

    fn in_module(&mut self, items: &mut Vec<Item>) {
        let mut companions = Vec::new();
        for item in &mut *items {
            match item {
                Item::Const(ItemConst { attrs, .. }) | Item::Static(ItemStatic { attrs, .. }) if !is_free(attrs) => {}
                Item::Const(_) | Item::Static(_) => companions.extend(companion::of(item, None)),
                other => self.item(other),
            }
        }
        items.extend(companions.into_iter().map(Item::Verbatim));
    }

    fn in_impl(&mut self, item: &mut ImplItem) {
        if let ImplItem::Fn(method) = item
            && goes_on(&method.attrs, &method.sig)
        {
            let text = method.to_token_stream();
            self.function(&method.attrs, &method.sig, &mut method.block, &text);
        }
    }

    fn in_trait(&mut self, item: &mut TraitItem) {
        if let TraitItem::Fn(method) = item
            && goes_on(&method.attrs, &method.sig)
        {
            let text = method.to_token_stream();
            if let Some(block) = &mut method.default {
                self.function(&method.attrs, &method.sig, block, &text);
            }
        }
    }

    fn function(&self, attrs: &[Attribute], sig: &Signature, block: &mut Block, item: &TokenStream) {
        let code = quote!(#sig #block);
        let statement = Note::of(&sig.ident, &code, item, None).statement(&self.named_in(&code));
        let statements = &block.stmts;
        *block = if attrs.iter().any(is_hooked) {
            syn::parse_quote!({ #statement #(#statements)* })
        } else {
            syn::parse_quote!({ #statement #block })
        };
    }

    /// The silent items that code names, and those that these name.
    fn named_in(&self, code: &TokenStream) -> Vec<&Note> {
        let mut found: Vec<&Note> = Vec::new();
        let mut codes = vec![code];
        while let Some(code) = codes.pop() {
            for item in &self.silent {
                let is_new = !found.iter().any(|other| std::ptr::eq(*other, item));
                if is_new && names(code, &item.name) {
                    found.push(item);
                    codes.push(&item.code);
                }
            }
        }
        found
    }
}

/// Whether the attribute acts on this function: not on an experiment, on what has the attribute itself, nor on what cannot
/// act at run time.
fn goes_on(attrs: &[Attribute], sig: &Signature) -> bool {
    is_free(attrs) && sig.constness.is_none() && attrs.iter().all(|attr| Kind::of(attr.path()).is_none())
}

fn is_free(attrs: &[Attribute]) -> bool {
    !attrs.iter().any(|attr| attr.path().segments.last().is_some_and(|last| last.ident == "tracked"))
}

fn silent_in_impl(item: &ImplItem) -> Option<Note> {
    let name = match item {
        ImplItem::Const(constant) => &constant.ident,
        ImplItem::Fn(method) if method.sig.constness.is_some() => &method.sig.ident,
        _ => return None,
    };
    Some(note(name, item))
}

fn silent_in_module(item: &Item) -> Option<Note> {
    match item {
        Item::Fn(function) if function.sig.constness.is_some() => Some(note(&function.sig.ident, item)),
        _ => None,
    }
}

fn note(name: &Ident, item: &impl ToTokens) -> Note {
    let code = item.to_token_stream();
    Note::of(name, &code, &code, None)
}

fn names(code: &TokenStream, name: &Ident) -> bool {
    code.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => names(&group.stream(), name),
        _ => false,
    })
}

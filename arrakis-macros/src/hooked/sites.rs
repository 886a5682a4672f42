//! The code of a site: its value passes through the runtime, or the compiler refuses it for a tensor.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote};
use syn::Attribute;
use syn::ext::IdentExt;

use super::bindings::Binding;
use super::patterns::is_conditional;
use crate::krate::hooks;

/// What the method's first statements must provide.
#[derive(Default)]
pub(crate) struct Needs {
    /// The number of the call.
    pub(crate) call: bool,
    /// The traits whose methods are called.
    pub(crate) traits: bool,
    /// Bindings that later ones of their name are compared with.
    pub(crate) marks: Vec<usize>,
}

impl Needs {
    /// The statements at the start of the method.
    pub(crate) fn tokens(&self) -> TokenStream {
        let hooks = hooks();
        let traits = self.traits.then(|| {
            quote! {
                #[allow(unused_imports)]
                use #hooks::{AcceptAny as _, ItemsAny as _, PassAny as _};
            }
        });
        let call = self.call.then(|| quote!(let __arrakis_call = #hooks::call();));
        let marks = self.marks.iter().map(|number| mark(*number));
        quote!(#traits #call #(let #marks = #hooks::Seen::new();)*)
    }
}

fn mark(number: usize) -> Ident {
    format_ident!("__arrakis_seen{number}")
}

/// `let x = site("x", x);`, with the checks that its binding needs.
pub(crate) fn site(name: &Ident, binding: &Binding, attributes: &[Attribute], needs: &mut Needs) -> Vec<TokenStream> {
    if binding.in_loop {
        return vec![refused(name, &quote!(arrakis_in_loop()), attributes, needs)];
    }
    let mut statements = Vec::new();
    for earlier in binding.after.iter().map(|number| mark(*number)) {
        statements.push(refused(name, &quote!(arrakis_again(&#earlier)), attributes, needs));
    }
    if binding.marked {
        needs.traits = true;
        needs.marks.push(binding.number);
        let (mark, slot) = (mark(binding.number), slot(&quote!(&#name)));
        statements.push(quote!(#mark.is(&#slot.arrakis_kind());));
    }
    statements.push(passed(name, binding.shared, attributes, needs));
    statements
}

/// A call that compiles for anything but a tensor, with its error at the name.
pub(crate) fn refused(name: &Ident, check: &TokenStream, attributes: &[Attribute], needs: &mut Needs) -> TokenStream {
    needs.traits = true;
    let (conditions, slot) = (conditions(attributes), slot(&quote!(&#name)));
    let check = respanned(quote!(#slot.#check), name.span());
    quote!(#(#conditions)* { #check; })
}

fn passed(name: &Ident, shared: bool, attributes: &[Attribute], needs: &mut Needs) -> TokenStream {
    let (text, conditions) = (name.unraw().to_string(), conditions(attributes));
    needs.traits = true;
    needs.call |= shared;
    let slot = slot(&quote!(#name));
    let passed = if shared {
        respanned(quote!(#slot.arrakis_pass_once(#text, __arrakis_call)), name.span())
    } else {
        quote!(#slot.arrakis_pass(#text))
    };
    // The branch costs less than the moves of a call that returns at once.
    let hooks = hooks();
    quote!(#(#conditions)* let #name = if #hooks::is_active() { #passed } else { #name };)
}

fn slot(value: &TokenStream) -> TokenStream {
    let hooks = hooks();
    quote!(#hooks::Slot(#value))
}

/// The same code at the place of a name, so that an error or a line number is the user's.
fn respanned(code: TokenStream, span: Span) -> TokenStream {
    let at = |mut tree: TokenTree| {
        if let TokenTree::Group(group) = &tree {
            tree = Group::new(group.delimiter(), respanned(group.stream(), span)).into();
        }
        tree.set_span(span);
        tree
    };
    code.into_iter().map(at).collect()
}

/// The `cfg`s among some attributes.
pub(crate) fn conditions(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| is_conditional(std::slice::from_ref(attribute)))
}

//! `#[hooked]` names the tensors of a forward function. Their values pass through the runtime unchanged.

mod attributes;
mod bindings;
mod calls;
mod changes;
mod check;
mod denote;
mod enter;
mod kept;
mod lets;
mod loops;
mod names;
mod opaque;
mod options;
mod parts;
mod patterns;
mod place;
mod rewrite;
mod seen;
mod sites;
mod steady;

use proc_macro2::TokenStream;
use quote::quote;

use syn::visit_mut::VisitMut;
use syn::{ImplItemFn, Stmt};

use options::Options;
use rewrite::Rewrite;

/// Parses the options and the method, checks both, and rewrites the body.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let options = Options::read(args)?;
    let mut method = check::method(item)?;
    check::options(&options, &method)?;

    let mut rewrite = Rewrite::new(&options, &method);
    let inputs = rewrite.inputs(&method);
    rewrite.visit_block_mut(&mut method.block);
    let needs = rewrite.finish()?.tokens();
    let mut items = std::mem::take(&mut method.block.stmts);
    let first = items.iter().position(|statement| !matches!(statement, Stmt::Item(_))).unwrap_or(items.len());
    let statements = items.split_off(first);
    method.block = syn::parse_quote!({ #(#items)* #needs #(#inputs)* #(#statements)* });
    // The rewritten `let` of a returned binding, and the tuples that fix evaluation order, are our code.
    Ok(wrapped(&method))
}

fn wrapped(method: &ImplItemFn) -> TokenStream {
    quote! {
        #[allow(clippy::let_and_return, clippy::let_unit_value, clippy::match_single_binding, clippy::semicolon_if_nothing_returned)]
        #method
    }
}

//! `#[hooked]` names the tensors of a forward function. Their values pass through the runtime unchanged.

mod check;
mod loops;
mod once;
mod opaque;
mod options;
mod place;
mod rewrite;

use proc_macro2::TokenStream;
use quote::quote;
use syn::visit_mut::VisitMut;
use syn::{FnArg, ImplItemFn};

use options::Options;
use rewrite::Rewrite;

/// Parses the options and the method, checks both, and rewrites the body.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let options = Options::read(args)?;
    let mut method = check::method(item)?;
    check::options(&options, &method)?;
    once::check(&options, &method)?;

    let mut rewrite = Rewrite::new(&options);
    rewrite.visit_block_mut(&mut method.block);
    rewrite.finish()?;
    let inputs = input_sites(&options, &method);
    let statements = std::mem::take(&mut method.block.stmts);
    let body: syn::Block = syn::parse_quote!({ #(#inputs)* #(#statements)* });
    method.block = body;
    // The rewritten `let` of a returned binding, and the tuples that fix evaluation order, are our code.
    Ok(quote! {
        #[allow(clippy::let_and_return, clippy::let_unit_value, clippy::match_single_binding, clippy::semicolon_if_nothing_returned)]
        #method
    })
}

/// `let x = site("x", x);` for each argument named in `inputs(..)`.
fn input_sites(options: &Options, method: &ImplItemFn) -> Vec<TokenStream> {
    let typed = method.sig.inputs.iter().filter_map(|arg| match arg {
        FnArg::Typed(typed) => Some(&*typed.pat),
        FnArg::Receiver(_) => None,
    });
    let inputs = typed.flat_map(|pat| check::names_of(pat).into_iter().map(move |name| (pat, name)));
    let inputs = inputs.filter(|(_, name)| options.has_input(name));
    inputs.map(|(pat, name)| rewrite::rebind(&name, place::is_mutable(pat, &name), &[])).collect()
}

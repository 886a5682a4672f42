//! The attributes of an experiment. The first one removes the others from the function, and all expand to one use of
//! `__private::Call`. So their order never changes what happens.

mod arguments;
mod attributes;
mod carried;
mod constants;
#[cfg(test)]
mod expansion;
mod function;
mod hypothesis;
mod inputs;
mod internal;
mod kind;
mod marks;
mod options;
mod place;
mod plots;
mod question;
mod recursion;
mod render;
mod source;
mod spec;
mod suite;
mod together;
mod tools;

use proc_macro2::{Span, TokenStream};
use syn::{FnArg, ImplItemFn};

use arguments::{Arguments, BenchFrom};
use attributes::Attributes;
pub(crate) use constants::notes;
pub(crate) use function::Function;
pub(crate) use internal::internal;
pub(crate) use kind::Kind;
pub(crate) use source::{line, text_in_file};
pub(crate) use suite::suite;
pub(crate) use together::below;

use crate::mistakes::Mistakes;

/// Expands one of the attributes together with every other one on the function.
pub(crate) fn expand(kind: Kind, args: TokenStream, item: &TokenStream) -> syn::Result<TokenStream> {
    let mut function = Function::parse(kind, item)?;
    let source = source::Source::of(&function, item, Span::call_site());
    let mut mistakes = Mistakes::default();
    let mut attributes = Attributes::take(kind, args, &mut function.attrs, &mut mistakes);
    marks::check(&function, &mut mistakes);
    if let Some(tools) = &attributes.tools {
        tools.check(&function, &mut mistakes);
    }
    let arguments = Arguments::of(&mut function, &attributes, &mut mistakes);
    if let Some(BenchFrom::Argument(argument)) = arguments.as_ref().map(|arguments| &arguments.bench) {
        attributes.check_bench(argument, &mut mistakes);
    }
    if let (Some(options), Some(arguments)) = (&attributes.hypothesis, &arguments) {
        hypothesis::check(options, &function, arguments, &mut mistakes);
    }
    render::check_cached(&function, &attributes, &mut mistakes);
    mistakes.finish()?;
    let function = together::rewritten(function, &mut attributes)?;
    let arguments = arguments.expect("BUG: arguments without a bench are a mistake");
    if question::is_misplaced(&function) {
        return Ok(render::plain(&function, &attributes, &arguments));
    }
    Ok(render::render(&function, &attributes, &arguments, &source))
}

/// The item without our attributes, so that rustc checks the rest while our error is shown.
pub(crate) fn stripped(item: TokenStream) -> TokenStream {
    let Ok(mut function) = syn::parse2::<ImplItemFn>(item.clone()) else {
        return item;
    };
    function.attrs.retain(|attr| Kind::of(attr.path()).is_none());
    for arg in &mut function.sig.inputs {
        let attrs = match arg {
            FnArg::Receiver(receiver) => &mut receiver.attrs,
            FnArg::Typed(typed) => &mut typed.attrs,
        };
        attrs.retain(|attr| !marks::is_meant(attr));
    }
    quote::quote!(#function)
}

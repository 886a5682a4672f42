//! The generated function: its own signature, and one use of the runtime around its own body.

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Ident, Path, ReturnType, Type};

use super::arguments::{Arguments, BenchFrom};
use super::attributes::Attributes;
use super::constants::notes;
use super::function::Function;
use super::hypothesis;
use super::inputs::{Input, body_with};
use super::internal::internal;
use super::options::Options;
use super::plots;
use super::recursion;
use super::source::Source;
use crate::krate::{features, krate};
use crate::mistakes::Mistakes;

/// `fn name(..) -> R { Call::of(.., bench).inputs(..).run(tools, |tools, figure| body, see).unwrap_or_else(fail) }`
pub(crate) fn render(
    function: &Function,
    attributes: &Attributes,
    arguments: &Arguments,
    source: &Source,
) -> TokenStream {
    let Function { attrs, vis, sig, .. } = function;
    let (taken, krate) = (taken(&attributes.taken), krate());
    let begun = internal("call");
    let (call, inputs) = (call(function, attributes, arguments, source), inputs(arguments));
    let steps = inputs.into_iter().chain(constants(function)).chain(options(attributes, arguments));
    let (kept, see) = hypothesis::see(attributes.hypothesis.as_ref(), &arguments.inputs);
    let (tools, body) = (tools(attributes, arguments), body(function, attributes, arguments));
    let recursion = recursion::unconditional(function);
    let reused = attributes.log.as_ref().and_then(Options::reuse).map(|reuse| reused(function, &begun, &reuse));
    let run = if sig.asyncness.is_some() {
        quote!(.run_async(#tools, async #body, #see).await)
    } else {
        quote!(.run(#tools, #body, #see))
    };
    // The bench is used here, whatever its name.
    let lint = matches!(&arguments.bench, BenchFrom::Argument(name) if name.to_string().starts_with('_'))
        .then(|| quote!(#[allow(clippy::used_underscore_binding)]));
    let (fail, error) = (internal("fail"), internal("error"));
    let test = attributes.hypothesis.as_ref().map(|options| hypothesis::test(options, attributes, function, arguments));
    let given = if let Some(reused) = reused {
        quote!(let #begun = #begun #(#steps)*; #reused #begun)
    } else {
        quote!(#begun #(#steps)*)
    };
    quote! {
        #(#attrs)*
        #vis #sig {
            use #krate::__private::{self as __arrakis, traits::*};
            #taken
            #recursion
            #kept
            #lint
            let #begun = #call;
            #given
                #run
                .unwrap_or_else(|(#fail, #error)| (&&#fail).arrakis_fail(#error))
        }
        #test
    }
}

/// The function with its own body alone, for a mistake that rustc reports.
pub(crate) fn plain(function: &Function, attributes: &Attributes, arguments: &Arguments) -> TokenStream {
    let Function { attrs, vis, sig, .. } = function;
    let (taken, body) =
        (taken(&attributes.taken), body_with(&arguments.inputs, &function.body, &read(attributes, arguments)));
    let figure = arguments.figure.iter().map(|(pat, ty)| (quote!(#pat), quote!(#ty)));
    let (pats, types): (Vec<_>, Vec<_>) =
        tool_pats(attributes, arguments).into_iter().zip(tool_types(attributes, arguments)).chain(figure).unzip();
    let krate = krate();
    let given = quote!(let (#(#pats,)*): (#(#types,)*) = #krate::__private::given(););
    let mut block = Group::new(Delimiter::Brace, quote!(#taken #given #body));
    block.set_span(body.span());
    quote!(#(#attrs)* #vis #sig #block)
}

/// A use of each attribute that this one has removed, so that its import is not unused.
fn taken(paths: &[Path]) -> TokenStream {
    if paths.is_empty() { TokenStream::new() } else { quote!(#[allow(unused_imports)] use {#(#paths as _),*};) }
}

/// What is known about the function, its bench and its attributes.
fn call(function: &Function, attributes: &Attributes, arguments: &Arguments, source: &Source) -> TokenStream {
    let (name, Source { text, tokens, line }) = (function.sig.ident.unraw().to_string(), source);
    let (line, bits) = (u32::try_from(*line).unwrap_or(0), attributes.bits());
    let bench = match &arguments.bench {
        BenchFrom::Argument(name) => quote!(#name),
        BenchFrom::Expression(expr) => quote!(#expr),
    };
    let features = features().map(|features| quote!(, #features));
    quote!(__arrakis::call!(#name, #line, #text, #tokens, #bench, #bits #features))
}

/// `self` and the inputs, written before the body runs, because the body may move them.
fn inputs(arguments: &Arguments) -> Option<TokenStream> {
    let this = arguments.method.then(|| quote!(("self", (&&&&&&__arrakis::Probe(&self)).arrakis_shown())));
    let each: Vec<TokenStream> = this.into_iter().chain(arguments.inputs.iter().map(Input::shown)).collect();
    (!each.is_empty()).then(|| quote!(.inputs(|| [#(#each),*])))
}

/// Returns the result of an earlier run, if it can be used.
fn reused(function: &Function, call: &Ident, reuse: &TokenStream) -> TokenStream {
    let (result, value) = (returned(&function.sig.output), internal("value"));
    quote! {
        let #call = match #call.reused::<#result, _>(#reuse, || (&&&__arrakis::Reader::<#result>::new()).arrakis_reader()) {
            __arrakis::ControlFlow::Break(#value) => return #value,
            __arrakis::ControlFlow::Continue(#call) => #call,
        };
    }
}

fn returned(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    }
}

/// Refuses a cached result whose type has no name: it could not be read back.
pub(crate) fn check_cached(function: &Function, attributes: &Attributes, mistakes: &mut Mistakes) {
    let cached = attributes.log.as_ref().and_then(|options| options.key("cache"));
    let ReturnType::Type(_, ty) = &function.sig.output else { return };
    if let Some(key) = cached
        && quote!(#ty).to_string().split_whitespace().any(|word| word == "impl")
    {
        mistakes.at(key.span(), "a cached result is read back from its record: name its type instead of `impl ..`");
    }
}

/// The constants that the body names, for those that are tracked.
fn constants(function: &Function) -> Option<TokenStream> {
    let (body, to) = (&function.body, internal("to"));
    let notes = notes(&quote!(#body), &to);
    (!notes.is_empty()).then(|| quote!(.constants(|#to| { #(#notes)* })))
}

/// The options of the attributes.
fn options(attributes: &Attributes, arguments: &Arguments) -> impl Iterator<Item = TokenStream> {
    let inputs = &arguments.inputs;
    let log = attributes.log.as_ref().and_then(|options| filled(options, inputs));
    let plot = attributes.plot.as_ref().and_then(|options| filled(options, inputs));
    let claim = attributes.hypothesis.as_ref().map(|options| hypothesis::claim(options, inputs));
    let (log, plot) = (log.map(|log| quote!(.log(#log))), plot.map(|plot| quote!(.plot(#plot))));
    let plots = attributes.plot.as_ref().zip(arguments.prompt.as_ref());
    let plots = plots.map(|(options, prompt)| plots::step(options, prompt, inputs));
    [log, plot, plots, claim].into_iter().flatten()
}

/// What the attributes read: their options, and the prompt of the plots.
fn read(attributes: &Attributes, arguments: &Arguments) -> TokenStream {
    let (options, prompt) = (attributes.read(), &arguments.prompt);
    quote!(#options #prompt)
}

/// A closure that writes the options into its argument.
fn filled(options: &Options, inputs: &[Input]) -> Option<TokenStream> {
    let lent = internal("to");
    match options.set(&lent, inputs).as_slice() {
        [] => None,
        [one] => Some(quote!(|#lent| #one)),
        several => Some(quote!(|#lent| { #(#several;)* })),
    }
}

/// The body as a closure that receives the tools and the figure.
fn body(function: &Function, attributes: &Attributes, arguments: &Arguments) -> TokenStream {
    let body = body_with(&arguments.inputs, &function.body, &read(attributes, arguments));
    let pats = tool_pats(attributes, arguments);
    let types = tool_types(attributes, arguments);
    let unused = || quote!(_);
    let figure = arguments.figure.as_ref().map_or_else(unused, |(pat, ty)| quote!(#pat: #ty));
    let output = output(&function.sig.output);
    quote!(|(#(#pats,)*): (#(#types,)*), #figure| #output #body)
}

/// The closure's return type. An `impl Trait`, which cannot be written there, is inferred.
fn output(output: &ReturnType) -> TokenStream {
    struct Inferred;
    impl VisitMut for Inferred {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if matches!(ty, Type::ImplTrait(_)) {
                *ty = syn::parse_quote!(_);
            }
            visit_mut::visit_type_mut(self, ty);
        }
    }
    match output {
        ReturnType::Default => quote!(-> ()),
        ReturnType::Type(arrow, ty) => {
            let mut ty = ty.clone();
            Inferred.visit_type_mut(&mut ty);
            quote!(#arrow #ty)
        }
    }
}

fn tool_pats(attributes: &Attributes, arguments: &Arguments) -> Vec<TokenStream> {
    let named = attributes.tools.iter().flat_map(|tools| &tools.tools).map(|(name, _)| quote!(#name));
    named.chain(arguments.tools.iter().map(|(pat, _)| quote!(#pat))).collect()
}

fn tool_types(attributes: &Attributes, arguments: &Arguments) -> Vec<TokenStream> {
    let named = attributes.tools.iter().flat_map(|tools| &tools.tools).map(|(_, path)| path.clone());
    named.chain(arguments.tools.iter().map(|(_, ty)| quote!(#ty))).collect()
}

/// Builds the tools, each at the span of its type, so that a type that is not a tool is reported there.
fn tools(attributes: &Attributes, arguments: &Arguments) -> TokenStream {
    let (types, bench) = (tool_types(attributes, arguments), internal("bench"));
    if types.is_empty() {
        return quote!(__arrakis::no_tools);
    }
    let made = types.into_iter().map(|ty| quote_spanned!(ty.span()=> __arrakis::tool::<#ty>(#bench)?,));
    quote!(|#bench| __arrakis::Ok((#(#made)*)))
}

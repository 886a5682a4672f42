//! The generated function: its own signature, and one call of the runtime around its own body.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ReturnType, Type};

use super::arguments::{Arguments, BenchFrom};
use super::attributes::Attributes;
use super::function::Function;
use super::hypothesis;
use super::inputs;
use super::internal::internal;
use super::source::Source;

/// `fn name(..) -> R { match call(.., || body) { Ok(value) => value, Err(error) => fail(error) } }`
pub(crate) fn render(
    function: &Function,
    attributes: &Attributes,
    arguments: &Arguments,
    source: &Source,
) -> TokenStream {
    let Function { attrs, vis, sig, .. } = function;
    let (taken, bench, inputs) = (&attributes.taken, bench(&arguments.bench), inputs::inputs(arguments));
    let (body, tools) = (body(function, attributes, arguments), tools(attributes, arguments));
    let (call, value, fail) = (call(function, attributes, source), internal("value"), fail(&sig.output));
    let see = hypothesis::see(attributes.hypothesis.as_ref(), &value);
    let test = attributes.hypothesis.as_ref().map(|options| hypothesis::test(options, attributes, function, arguments));
    quote! {
        #(#attrs)*
        #vis #sig {
            #(#taken)*
            #[allow(clippy::used_underscore_binding)]
            let __arrakis_bench = #bench;
            let __arrakis_inputs = #inputs;
            #call
            let __arrakis_body = #body;
            let __arrakis_fail = #fail::of(&__arrakis_body);
            match ::arrakis::__private::call(::arrakis::__private::Held::lend(&__arrakis_bench), __arrakis_call, __arrakis_inputs, #tools, __arrakis_body, |#value| #see) {
                ::core::result::Result::Ok(__arrakis_value) => __arrakis_value,
                ::core::result::Result::Err(__arrakis_error) => {
                    #[allow(unused_imports)]
                    use ::arrakis::__private::{FailByPanic as _, FailByResult as _};
                    (&&__arrakis_fail).arrakis_fail(__arrakis_error)
                }
            }
        }
        #test
    }
}

fn bench(bench: &BenchFrom) -> TokenStream {
    match bench {
        BenchFrom::Argument(name) => quote!(::arrakis::__private::Held::of(#name)),
        BenchFrom::Expression(expr) => quote_spanned!(expr.span()=> ::arrakis::__private::Held::of(#expr)),
    }
}

/// Where the function is, and the options of each attribute.
fn call(function: &Function, attributes: &Attributes, source: &Source) -> TokenStream {
    let private = quote!(::arrakis::__private);
    let (name, Source { text, tokens, line }) = (function.sig.ident.to_string(), source);
    let line = u32::try_from(*line).unwrap_or(0);
    let none = || quote!(::core::option::Option::None);
    let some = |options: Option<TokenStream>| {
        options.map_or_else(none, |options| quote!(::core::option::Option::Some(#options)))
    };
    let log = some(attributes.log.as_ref().map(|options| options.setter(&quote!(::arrakis::Record))));
    let plot = some(attributes.plot.as_ref().map(|options| {
        let plot = internal("plot");
        let filled = options.set(&plot);
        quote!({ #[allow(unused_mut)] let mut #plot = #private::PlotOptions::default(); #filled #plot })
    }));
    let hypothesis = some(attributes.hypothesis.as_ref().map(|options| {
        let (claim, null) = (hypothesis::claim(options, function), hypothesis::null(options));
        quote!(#private::Hypothesis { claim: #claim, null: #null })
    }));
    let profile = attributes.profile.is_some();
    let tools = attributes.tools.is_some();
    quote! {
        let __arrakis_call = #private::Call {
            function: &#private::Function {
                module: ::core::module_path!(),
                name: #name,
                package: ::core::env!("CARGO_PKG_NAME"),
                package_version: ::core::env!("CARGO_PKG_VERSION"),
                folder: ::core::env!("CARGO_MANIFEST_DIR"),
                file: ::core::file!(),
                line: #line,
                source: #text,
                tokens: #tokens,
            },
            log: #log, tools: #tools, plot: #plot, profile: #profile, hypothesis: #hypothesis,
        };
    }
}

/// The body as a closure that receives the tools and the figure.
fn body(function: &Function, attributes: &Attributes, arguments: &Arguments) -> TokenStream {
    let body = &function.body;
    let named = attributes.tools.iter().flat_map(|tools| &tools.tools);
    let mut pats: Vec<TokenStream> = named.clone().map(|(name, _)| quote!(#name)).collect();
    pats.extend(arguments.tools.iter().map(|(pat, _)| quote!(#pat)));
    let types = tool_types(attributes, arguments);
    let unused = || quote!(_: &mut ::arrakis::plot::Figure);
    let figure = arguments.figure.as_ref().map_or_else(unused, |(pat, ty)| quote!(#pat: #ty));
    let output = output(&function.sig.output);
    quote!(|(#(#pats,)*): (#(#types,)*), #figure| #output #body)
}

/// The closure's return type. It is inferred for `impl Trait`, which cannot be written there.
fn output(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Default => quote!(-> ()),
        ReturnType::Type(_, ty) if mentions_impl(ty) => TokenStream::new(),
        ReturnType::Type(..) => quote!(#output),
    }
}

/// The exit for our own errors, with the return type where it can be written: it is then known even if the body's type
/// is not.
fn fail(output: &ReturnType) -> TokenStream {
    let fail = quote!(::arrakis::__private::Fail);
    match output {
        ReturnType::Default => quote!(#fail::<()>),
        ReturnType::Type(_, ty) if mentions_impl(ty) || matches!(**ty, Type::Never(_)) => fail,
        ReturnType::Type(_, ty) => quote!(#fail::<#ty>),
    }
}

fn mentions_impl(ty: &Type) -> bool {
    struct Finder(bool);
    impl<'ast> syn::visit::Visit<'ast> for Finder {
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut finder = Finder(false);
    syn::visit::Visit::visit_type(&mut finder, ty);
    finder.0
}

fn tool_types(attributes: &Attributes, arguments: &Arguments) -> Vec<TokenStream> {
    let named = attributes.tools.iter().flat_map(|tools| &tools.tools).map(|(_, path)| path.clone());
    named.chain(arguments.tools.iter().map(|(_, ty)| quote!(#ty))).collect()
}

/// Builds the tools, each at the span of its type, so that a type that is not a tool is reported there.
fn tools(attributes: &Attributes, arguments: &Arguments) -> TokenStream {
    let bench = internal("bench");
    let made = tool_types(attributes, arguments)
        .into_iter()
        .map(|ty| quote_spanned!(ty.span()=> ::arrakis::Bench::tool::<#ty>(#bench)?,));
    quote!(|#bench: &::arrakis::Bench| ::core::result::Result::Ok::<_, ::arrakis::Error>((#(#made)*)))
}

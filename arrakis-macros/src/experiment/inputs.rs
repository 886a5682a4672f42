//! The inputs of a call: what the record keeps of them, and the body's own variables.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Expr, ExprClosure, Ident, Pat, PatIdent, Token};

use super::internal::internal;

/// A variable that an argument binds, and that a record keeps.
pub(crate) struct Input {
    pub(crate) name: Ident,
    mutable: Option<Token![mut]>,
    /// The `#[cfg(..)]` of the argument.
    pub(crate) conditions: Vec<Attribute>,
    /// Its `#[allow(..)]` and other levels of lints.
    lints: Vec<Attribute>,
}

impl Input {
    /// The variables of an argument without those that begin with `_`. Their `mut` and the argument's lints move into
    /// the body.
    pub(crate) fn take(pat: &mut Pat, attrs: &mut Vec<Attribute>) -> Vec<Self> {
        let conditions: Vec<Attribute> = attrs.iter().filter(|attr| is_condition(attr)).cloned().collect();
        let lints = attrs.extract_if(.., |attr| is_lint(attr)).collect();
        let mut found = Names { conditions, lints, inputs: Vec::new() };
        found.visit_pat_mut(pat);
        found.inputs
    }

    /// `#[cfg(..)] ("name", shown)`
    pub(crate) fn shown(&self) -> TokenStream {
        let Self { name, conditions, .. } = self;
        let text = name.unraw().to_string();
        quote!(#(#conditions)* (#text, (&&&&&&__arrakis::Probe(&#name)).arrakis_shown()))
    }

    /// `let mut name = name;` in the body. A variable that is read for the record alone is unused, and one that is
    /// assigned to without effect is the body's own, so that rustc says so. What an option reads is used.
    fn moved(&self, body: &Group, options: &TokenStream) -> Option<TokenStream> {
        let Self { name, mutable, conditions, lints } = self;
        let used = mentions(body.stream(), name) || mentions(options.clone(), name);
        let needed = mutable.is_some() || !lints.is_empty() || !used;
        needed.then(|| quote!(#(#conditions)* #(#lints)* let #mutable #name = #name;))
    }

    /// `let name = ..;` with an option's own copy, if the option reads this input: the body may move the original.
    fn own(&self, option: &TokenStream) -> Option<TokenStream> {
        let (Self { name, conditions, .. }, copy) = (self, self.copy(option)?);
        Some(quote!(#(#conditions)* #[allow(unused_variables)] let #name = #copy;))
    }

    /// The same in two parts, for an option that is computed after the body: the copy, and the variable.
    fn kept(&self, option: &TokenStream) -> Option<(TokenStream, TokenStream)> {
        let (Self { name, conditions, .. }, copy) = (self, self.copy(option)?);
        let kept = internal(&name.unraw().to_string());
        Some((
            quote!(#(#conditions)* let #kept = #copy;),
            quote!(#(#conditions)* #[allow(unused_variables)] let #name = #kept;),
        ))
    }

    fn copy(&self, option: &TokenStream) -> Option<TokenStream> {
        let name = &self.name;
        mentions(option.clone(), name).then(|| quote!((&&&__arrakis::Probe(&#name)).arrakis_own()))
    }
}

/// A closure takes its copies with it, because it is called later.
pub(crate) fn moving(option: &Expr) -> Expr {
    match option {
        Expr::Closure(closure) => {
            let capture = Some(Token![move](closure.or1_token.span));
            Expr::Closure(ExprClosure { capture, ..closure.clone() })
        }
        other => other.clone(),
    }
}

/// An expression of an option, with its own copies of the inputs that it reads.
pub(crate) fn with_own(inputs: &[Input], option: TokenStream) -> TokenStream {
    let own: Vec<TokenStream> = inputs.iter().filter_map(|input| input.own(&option)).collect();
    if own.is_empty() { option } else { quote!({ #(#own)* #option }) }
}

/// The same for an expression that is computed after the body: the copies, and the expression.
pub(crate) fn with_kept(inputs: &[Input], option: TokenStream) -> (TokenStream, TokenStream) {
    let (kept, own): (Vec<_>, Vec<_>) = inputs.iter().filter_map(|input| input.kept(&option)).unzip();
    let option = if own.is_empty() { option } else { quote!({ #(#own)* #option }) };
    (quote!(#(#kept)*), option)
}

/// The body, with the inputs that it needs as variables of its own. `options` are what the attributes read.
pub(crate) fn body_with(inputs: &[Input], body: &Group, options: &TokenStream) -> Group {
    let moved: Vec<TokenStream> = inputs.iter().filter_map(|input| input.moved(body, options)).collect();
    if moved.is_empty() {
        return body.clone();
    }
    let stream = body.stream();
    let mut group = Group::new(body.delimiter(), quote!(#(#moved)* #stream));
    group.set_span(body.span());
    group
}

pub(super) fn is_condition(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr")
}

fn is_lint(attr: &Attribute) -> bool {
    ["allow", "expect", "warn", "deny", "forbid"].iter().any(|level| attr.path().is_ident(level))
}

/// Whether tokens name a variable, also inside a string such as `"{name}"`.
fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    let formatted = format!("{{{}", name.unraw());
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Literal(literal) => literal.to_string().contains(&formatted),
        TokenTree::Punct(_) => false,
    })
}

struct Names {
    conditions: Vec<Attribute>,
    lints: Vec<Attribute>,
    inputs: Vec<Input>,
}

impl VisitMut for Names {
    fn visit_pat_ident_mut(&mut self, node: &mut PatIdent) {
        if !node.ident.to_string().starts_with('_') {
            let mutable = if node.by_ref.is_none() { node.mutability.take() } else { None };
            let (conditions, lints) = (self.conditions.clone(), self.lints.clone());
            self.inputs.push(Input { name: node.ident.clone(), mutable, conditions, lints });
        }
        visit_mut::visit_pat_ident_mut(self, node);
    }
}

#[cfg(test)]
mod tests {
    use syn::{FnArg, parse_quote};

    use super::*;

    fn inputs(arg: FnArg) -> (Vec<Input>, String) {
        let FnArg::Typed(mut typed) = arg else { panic!("a typed argument") };
        let inputs = Input::take(&mut typed.pat, &mut typed.attrs);
        (inputs, quote!(#typed).to_string())
    }

    fn body(inputs: &[Input], text: &str) -> String {
        body_with(inputs, &syn::parse_str(text).unwrap(), &quote!(option)).to_string()
    }

    #[test]
    fn every_variable_of_a_pattern_is_an_input_and_mut_belongs_to_the_body() {
        let (inputs, left) = inputs(parse_quote!((mut a, _b, ref c): (u8, u8, u8)));
        let names: Vec<String> = inputs.iter().map(|input| input.name.to_string()).collect();
        assert_eq!((names, left.as_str()), (vec!["a".into(), "c".into()], "(a , _b , ref c) : (u8 , u8 , u8)"));
        assert_eq!(body(&inputs, "{ a + c }"), "{ let mut a = a ; a + c }");
    }

    #[test]
    fn an_input_that_the_body_does_not_name_is_its_own() {
        let (inputs, _) = inputs(parse_quote!(x: u8));
        assert_eq!(body(&inputs, "{ 3 }"), "{ let x = x ; 3 }");
        for used in ["{ f(x) }", "{ f!(x) }", "{ println!(\"{x:?}\") }"] {
            assert!(!body(&inputs, used).contains("let"), "{used}");
        }
    }

    #[test]
    fn an_option_reads_its_own_copies() {
        let (inputs, _) = inputs(parse_quote!((a, option): (u8, u8)));
        assert_eq!(with_own(&inputs, quote!(f(b))).to_string(), "f (b)");
        assert!(with_own(&inputs, quote!(f(a))).to_string().contains("let a = "));
        let (kept, option) = with_kept(&inputs, quote!(f(a)));
        assert!(kept.to_string().starts_with("let a = "));
        assert!(option.to_string().ends_with("let a = a ; f (a) }"));
        assert_eq!(body(&inputs, "{ 3 }"), "{ let a = a ; 3 }");
    }

    #[test]
    fn conditions_stay_on_the_argument_and_lints_move() {
        let (inputs, left) = inputs(parse_quote!(#[cfg(a)] #[expect(unused)] r#type: u8));
        assert_eq!(left, "# [cfg (a)] r#type : u8");
        assert_eq!(body(&inputs, "{ r#type }"), "{ # [cfg (a)] # [expect (unused)] let r#type = r#type ; r#type }");
        assert!(inputs[0].shown().to_string().starts_with("# [cfg (a)] (\"type\""));
    }
}

//! A call of a module inside the segment of its path.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Expr, ExprMethodCall, Ident, parse_quote};

use super::patterns::is_conditional;
use super::place::Segment;
use super::steady::{is_fixed, is_steady, runs_nothing};
use crate::krate::hooks;

/// The call with its arguments evaluated first and its segment entered around it.
///
/// Rust evaluates an index of the receiver before the arguments. If anything is evaluated before the segment is entered,
/// the indices are evaluated first of all. Arguments that run no module stay in place: moving them would lose a reborrow
/// or a closure's types.
pub(crate) fn entered(call: &mut ExprMethodCall, mut segment: Segment, in_closure: bool) -> Expr {
    let (mut names, mut values, mut arguments): (Vec<Ident>, Vec<Expr>, Vec<Expr>) = Default::default();
    for (at, argument) in call.args.iter().enumerate() {
        if runs_nothing(argument) {
            arguments.push(argument.clone());
        } else {
            let name = format_ident!("__arrakis_arg{at}");
            arguments.push(parse_quote!(#name));
            names.push(name);
            values.push(argument.clone());
        }
    }
    let mut indices = Vec::new();
    find_indices(&mut call.receiver, &mut indices);
    if !values.is_empty() || indices.iter().any(|index| !is_steady(index)) {
        let (first_names, first_values) = hoisted(indices, &mut segment);
        names.splice(0..0, first_names);
        values.splice(0..0, first_values);
    }
    let (attributes, receiver, method, turbofish) = (&call.attrs, &call.receiver, &call.method, &call.turbofish);
    let enter = scope(&segment, in_closure);
    parse_quote! {
        #(#attributes)*
        match (#(#values,)*) {
            (#(#names,)*) => {
                let __arrakis_scope = #enter;
                #receiver.#method #turbofish (#(#arguments),*)
            }
        }
    }
}

/// A closure may run in the scope of another module, so it enters the whole path.
fn scope(segment: &Segment, in_closure: bool) -> TokenStream {
    let (path, hooks) = (segment.tokens(), hooks());
    if in_closure { quote!(#hooks::enter_in(__arrakis_call, #path)) } else { quote!(#hooks::enter(#path)) }
}

/// Replaces the indices of a receiver by variables, in the receiver and in its path.
fn hoisted(indices: Vec<&mut Expr>, segment: &mut Segment) -> (Vec<Ident>, Vec<Expr>) {
    let (mut names, mut values) = (Vec::new(), Vec::new());
    let first = segment.holes.len() - indices.len();
    for (at, index) in indices.into_iter().enumerate() {
        if is_fixed(index) {
            continue;
        }
        let name = format_ident!("__arrakis_index{at}");
        let value: Expr = parse_quote!(#name);
        values.push(std::mem::replace(index, value.clone()));
        segment.holes[first + at] = value;
        names.push(name);
    }
    (names, values)
}

/// The indices of a receiver, in the order in which they are evaluated.
fn find_indices<'a>(receiver: &'a mut Expr, found: &mut Vec<&'a mut Expr>) {
    match receiver {
        Expr::Index(item) => {
            find_indices(&mut item.expr, found);
            found.push(&mut item.index);
        }
        Expr::Field(field) => find_indices(&mut field.base, found),
        Expr::MethodCall(call) => find_indices(&mut call.receiver, found),
        Expr::Reference(inner) => find_indices(&mut inner.expr, found),
        Expr::Paren(inner) => find_indices(&mut inner.expr, found),
        Expr::Group(inner) => find_indices(&mut inner.expr, found),
        Expr::Unary(inner) => find_indices(&mut inner.expr, found),
        Expr::Try(inner) => find_indices(&mut inner.expr, found),
        _ => {}
    }
}

/// Whether every index that a variable brings to a path can be evaluated again.
pub(crate) fn is_steady_path(receiver: &Expr, segment: &Segment) -> bool {
    let (mut receiver, mut own) = (receiver.clone(), Vec::new());
    find_indices(&mut receiver, &mut own);
    segment.holes[..segment.holes.len() - own.len()].iter().all(is_steady)
}

/// Whether a function puts its argument on the heap.
pub(crate) fn is_box(function: &Expr) -> bool {
    let Expr::Path(path) = function else { return false };
    let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    matches!(names.as_slice(), [.., "Box" | "Rc" | "Arc", "new"])
}

/// An argument under a `#[cfg]` that would be evaluated inside the segment.
pub(crate) fn conditional_argument(call: &ExprMethodCall) -> Option<&Expr> {
    call.args.iter().find(|argument| is_conditional(super::attributes::of(argument)) && !runs_nothing(argument))
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;

    use super::*;
    use crate::hooked::names::Names;
    use crate::hooked::place::Place;

    fn entered_as(text: &str) -> String {
        let method: syn::ImplItemFn = syn::parse_str("fn forward(&self) {}").unwrap();
        let Ok(Expr::MethodCall(mut call)) = syn::parse_str(text) else { panic!("{text}") };
        let Place::Part(segment) = Names::of(&method).place(&call.receiver) else { panic!("{text} has no path") };
        entered(&mut call, segment, false).to_token_stream().to_string().replace(' ', "")
    }

    #[test]
    fn an_index_is_evaluated_before_the_arguments_and_once() {
        let expanded = entered_as("self.d[next()].forward(self.n.forward(x), y)");
        assert!(
            expanded.starts_with("match(next(),self.n.forward(x),){(__arrakis_index0,__arrakis_arg0,)=>"),
            "{expanded}"
        );
        assert!(expanded.contains(r#"format_args!("d.{}",__arrakis_index0)"#), "{expanded}");
        assert!(expanded.contains("self.d[__arrakis_index0].forward(__arrakis_arg0,y)"), "{expanded}");
    }

    #[test]
    fn what_runs_nothing_stays_in_place() {
        let expanded = entered_as("self.d[i].forward(x, &mut y)");
        assert!(expanded.starts_with("match(){()=>"), "{expanded}");
        assert!(expanded.ends_with("self.d[i].forward(x,&muty)}}"), "{expanded}");
        assert!(entered_as("#[cfg(a)] self.a.forward(f())").starts_with("#[cfg(a)]match"));
    }
}

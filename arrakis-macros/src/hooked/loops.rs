//! `for` loops over the modules of a list: the path of each item has its index.

use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Expr, ExprForLoop, ExprMethodCall, Ident, Pat, parse_quote};

use super::kept::Kept;
use super::names::Names;
use super::patterns::How;
use super::place::{Place, Segment};
use crate::krate::hooks_at;

/// Methods after `enumerate()` that keep index and item together.
const AFTER_ENUMERATE: [&str; 7] = ["rev", "skip", "take", "step_by", "filter", "skip_while", "take_while"];

const ALWAYS: How = How { always: true, conditional: false };

/// What a loop runs over.
#[allow(clippy::large_enum_variant, reason = "one per loop, rarely moved")]
pub(crate) enum Looped {
    /// The items of a list. We add a variable that counts them.
    Counted(Place, Ident),
    /// The items of a list that the loop itself counts. Our variable is a copy that the body cannot shadow.
    Enumerated { place: Place, index: Pat, ours: Ident, item: Pat },
    /// Items of a list whose index is lost.
    Indexless(Place),
    /// Not a list of `self`.
    Other { skippable: bool },
}

/// The error for a list whose items lost their index.
pub(crate) fn needs_index(list: &Segment) -> String {
    let list = list.shown();
    format!(
        "the path of a site needs the index in `{list}`: write `for (i, item) in self.{list}.iter().enumerate()`, with `skip`, `take` or `rev` after it"
    )
}

/// The error for a closure that gets the items of a list, or the module of an option.
pub(crate) fn needs_loop(list: &Segment) -> String {
    let name = list.shown();
    format!(
        "the path of a site needs to know which item of `{name}` a closure gets: write `for (i, item) in self.{name}.iter().enumerate()` for a list, `if let Some(item) = &self.{name}` for an option"
    )
}

/// What a loop iterates over, from its expression and pattern, and the indices that its path keeps.
pub(crate) fn over(names: &mut Names, node: &ExprForLoop) -> (Looped, Vec<Kept>) {
    let Some((list, methods)) = chain(names, &node.expr) else {
        let looped = Looped::Other { skippable: !super::parts::any_in(names, &node.expr) };
        return (looped, Vec::new());
    };
    let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
    let iterates = |method: &&str| matches!(*method, "iter" | "iter_mut" | "into_iter");
    let ours = names.fresh("at");
    if methods.iter().all(iterates) {
        let (place, kept) = names.keep_segment(list.item(parse_quote!(#ours)));
        return (Looped::Counted(place, ours), kept);
    }
    if let (["iter" | "iter_mut" | "into_iter", "enumerate", after @ ..], Pat::Tuple(tuple)) =
        (&methods[..], &*node.pat)
        && after.iter().all(|method| AFTER_ENUMERATE.contains(method))
        && let (Some(index @ (Pat::Ident(_) | Pat::Wild(_))), Some(item), 2) =
            (tuple.elems.first(), tuple.elems.get(1), tuple.elems.len())
    {
        let (place, kept) = names.keep_segment(list.item(parse_quote!(#ours)));
        return (Looped::Enumerated { place, index: index.clone(), ours, item: item.clone() }, kept);
    }
    (Looped::Indexless(Place::lost(needs_index(&list), &node.expr)), Vec::new())
}

impl Looped {
    /// The loop's variables, as its body sees them.
    pub(crate) fn bind(&self, names: &mut Names, pat: &Pat) {
        match self {
            Self::Counted(place, _) => names.bind(pat, place, ALWAYS),
            Self::Enumerated { place, item, index, .. } => {
                names.bind(index, &Place::Unknown { skippable: true }, ALWAYS);
                names.bind(item, place, ALWAYS);
            }
            Self::Indexless(place) => {
                for name in super::names::variables(pat) {
                    names.push(&name, place.clone(), false, false);
                }
            }
            Self::Other { skippable } => names.bind(pat, &Place::Unknown { skippable: *skippable }, ALWAYS),
        }
    }

    /// Adds the counting to the loop, if a path in its body uses it.
    pub(crate) fn count(&self, names: &Names, node: &mut ExprForLoop) -> bool {
        match self {
            Self::Counted(_, ours) if names.is_used(ours) => {
                let (pat, expr) = (&node.pat, &node.expr);
                let numbered: Expr = listed(expr);
                let both: Pat = parse_quote!((#ours, #pat));
                *node.expr = parse_quote!(#numbered.into_iter().enumerate());
                *node.pat = both;
                true
            }
            Self::Enumerated { index, ours, .. } if names.is_used(ours) => {
                if let Some(call) = enumerate(&mut node.expr) {
                    *call.receiver = listed(&call.receiver);
                }
                match (index, &mut *node.pat) {
                    (Pat::Ident(index), _) => {
                        let name = &index.ident;
                        node.body.stmts.insert(0, parse_quote!(let #ours = #name;));
                    }
                    (_, Pat::Tuple(both)) => both.elems[0] = parse_quote!(#ours),
                    _ => {}
                }
                true
            }
            _ => false,
        }
    }
}

/// The same items, which the compiler refuses for what has no index.
fn listed(items: &Expr) -> Expr {
    let hooks = hooks_at(items.span());
    let listed = quote_spanned!(items.span()=> #hooks::Slot(#items).arrakis_items());
    parse_quote!(#listed)
}

/// The call of `enumerate` in a chain of methods.
fn enumerate(expr: &mut Expr) -> Option<&mut ExprMethodCall> {
    match expr {
        Expr::MethodCall(call) => {
            if call.method == "enumerate" {
                Some(call)
            } else {
                enumerate(&mut call.receiver)
            }
        }
        Expr::Paren(inner) => enumerate(&mut inner.expr),
        _ => None,
    }
}

/// The list of `self` that a chain of methods starts from: `self.name.iter().map(..)` gives `name`.
pub(crate) fn list_of(names: &Names, expr: &Expr) -> Option<Segment> {
    chain(names, expr).map(|(list, _)| list)
}

/// The part of `self` a chain starts from, and its methods: `self.name.iter().enumerate()` gives `name` with both.
fn chain(names: &Names, expr: &Expr) -> Option<(Segment, Vec<String>)> {
    match expr {
        Expr::Reference(reference) => chain(names, &reference.expr),
        Expr::Paren(inner) => chain(names, &inner.expr),
        Expr::MethodCall(call) if !matches!(names.place(expr), Place::Part(_)) => {
            let (list, mut methods) = chain(names, &call.receiver)?;
            methods.push(call.method.to_string());
            Some((list, methods))
        }
        // A part of a list is counted from elsewhere.
        Expr::Index(index) if matches!(&*index.index, Expr::Range(_)) => {
            let (list, mut methods) = chain(names, &index.expr)?;
            methods.push("index".into());
            Some((list, methods))
        }
        other => match names.place(other) {
            Place::Part(list) => Some((list, Vec::new())),
            _ => None,
        },
    }
}

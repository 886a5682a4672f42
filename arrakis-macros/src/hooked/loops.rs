//! `for` loops over the modules of a list: the path of each item has its index.

use quote::format_ident;
use syn::{Expr, ExprForLoop, Ident, Pat, parse_quote};

use super::place::{Names, Place, Segment};

/// Methods after `enumerate()` that keep index and item together.
const AFTER_ENUMERATE: [&str; 7] = ["rev", "skip", "take", "step_by", "filter", "skip_while", "take_while"];

/// What a loop runs over.
#[allow(clippy::large_enum_variant, reason = "one per loop, rarely moved")]
pub(crate) enum Looped {
    /// The items of a list. We add a variable that counts them.
    Counted(Segment, Ident),
    /// The items of a list that the loop itself counts. Our variable is a copy that the body cannot shadow.
    Enumerated { segment: Segment, index: Ident, ours: Ident, item: Pat },
    /// Items of a list whose index is lost.
    Indexless(Place),
    /// Not a list of `self`.
    Other,
}

/// The error for a list whose items lost their index.
pub(crate) fn needs_index(list: &str) -> String {
    format!(
        "the path of a site needs the index in `{list}`: write `for (i, item) in self.{list}.iter().enumerate()`, with `skip`, `take` or `rev` after it"
    )
}

/// What a loop iterates over, from its expression and pattern.
pub(crate) fn over(names: &Names, node: &ExprForLoop) -> Looped {
    let Some((list, methods)) = chain(names, &node.expr) else { return Looped::Other };
    let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
    let iterates = |method: &&str| matches!(*method, "iter" | "iter_mut" | "into_iter");
    if methods.iter().all(iterates) {
        let ours = format_ident!("__arrakis_at{}", names.depth());
        return Looped::Counted(list, ours);
    }
    if let (["iter" | "iter_mut" | "into_iter", "enumerate", after @ ..], Pat::Tuple(tuple)) =
        (&methods[..], &*node.pat)
        && after.iter().all(|method| AFTER_ENUMERATE.contains(method))
        && let (Some(Pat::Ident(index)), Some(item), 2) = (tuple.elems.first(), tuple.elems.get(1), tuple.elems.len())
    {
        let ours = format_ident!("__arrakis_at{}", names.depth());
        return Looped::Enumerated { segment: list, index: index.ident.clone(), ours, item: item.clone() };
    }
    Looped::Indexless(Place::Indexless(list.text().to_owned(), node.expr.clone()))
}

impl Looped {
    /// The loop's variables, as its body sees them.
    pub(crate) fn bind(&self, names: &mut Names, pat: &Pat) {
        match self {
            Self::Counted(segment, ours) => names.bind(pat, &Place::Part(segment.clone().item(parse_quote!(#ours)))),
            Self::Enumerated { segment, ours, item, index } => {
                names.bind(&parse_quote!(#index), &Place::Unknown);
                names.bind(item, &Place::Part(segment.clone().item(parse_quote!(#ours))));
            }
            Self::Indexless(place) => {
                for name in super::place::variables(pat) {
                    names.bind(&parse_quote!(#name), place);
                }
            }
            Self::Other => names.bind(pat, &Place::Unknown),
        }
    }

    /// Adds the counting to the loop.
    pub(crate) fn count(&self, node: &mut ExprForLoop) {
        match self {
            Self::Counted(_, ours) => {
                let (pat, expr) = (&node.pat, &node.expr);
                let numbered: Expr = parse_quote!((#expr).into_iter().enumerate());
                let both: Pat = parse_quote!((#ours, #pat));
                *node.pat = both;
                *node.expr = numbered;
            }
            Self::Enumerated { index, ours, .. } => {
                node.body.stmts.insert(0, parse_quote!(let #ours = #index;));
            }
            Self::Indexless(_) | Self::Other => {}
        }
    }
}

/// The part of `self` a chain starts from, and its methods: `self.name.iter().enumerate()` gives `name` with both.
fn chain(names: &Names, expr: &Expr) -> Option<(Segment, Vec<String>)> {
    match expr {
        Expr::Reference(reference) => chain(names, &reference.expr),
        Expr::Paren(inner) => chain(names, &inner.expr),
        Expr::MethodCall(call) => {
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

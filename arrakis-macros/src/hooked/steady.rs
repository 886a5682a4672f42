//! What the code of an expression says about its value.

use syn::{BinOp, Expr};

/// Methods without side effects that an index may call.
const PURE: [&str; 9] =
    ["len", "clone", "min", "max", "saturating_sub", "saturating_add", "abs_diff", "as_str", "as_ref"];

/// Whether an index can be written twice with the same meaning.
pub(crate) fn is_steady(index: &Expr) -> bool {
    match index {
        Expr::Lit(_) | Expr::Path(_) => true,
        Expr::Field(field) => is_steady(&field.base),
        Expr::Paren(inner) => is_steady(&inner.expr),
        Expr::Group(inner) => is_steady(&inner.expr),
        Expr::Cast(inner) => is_steady(&inner.expr),
        Expr::Unary(inner) => is_steady(&inner.expr),
        Expr::Reference(inner) => inner.mutability.is_none() && is_steady(&inner.expr),
        Expr::Index(item) => is_steady(&item.expr) && is_steady(&item.index),
        Expr::Binary(both) => !is_assignment(both.op) && is_steady(&both.left) && is_steady(&both.right),
        Expr::MethodCall(call) => {
            PURE.contains(&call.method.to_string().as_str())
                && is_steady(&call.receiver)
                && call.args.iter().all(is_steady)
        }
        _ => false,
    }
}

/// Whether an index never changes: a literal, a constant, or a variable of ours.
pub(crate) fn is_fixed(index: &Expr) -> bool {
    match index {
        Expr::Lit(_) => true,
        Expr::Path(path) => path.path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            name.starts_with("__arrakis_") || name.starts_with(char::is_uppercase)
        }),
        _ => false,
    }
}

pub(crate) fn is_assignment(op: BinOp) -> bool {
    use BinOp::{
        AddAssign, BitAndAssign, BitOrAssign, BitXorAssign, DivAssign, MulAssign, RemAssign, ShlAssign, ShrAssign,
        SubAssign,
    };
    matches!(
        op,
        AddAssign(_)
            | SubAssign(_)
            | MulAssign(_)
            | DivAssign(_)
            | RemAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | BitXorAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}

/// Whether no module can run while an argument is evaluated.
pub(crate) fn runs_nothing(argument: &Expr) -> bool {
    match argument {
        Expr::Path(_) | Expr::Lit(_) | Expr::Closure(_) => true,
        Expr::Field(inner) => runs_nothing(&inner.base),
        Expr::Reference(inner) => runs_nothing(&inner.expr),
        Expr::Unary(inner) => runs_nothing(&inner.expr),
        Expr::Paren(inner) => runs_nothing(&inner.expr),
        _ => false,
    }
}

/// Whether an expression is certainly no float tensor: a literal, a reference, a closure, a comparison, a length.
pub(crate) fn is_no_tensor(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(_)
        | Expr::Reference(_)
        | Expr::Closure(_)
        | Expr::Range(_)
        | Expr::Cast(_)
        | Expr::Array(_)
        | Expr::Tuple(_)
        | Expr::Repeat(_) => true,
        Expr::Paren(inner) => is_no_tensor(&inner.expr),
        Expr::Binary(both) => matches!(
            both.op,
            BinOp::And(_)
                | BinOp::Or(_)
                | BinOp::Eq(_)
                | BinOp::Ne(_)
                | BinOp::Lt(_)
                | BinOp::Le(_)
                | BinOp::Gt(_)
                | BinOp::Ge(_)
        ),
        Expr::MethodCall(call) => {
            call.args.is_empty() && matches!(call.method.to_string().as_str(), "dims" | "shape" | "len" | "is_some")
        }
        _ => false,
    }
}

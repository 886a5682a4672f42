//! Whether a literal can be the value of an option. What is not a literal has a type, which rustc checks.

use quote::ToTokens;
use syn::{Expr, Lit, UnOp};

use super::{Known, Takes};

/// Refuses a literal that the option cannot take, at the literal, with a literal that it takes.
pub(super) fn check(known: &Known, value: &Expr) -> syn::Result<()> {
    let Some((literal, negative)) = literal(value) else { return Ok(()) };
    let wrong = match known.takes {
        Takes::Anything => None,
        Takes::Bench => Some(("a bench", "Bench::embedded()".into())),
        Takes::Text => (!matches!(literal, Lit::Str(_))).then(|| ("a text", "\"..\"".into())),
        Takes::Texts => Some(("a list of texts", "[\"..\"]".into())),
        Takes::Wholes => Some(("a list of whole numbers", "[0]".into())),
        Takes::Whole => whole(literal, negative),
        Takes::Number => number(literal).is_none().then(|| ("a number", "0.1".into())),
        Takes::Probability => {
            let fits = number(literal).is_some_and(|number| !negative && number > 0.0 && number < 1.0);
            (!fits).then(|| ("a probability, between 0 and 1", "0.05".into()))
        }
        Takes::Argument => Some(("an argument of the function, without quotes", "pairs".into())),
        Takes::Truth => (!matches!(literal, Lit::Bool(_))).then(|| ("a truth value", "true".into())),
        Takes::VariantOf(kind) => Some(("a name without quotes", format!("{kind}::.."))),
    };
    wrong.map_or(Ok(()), |(what, example)| {
        let name = known.name;
        Err(syn::Error::new_spanned(value, format!("`{name}` is {what}: `{name} = {example}`")))
    })
}

/// The literal that an expression consists of, and whether it has a minus.
fn literal(value: &Expr) -> Option<(&Lit, bool)> {
    match value {
        Expr::Lit(literal) => Some((&literal.lit, false)),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => Some((literal(&unary.expr)?.0, true)),
        Expr::Paren(inner) => literal(&inner.expr),
        Expr::Group(inner) => literal(&inner.expr),
        _ => None,
    }
}

fn whole(literal: &Lit, negative: bool) -> Option<(&'static str, String)> {
    let what = "a whole number that is not negative";
    match literal {
        Lit::Int(_) if !negative => None,
        Lit::Float(_) => {
            let meant = number(literal).filter(|number| !negative && number.fract() == 0.0 && *number < 1e15);
            Some((what, meant.map_or_else(|| "7".into(), |number| format!("{number:.0}"))))
        }
        _ => Some((what, "7".into())),
    }
}

fn number(literal: &Lit) -> Option<f64> {
    match literal {
        Lit::Int(int) => int.base10_parse().ok(),
        Lit::Float(float) => float.base10_parse().ok(),
        _ => None,
    }
}

/// Whether a text that has no name would fit, so that `"heads"` can be answered with `name = "heads"`.
pub(super) fn text_option(options: &'static [Known], text: &impl ToTokens) -> Option<String> {
    let known = options.iter().find(|known| known.takes == Takes::Text)?;
    Some(format!("`{} = {}`", known.name, text.to_token_stream()))
}

//! Numbers that are not finite, refused with the place where they first occur.

use arrakis_models::{Activation, HookedTransformer, Tokens};

use crate::error::{Error, Result};

/// What to do about a number that is not finite.
const ADVICE: &str = "look for the first site that is not finite with `run_with_cache(prompt, [\"*\"])` under the same edits, or check the weights";

/// The error of a number that is not finite at a place.
pub(crate) fn error(tool: &'static str, what: &str, place: &str, value: f64) -> Error {
    Error::NotFinite { tool, what: what.to_owned(), value, place: place.to_owned(), fix: ADVICE.to_owned() }
}

/// Checks a number of an unedited run. If it is not finite, the error names the first site that is not.
pub(crate) fn check(
    tool: &'static str,
    model: &HookedTransformer,
    tokens: &Tokens,
    what: &str,
    value: f64,
) -> Result<()> {
    if value.is_finite() { Ok(()) } else { Err(refused(tool, model, tokens, what, value)) }
}

/// The error of a number of an unedited run that is not finite, with the first site that is not.
pub(crate) fn refused(tool: &'static str, model: &HookedTransformer, tokens: &Tokens, what: &str, value: f64) -> Error {
    match first(model, tokens) {
        Some(place) => Error::NotFinite {
            tool,
            what: what.to_owned(),
            value,
            place: format!("the end of a run whose first site that is not finite is {place}"),
            fix: "check the weights that site is computed from".to_owned(),
        },
        None => error(tool, what, "the end of the unedited run", value),
    }
}

/// Checks many numbers of an unedited run.
pub(crate) fn check_all(
    tool: &'static str,
    model: &HookedTransformer,
    tokens: &Tokens,
    what: &str,
    values: &[f64],
) -> Result<()> {
    let bad = values.iter().find(|value| !value.is_finite());
    bad.map_or(Ok(()), |value| check(tool, model, tokens, what, *value))
}

/// Checks numbers that a tool computes from weights without a run, such as norms by head.
pub(crate) fn check_weights(tool: &'static str, what: &str, values: &[f64]) -> Result<()> {
    match values.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(value) => Err(Error::NotFinite {
            tool,
            what: what.to_owned(),
            value: *value,
            place: "the model's weights".to_owned(),
            fix: "check the checkpoint; `arrakis inspect` lists its tensors".to_owned(),
        }),
    }
}

/// The first site of an unedited run that is not finite, in the order of computation, and the index there.
fn first(model: &HookedTransformer, tokens: &Tokens) -> Option<String> {
    let (_, cache) = model.run_with_cache(tokens, ["*"]).ok()?;
    cache.iter().find_map(|(site, activation)| {
        let index = activation.to_vec().ok()?.iter().position(|value| is_fault(*value))?;
        Some(format!("`{site}`{}", slot(activation, index)))
    })
}

/// Whether a value is wrong. Minus infinity is not: masked attention scores have it.
fn is_fault(value: f32) -> bool {
    value.is_nan() || value == f32::INFINITY
}

/// Where a flat index lies along a tensor's first two axes.
fn slot(activation: &Activation, index: usize) -> String {
    match activation.dims() {
        [_, pos, rest @ ..] => {
            let inner = rest.iter().product::<usize>().max(1);
            let slot = index / inner;
            format!(" (row {}, index {} of its second axis)", slot / pos.max(&1), slot % pos.max(&1))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::not_finite;

    #[test]
    fn the_first_site_is_named() {
        let model = not_finite();
        let tokens = Tokens::new(vec![vec![1, 2, 3]]).unwrap();
        let error = check("test", &model, &tokens, "the metric", f64::NAN).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "test: the metric is NaN at the end of a run whose first site that is not finite is `blocks.0."
            ),
            "{error}"
        );
        assert!(error.ends_with("check the weights that site is computed from"), "{error}");
        assert!(check("test", &model, &tokens, "the metric", 1.0).is_ok());
    }
}

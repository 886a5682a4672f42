//! Words for a name that is not an option.

use super::{ALL, Attribute, Form, Known};

/// The error for a name that is not an option of the attribute. It says, by what fits first:
///
/// - that the name is an attribute of its own
/// - which attribute has an option of this name
/// - the nearest option
/// - all options
pub(crate) fn unknown(name: &str, attribute: &Attribute) -> String {
    let here = attribute.shown();
    if let Some(other) = ALL.iter().find(|other| other.name == name) {
        let name = other.name;
        return format!("`{name}` is an attribute: write `#[{name}]` above the function, not inside {here}");
    }
    let elsewhere: Vec<String> =
        ALL.iter().filter(|other| other.find(name).is_some()).map(|other| other.shown()).collect();
    if !elsewhere.is_empty() {
        return format!("`{name}` is an option of {}, not of {here}", joined(&elsewhere));
    }
    let fix = match (nearest(name, attribute), attribute.options) {
        (Some(known), _) => format!("did you mean {}?", known.usage()),
        (None, [only]) => format!("the only option is {}", only.usage()),
        (None, options) => {
            format!("the options are {}", joined(&options.iter().map(Known::usage).collect::<Vec<String>>()))
        }
    };
    format!("`{name}` is not an option of {here}; {fix}")
}

/// Whether a name that is not an option of the attribute is known or nearly known, so that it is not that of a plot.
pub(super) fn is_known(name: &str, attribute: &Attribute) -> bool {
    let elsewhere = ALL.iter().any(|other| other.name == name || other.find(name).is_some());
    elsewhere || nearest(name, attribute).is_some()
}

/// The option of the attribute that is meant by a misspelt name, if one is similar. The name of the field that an
/// option sets is one of its names.
pub(super) fn nearest(name: &str, attribute: &Attribute) -> Option<&'static Known> {
    let by_name = likest(name, attribute.options, |known| known.name);
    by_name.or_else(|| {
        attribute.options.iter().find(|known| matches!(known.form, Form::Sets(field) if field == name.to_lowercase()))
    })
}

/// The item whose name is most similar to a misspelt one, in any case, if it is similar; the first of several.
pub(crate) fn likest<'a, T>(name: &str, items: &'a [T], name_of: impl Fn(&'a T) -> &'a str) -> Option<&'a T> {
    let name = name.to_lowercase();
    let likeness = |item: &&'a T| strsim::normalized_damerau_levenshtein(&name, name_of(item));
    let best = items.iter().rev().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.5).then_some(best)
}

/// `a`, `b` and `c`.
fn joined(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

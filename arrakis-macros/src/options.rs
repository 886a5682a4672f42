//! Every option of every attribute, one list for each attribute.
//!
//! An option that [`sets`] a field of the runtime's struct needs nothing else in this crate: its value is written into
//! that field.

/// An option of an attribute.
#[derive(Debug)]
pub(crate) struct Known {
    /// The word before the `=` or the bracket.
    pub(crate) name: &'static str,
    pub(crate) form: Form,
}

/// How an option is written, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `name = value`, written into this field of the runtime's struct.
    Sets(&'static str),
    /// `name = value`, which the macro expands itself.
    Value,
    /// `name(a, b)`, which the macro expands itself.
    List,
}

const fn sets(name: &'static str, field: &'static str) -> Known {
    Known { name, form: Form::Sets(field) }
}

const fn value(name: &'static str) -> Known {
    Known { name, form: Form::Value }
}

const fn list(name: &'static str) -> Known {
    Known { name, form: Form::List }
}

/// `#[log_experiment]`: fields of `Record`.
pub(crate) const LOG: &[Known] = &[value("bench"), sets("name", "name"), sets("seed", "seed"), sets("tags", "tags")];

/// `#[use_tools]`, besides the tools themselves.
pub(crate) const TOOLS: &[Known] = &[value("bench")];

/// `#[plot_results]`: fields of `PlotOptions`.
pub(crate) const PLOT: &[Known] = &[value("bench"), sets("name", "title"), sets("dir", "dir")];

/// `#[profile_model]`.
pub(crate) const PROFILE: &[Known] = &[value("bench")];

/// `#[test_hypothesis]`: fields of `Claim`.
pub(crate) const HYPOTHESIS: &[Known] = &[
    value("bench"),
    list("args"),
    value("null"),
    value("statistic"),
    sets("claim", "statement"),
    sets("metric", "metric"),
    sets("null_name", "null"),
    sets("test", "test"),
    sets("alternative", "alternative"),
    sets("alpha", "alpha"),
    sets("draws", "draws"),
    sets("seed", "seed"),
    sets("comparisons", "comparisons"),
    sets("family", "family"),
    sets("margin", "margin"),
    sets("groups", "groups"),
];

/// `#[hooked]`.
pub(crate) const HOOKED: &[Known] = &[list("inputs"), list("skip")];

impl Known {
    /// As users write it: `seed = ..`, `args(..)`.
    pub(crate) fn usage(&self) -> String {
        match self.form {
            Form::List => format!("`{}(..)`", self.name),
            Form::Sets(_) | Form::Value => format!("`{} = ..`", self.name),
        }
    }
}

/// The option of that name.
pub(crate) fn find(options: &'static [Known], name: &str) -> Option<&'static Known> {
    options.iter().find(|known| known.name == name)
}

/// The error for a name that is not an option: it suggests the nearest option, or lists all.
pub(crate) fn unknown(name: &str, attribute: &str, options: &[Known]) -> String {
    let fix = match nearest(name, options) {
        Some(known) => format!("did you mean {}?", known.usage()),
        None if options.len() == 1 => format!("the only option is {}", options[0].usage()),
        None => {
            let usages: Vec<String> = options.iter().map(Known::usage).collect();
            let (last, first) = usages.split_last().expect("BUG: an attribute has options");
            format!("the options are {} and {last}", first.join(", "))
        }
    };
    format!("`{name}` is not an option of `#[{attribute}]`; {fix}")
}

/// The option most similar to a misspelt name, if one is similar.
pub(crate) fn nearest<'a>(name: &str, options: &'a [Known]) -> Option<&'a Known> {
    let likeness = |known: &&Known| strsim::normalized_damerau_levenshtein(name, known.name);
    let best = options.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.5).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_option_suggests_the_nearest() {
        assert_eq!(
            unknown("sed", "log_experiment", LOG),
            "`sed` is not an option of `#[log_experiment]`; did you mean `seed = ..`?"
        );
        assert_eq!(
            unknown("input", "hooked", HOOKED),
            "`input` is not an option of `#[hooked]`; did you mean `inputs(..)`?"
        );
        assert_eq!(nearest("alternativ", HYPOTHESIS).unwrap().name, "alternative");
    }

    #[test]
    fn an_option_like_no_other_lists_them_all() {
        assert_eq!(
            unknown("colour", "plot_results", PLOT),
            "`colour` is not an option of `#[plot_results]`; the options are `bench = ..`, `name = ..` and `dir = ..`"
        );
        assert_eq!(
            unknown("deep", "profile_model", PROFILE),
            "`deep` is not an option of `#[profile_model]`; the only option is `bench = ..`"
        );
    }

    #[test]
    fn every_option_is_in_its_list_once() {
        for options in [LOG, TOOLS, PLOT, PROFILE, HYPOTHESIS, HOOKED] {
            for known in options {
                assert!(std::ptr::eq(find(options, known.name).unwrap(), known), "{}", known.name);
            }
        }
    }
}

//! Every option of every attribute, one list for each attribute.
//!
//! An option that [`sets`] a field of the runtime's struct needs nothing else in this crate: its value is written into
//! that field, and a wrong form or a wrong literal is reported at its token.

mod names;
mod read;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use names::{likest, unknown};
pub(crate) use read::{Content, Given, end_of_option, read, read_call, skip_to_next};

/// An attribute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// The word inside `#[..]`.
    pub(crate) name: &'static str,
    pub(crate) options: &'static [Known],
    /// Whether a word with a bracket that is not an option names a plot.
    pub(crate) plots: bool,
}

/// An option of an attribute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The word before the `=` or the bracket.
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) takes: Takes,
}

/// How an option is written, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `name = value`, written into this field of the runtime's struct.
    Sets(&'static str),
    /// `name = value`, which the macro expands itself.
    Value,
    /// `name` alone, or `name = value`, which the macro expands itself.
    Flag,
    /// `name(a, b)`, which the macro expands itself.
    List,
    /// `name(a, b)`, where the runtime knows the name.
    Plot,
}

/// Which literals an option takes. Other expressions are left to rustc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Any expression.
    Anything,
    /// A [`Bench`], which has no literal.
    Bench,
    Text,
    Texts,
    Wholes,
    /// A whole number that is not negative.
    Whole,
    Number,
    /// A number between 0 and 1.
    Probability,
    /// The name of an argument of the function.
    Argument,
    /// `true` or `false`.
    Truth,
    /// A variant of this enum of `arrakis::hypothesis`. Its variants are in scope for the value.
    VariantOf(&'static str),
}

const fn sets(name: &'static str, field: &'static str, takes: Takes) -> Known {
    Known { name, form: Form::Sets(field), takes }
}

const fn value(name: &'static str) -> Known {
    Known { name, form: Form::Value, takes: Takes::Anything }
}

const fn list(name: &'static str) -> Known {
    Known { name, form: Form::List, takes: Takes::Anything }
}

const BENCH: Known = Known { name: "bench", form: Form::Value, takes: Takes::Bench };

/// `#[log_experiment]`: fields of `Record`.
pub(crate) const LOG: Attribute = Attribute {
    name: "log_experiment",
    options: &[
        BENCH,
        sets("name", "name", Takes::Text),
        sets("seed", "seed", Takes::Whole),
        sets("tags", "tags", Takes::Texts),
        Known { name: "cache", form: Form::Flag, takes: Takes::VariantOf("Reuse") },
    ],
    plots: false,
};

/// `#[use_tools]`, besides the tools themselves.
pub(crate) const TOOLS: Attribute = Attribute { name: "use_tools", options: &[BENCH], plots: false };

/// `#[plot_results]`: fields of `PlotOptions`.
pub(crate) const PLOT: Attribute = Attribute {
    name: "plot_results",
    options: &[BENCH, sets("name", "title", Takes::Text), sets("dir", "dir", Takes::Text), value("prompt")],
    plots: true,
};

/// A plot inside `#[plot_results(..)]`, whatever its name.
pub(crate) const A_PLOT: Known = Known { name: "", form: Form::Plot, takes: Takes::Anything };

/// The options of a plot: methods of the runtime's `PlotSpec`.
pub(crate) const OF_A_PLOT: Attribute = Attribute {
    name: "plot",
    options: &[
        sets("title", "title", Takes::Text),
        sets("heads", "heads", Takes::Wholes),
        sets("neurons", "neurons", Takes::Wholes),
    ],
    plots: false,
};

/// `#[profile_model]`.
pub(crate) const PROFILE: Attribute = Attribute { name: "profile_model", options: &[BENCH], plots: false };

/// `#[test_hypothesis]`: fields of `Claim`.
pub(crate) const HYPOTHESIS: Attribute = Attribute {
    name: "test_hypothesis",
    options: &[
        BENCH,
        list("args"),
        value("null"),
        value("statistic"),
        sets("claim", "statement", Takes::Text),
        sets("metric", "metric", Takes::Text),
        sets("null_name", "null", Takes::Text),
        sets("test", "test", Takes::VariantOf("Test")),
        sets("alternative", "alternative", Takes::VariantOf("Alternative")),
        sets("alpha", "alpha", Takes::Probability),
        sets("draws", "draws", Takes::Whole),
        sets("seed", "seed", Takes::Whole),
        sets("comparisons", "comparisons", Takes::Whole),
        sets("family", "family", Takes::Text),
        sets("margin", "margin", Takes::Number),
        sets("groups", "groups", Takes::Texts),
        sets("minimum_effect", "minimum_effect", Takes::Number),
        sets("looks", "looks", Takes::Wholes),
        sets("spending", "spending", Takes::VariantOf("Spending")),
        Known { name: "seeds", form: Form::Value, takes: Takes::Whole },
        Known { name: "resample", form: Form::Value, takes: Takes::Argument },
        sets("crossed", "crossed", Takes::Texts),
        sets("nested", "nested", Takes::Texts),
        sets("paired", "paired", Takes::Truth),
        sets("estimand", "estimand", Takes::VariantOf("Estimand")),
        sets("selected", "selected", Takes::Truth),
    ],
    plots: false,
};

/// `#[hooked]`.
pub(crate) const HOOKED: Attribute =
    Attribute { name: "hooked", options: &[list("inputs"), list("skip")], plots: false };

/// Every attribute.
pub(crate) const ALL: [&Attribute; 6] = [&LOG, &TOOLS, &PLOT, &PROFILE, &HYPOTHESIS, &HOOKED];

impl Attribute {
    /// The option of that name.
    pub(crate) fn find(&self, name: &str) -> Option<&'static Known> {
        self.options.iter().find(|known| known.name == name)
    }

    /// As messages name it.
    pub(crate) fn shown(&self) -> String {
        if *self == OF_A_PLOT { "a plot".to_owned() } else { format!("`#[{}]`", self.name) }
    }
}

impl Known {
    /// As users write it: `seed = ..`, `args(..)`.
    pub(crate) fn usage(&self) -> String {
        match self.form {
            Form::List | Form::Plot => format!("`{}(..)`", self.name),
            Form::Sets(_) | Form::Value => format!("`{} = ..`", self.name),
            Form::Flag => format!("`{}`", self.name),
        }
    }
}

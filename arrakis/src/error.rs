//! Every error of this crate. Each says what is wrong, where, and how to fix it.

use std::fmt;
use std::path::PathBuf;

use arrakis_models::ground::nearest::did_you_mean;

use crate::fmt::short;

/// The result of anything that can fail in this crate. An attribute's own failures use its error type too.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why an experiment could not be run, recorded, drawn or judged.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the model, a run or its files.
    #[error(transparent)]
    Models(#[from] arrakis_models::Error),
    /// A tool was asked for something it cannot do.
    #[error("{tool}: {problem}")]
    Tool {
        /// The tool's registered name, such as `head_detector`.
        tool: &'static str,
        /// What was asked, and what is valid.
        problem: String,
    },
    /// A value of a type that is not a tool, built from parts that do not fit together.
    #[error("`{of}`: {problem}")]
    Value {
        /// The type, such as `Metric`.
        of: &'static str,
        /// What was given, and what is valid.
        problem: String,
    },
    /// Shards of a job that cannot be put together.
    #[error("{problem}")]
    Shards {
        /// Which, why, and what to do.
        problem: String,
    },
    /// No tool has that name.
    #[error("no tool `{asked}`{} `arrakis tools` lists them all", did_you_mean(nearest.as_deref(), ";"))]
    UnknownTool {
        /// What was asked for.
        asked: String,
        /// The registered name nearest to it.
        nearest: Option<String>,
    },
    /// A tool met a number that is not finite, so it cannot give an answer.
    #[error("{tool}: {what} is {value} at {place}: {fix}")]
    NotFinite {
        /// The tool's name.
        tool: &'static str,
        /// What the number is.
        what: String,
        /// NaN or an infinity.
        value: f64,
        /// The first place where it occurs.
        place: String,
        /// What to do.
        fix: String,
    },
    /// No experiment of that name was recorded.
    #[error("no experiment `{asked}` in `{}`{}", folder.display(), did_you_mean(nearest.as_deref(), "; log one with `#[log_experiment]`, or name the folder with `Bench::save_dir`"))]
    UnknownExperiment {
        /// What was asked for.
        asked: String,
        /// The folder that was searched.
        folder: PathBuf,
        /// The recorded name nearest to it.
        nearest: Option<String>,
    },
    /// A name that two functions share.
    #[error("`{asked}` names {} functions: {}; ask for one by its full path", functions.len(), functions.join(", "))]
    AmbiguousExperiment {
        /// What was asked for.
        asked: String,
        /// Their full paths.
        functions: Vec<String>,
    },
    /// No such version of an experiment.
    #[error("`{experiment}` has no version `{asked}`{}", did_you_mean(nearest.as_deref(), "; `list_versions` lists them all"))]
    UnknownVersion {
        /// The experiment.
        experiment: String,
        /// What was asked for.
        asked: String,
        /// The recorded version nearest to it.
        nearest: Option<String>,
    },
    /// A text that cannot be the version of any experiment.
    #[error("`{asked}` is not a version: a version is 16 digits of `0123456789abcdef`; `list_versions` lists them all")]
    NotAVersion {
        /// The text.
        asked: String,
    },
    /// A file among the records that cannot be read as one.
    #[error("cannot read the record `{}`: {problem}", path.display())]
    BadRecord {
        /// The file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// A value of a record that is not of the type asked for.
    #[error("the {what} of the record is not a `{wanted}`: {problem}")]
    RecordValue {
        /// `result`, or an argument's name.
        what: String,
        /// The type.
        wanted: &'static str,
        /// The reason.
        problem: String,
    },
    /// A file or folder that cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file or folder that cannot be written.
    #[error("cannot write `{}`: {source}; is the folder there and writable?", path.display())]
    Write {
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A server that cannot be reached, or refuses what it is sent.
    #[error("cannot export to `{url}`: {problem}")]
    Server {
        /// Its address.
        url: String,
        /// What it said, or why it was not reached.
        problem: String,
    },
    /// The save folder could not be written; the record was saved elsewhere.
    #[error("cannot write the record to `{}`: {source}; the record is kept at `{}`: make room or make the folder writable, and move it there", folder.display(), kept.display())]
    RecordRescued {
        /// The folder it was meant for.
        folder: PathBuf,
        /// The file it is in.
        kept: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Something is in the folder of the records, and not yet in the place behind it.
    #[error("cannot send {what} to {remote}: {source}; it is kept at `{}`, and sent when a bench opens this folder with that place again, or by `Store::send_waiting`", kept.display())]
    NotSent {
        /// What.
        what: String,
        /// The address of the place.
        remote: String,
        /// The file it is in.
        kept: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The place behind a folder of records cannot be read, or has something else.
    #[error("{remote}: {problem}")]
    Remote {
        /// The address of the place.
        remote: String,
        /// What is wrong.
        problem: String,
    },
    /// `arrakis new` cannot write the crate.
    #[error("cannot make the crate `{}`: {problem}", folder.display())]
    NewCrate {
        /// The folder that was requested.
        folder: PathBuf,
        /// What is wrong, and what is valid.
        problem: String,
    },
    /// `arrakis watch` cannot go on.
    #[error("cannot watch: {problem}")]
    Watch {
        /// What is wrong, and what is valid.
        problem: String,
    },
    /// A figure's parts do not fit together.
    #[error("{kind}: {part} should have {expected} entries, has {actual}")]
    FigureShape {
        /// The plot kind.
        kind: &'static str,
        /// Which part.
        part: String,
        /// Entries needed.
        expected: usize,
        /// Entries given.
        actual: usize,
    },
    /// A figure has nothing to show.
    #[error("nothing to draw in the {kind}: {problem}; widen the selection it was made from")]
    EmptyFigure {
        /// The plot kind, or the figure.
        kind: &'static str,
        /// What is missing.
        problem: String,
    },
    /// A number of a figure is not valid.
    #[error("{kind}: {problem}")]
    FigureValue {
        /// The plot kind.
        kind: &'static str,
        /// Which number, and what is valid.
        problem: String,
    },
    /// A statistical test cannot use its sample.
    #[error("`{test}`: {problem}; {fix}")]
    Statistics {
        /// The test.
        test: &'static str,
        /// What is wrong.
        problem: String,
        /// How to fix it.
        fix: String,
    },
    /// A sample lacks the spread that a test needs.
    #[error("`{test}` is degenerate: {problem}; {fix}")]
    Degenerate {
        /// The test.
        test: &'static str,
        /// What does not vary.
        problem: String,
        /// How to fix it.
        fix: String,
    },
    /// A claim that cannot be judged as it is.
    #[error("claim `{statement}`: {problem}; {fix}")]
    Claim {
        /// The claim.
        statement: String,
        /// What is wrong.
        problem: String,
        /// How to fix it.
        fix: String,
    },
    /// A corpus that cannot be read.
    #[error("cannot read the corpus `{}`{place}: {problem}", path.display())]
    Corpus {
        /// The file.
        path: PathBuf,
        /// The place in it, such as `, line 3`; may be empty.
        place: String,
        /// What is wrong there, and what is valid.
        problem: String,
    },
    /// Too few null draws for any observation to support the claim.
    #[error("{draws} null draws cannot give a p-value below {}, and the claim needs {} or less; use `draws = {needed}` or more", short(*smallest), short(*alpha))]
    TooFewDraws {
        /// The number of draws that was requested or given.
        draws: usize,
        /// The smallest p-value that they can give.
        smallest: f64,
        /// The claim's α, corrected for its comparisons.
        alpha: f64,
        /// How many draws suffice.
        needed: usize,
    },
    /// A hypothesis that cannot be judged.
    #[error("the hypothesis of `{function}`: {problem}")]
    Hypothesis {
        /// The function.
        function: String,
        /// What is missing, and what is valid.
        problem: String,
    },
}

/// The message: it is what a `main` that returns an error prints, and `unwrap`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_experiment_names_the_nearest() {
        let error =
            Error::UnknownExperiment { asked: "swep".into(), folder: "runs".into(), nearest: Some("sweep".into()) };
        assert_eq!(error.to_string(), "no experiment `swep` in `runs`; did you mean `sweep`?");
    }
}

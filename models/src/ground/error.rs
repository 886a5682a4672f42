//! Everything that can go wrong in this crate: what, where, and how to fix it.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use super::bytes::human_bytes;
use super::nearest::{did_you_mean, nearest};

/// The result of anything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a model could not be loaded, or a run could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name or pattern selects no site.
    #[error("no site fits `{asked}`{} `sites()` lists them all", did_you_mean(nearest.as_deref(), ";"))]
    UnknownSite {
        /// What was asked for.
        asked: String,
        /// The nearest valid name.
        nearest: Option<String>,
    },
    /// A site was not kept by the run that made the cache.
    #[error("`{asked}` is not in this cache{} Capture it; `cache.sites()` lists what there is", did_you_mean(nearest.as_deref(), ";"))]
    NotCaptured {
        /// What was asked for.
        asked: String,
        /// The nearest captured site.
        nearest: Option<String>,
    },
    /// Two captures would keep different things under one name.
    #[error("`{site}` is captured twice in different ways: put the two captures in two runs")]
    CapturedTwice {
        /// The name.
        site: String,
    },
    /// A run would need more memory than it may take.
    #[error(
        "{what} would take {} ({bytes} bytes), the limit is {} ({limit} bytes): {mend}",
        human_bytes(*bytes),
        human_bytes(*limit)
    )]
    TooLarge {
        /// What needs the memory.
        what: &'static str,
        /// How much it needs.
        bytes: u64,
        /// How much it may have.
        limit: u64,
        /// What to do.
        mend: &'static str,
    },
    /// A part of a plan met no tensor.
    #[error("the {what} at `{asked}` never fired{}", did_you_mean(nearest.as_deref(), ""))]
    NeverFired {
        /// Capture, edit or gradient.
        what: &'static str,
        /// Its pattern.
        asked: String,
        /// The nearest site the run met.
        nearest: Option<String>,
    },
    /// An edit returned a tensor of another shape.
    #[error("the edit at `{site}` returned a tensor of shape {actual:?}, the site has {expected:?}")]
    EditShape {
        /// Where.
        site: String,
        /// The site's shape.
        expected: Vec<usize>,
        /// What the edit returned.
        actual: Vec<usize>,
    },
    /// A tensor was asked for with the wrong number of axes.
    #[error("asked for a tensor with {asked} axes, but it has {}: {dims:?}", dims.len())]
    Rank {
        /// The rank asked for.
        asked: usize,
        /// The tensor's axes.
        dims: Vec<usize>,
    },
    /// A list has the wrong length.
    #[error("{what}: expected {expected}, got {actual}")]
    Length {
        /// Which list.
        what: String,
        /// How many were needed.
        expected: usize,
        /// How many were given.
        actual: usize,
    },
    /// An index is out of range.
    #[error("{what} {asked} is out of range: there are {length}, numbered from 0")]
    OutOfRange {
        /// Layer, head, position, token…
        what: &'static str,
        /// The index asked for.
        asked: usize,
        /// How many there are.
        length: usize,
    },
    /// A metric does not depend on a site.
    #[error("the metric does not depend on `{site}`: compute it from this run's output, at a site before it")]
    NoGradient {
        /// The site.
        site: String,
    },
    /// Gradients of a run that was to have none.
    #[error("this run was asked for no gradient: name the sites with `Plan::grad` before it")]
    NoneAsked,
    /// A second backward pass of one run.
    #[error(
        "this run's gradients have been taken, which uses up its graph: add the metrics up, or run again for another"
    )]
    GraphConsumed,
    /// An edit of gradients that no gradient comes by.
    #[error(
        "no gradient passes `{asked}`, whose gradient is edited: ask for a gradient at a site before it (`Plan::grad`), and compute \
         the metric from what comes after it"
    )]
    Unreached {
        /// The edit's sites.
        asked: String,
    },
    /// A setting that makes no sense.
    #[error("`{setting}` is {value}: {mend}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it could be.
        mend: &'static str,
    },
    /// Logits no token can be chosen from.
    #[error(
        "no token can be chosen from these logits: {problem}; look for the first site that is no number, with `run_with_cache(prompt, [\"*\"])` under the same edits"
    )]
    NoLogits {
        /// What is wrong with them.
        problem: String,
    },
    /// Nothing to run on.
    #[error("the prompt is empty: give at least one token")]
    EmptyPrompt,
    /// The sequence does not fit the model's context.
    #[error(
        "the sequence is {tokens} tokens long, the model's context holds {n_ctx}: shorten the prompt, or generate fewer tokens"
    )]
    TooLong {
        /// Tokens given.
        tokens: usize,
        /// Positions there are.
        n_ctx: usize,
    },
    /// Rows of one batch differ in length.
    #[error("row {row} of the batch has {actual} tokens, the first has {expected}: pad them with `Tokens::padded`")]
    Ragged {
        /// Which row.
        row: usize,
        /// The first row's length.
        expected: usize,
        /// This row's length.
        actual: usize,
    },
    /// A string is not exactly one token.
    #[error(
        "`{text}` is {count} tokens ({pieces}), not one: pick a word the tokenizer keeps whole, perhaps with a leading space"
    )]
    NotOneToken {
        /// The string.
        text: String,
        /// How many tokens it is.
        count: usize,
        /// Those tokens.
        pieces: String,
    },
    /// A token does not occur in a prompt.
    #[error("the token `{token}` does not occur in the prompt{}", did_you_mean(nearest.as_deref(), ""))]
    TokenAbsent {
        /// The token.
        token: String,
        /// The token of the prompt most like it.
        nearest: Option<String>,
    },
    /// The model has no tokenizer.
    #[error(
        "this model has no tokenizer: put a tokenizer.json beside its config.json (in Python, `AutoTokenizer.from_pretrained(..).save_pretrained(..)` makes one), or pass token ids"
    )]
    NoTokenizer,
    /// The tokenizer failed.
    #[error("the tokenizer could not {action}: {problem}")]
    Tokenizer {
        /// Encode, decode, load.
        action: &'static str,
        /// What it said.
        problem: String,
    },
    /// The model lacks what was asked for.
    #[error("{what} is not in this model: {why}")]
    Absent {
        /// The thing.
        what: String,
        /// Why not.
        why: String,
    },
    /// An architecture that is not known.
    #[error("the architecture `{asked}` is not known{} known are {}", did_you_mean(nearest.as_deref(), ";"), known.join(", "))]
    UnknownArchitecture {
        /// `model_type` of the config.
        asked: String,
        /// The nearest known one.
        nearest: Option<String>,
        /// All known ones.
        known: Vec<String>,
    },
    /// A setting of config.json that changes the numbers and is not supported, or makes no sense.
    #[error("config.json of `{family}`: `{key}` is {value}: {problem}")]
    Config {
        /// The family.
        family: String,
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A file that cannot be understood.
    #[error("`{}`: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file that cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write `{}`: {source}; is the folder there and writable?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Tensors of a checkpoint that do not fit the model.
    #[error("the checkpoint `{}` does not fit its config.json:\n{}", path.display(), problems.join("\n"))]
    Weights {
        /// The checkpoint.
        path: PathBuf,
        /// One line a tensor: missing, unexpected, or wrongly shaped.
        problems: Vec<String>,
    },
    /// A model that is no longer what its config.json describes, such as one with folded norms.
    #[error(
        "the model does not fit the `{family}` its config.json describes:\n{}\nsave its `unprocessed()`, or our own layout with `checkpoint::save_own`",
        problems.join("\n")
    )]
    Unsavable {
        /// The family.
        family: String,
        /// One line a weight or option: missing, without a place, or changed.
        problems: Vec<String>,
    },
    /// A model on the Hub that could not be fetched.
    #[error(
        "could not fetch `{id}` from the Hugging Face Hub: {problem}; check the name and the network, or give a local folder with config.json and model.safetensors"
    )]
    Hub {
        /// The repository.
        id: String,
        /// What went wrong.
        problem: String,
    },
    /// A device that is not there, or failed.
    #[error("device `{device}`: {problem}")]
    Device {
        /// Its name.
        device: String,
        /// What went wrong, root cause first.
        problem: String,
    },
}

impl Error {
    /// [`Error::UnknownSite`] with the nearest of the known names.
    pub fn unknown_site<S: AsRef<str>>(asked: &str, known: &[S]) -> Self {
        Self::UnknownSite { asked: asked.to_owned(), nearest: nearest(asked, known) }
    }

    pub(crate) fn not_captured<S: AsRef<str>>(asked: &str, known: &[S]) -> Self {
        Self::NotCaptured { asked: asked.to_owned(), nearest: nearest(asked, known) }
    }

    pub(crate) fn never_fired<S: AsRef<str>>(what: &'static str, asked: &str, seen: &[S]) -> Self {
        Self::NeverFired { what, asked: asked.to_owned(), nearest: nearest(asked, seen) }
    }

    pub(crate) fn file(path: &Path, problem: impl Display) -> Self {
        Self::File { path: path.to_owned(), problem: problem.to_string() }
    }
}

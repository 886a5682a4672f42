//! Everything that can go wrong in this crate: what, where, and how to fix it.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use super::bytes::human_bytes;
use super::nearest::{did_you_mean, nearest};

/// The result of anything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a model could not be loaded, or a run could not be done.
#[derive(thiserror::Error)]
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
    /// A spelling could mean several sites.
    #[error("`{asked}` could be {}; write the one you mean", either(sites))]
    AmbiguousSite {
        /// What was asked for.
        asked: String,
        /// The sites it could mean.
        sites: Vec<String>,
    },
    /// A site that a splice would add cannot be.
    #[error("cannot add the site `{site}`: {problem}")]
    AddedSite {
        /// Its name.
        site: String,
        /// What is wrong, and how to fix it.
        problem: String,
    },
    /// A tensor whose axis has another length than the module that takes it.
    #[error("the axis `{axis}` should be {expected} long, is {actual} in a tensor of shape {dims:?}")]
    Axis {
        /// Which axis.
        axis: &'static str,
        /// Its length.
        expected: usize,
        /// The length found.
        actual: usize,
        /// The shape of the tensor.
        dims: Vec<usize>,
    },
    /// Parameters of a dictionary that do not fit its settings.
    #[error("the parameters do not fit the dictionary's config:\n{}", problems.join("\n"))]
    Dictionary {
        /// One line for each parameter that is missing, not the architecture's, or of the wrong shape.
        problems: Vec<String>,
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
    /// Two tensors were bound to one site in one call of a hooked method.
    #[error(
        "two tensors are bound to the site `{site}`, at {first} and at {second}: rename one, or list it in `#[hooked(skip({name}))]`"
    )]
    BoundTwice {
        /// Its full name.
        site: String,
        /// The variable.
        name: &'static str,
        /// File, line and column of the first.
        first: String,
        /// File, line and column of the second.
        second: String,
    },
    /// A run would need more memory than it may take.
    #[error(
        "{what} would take {} ({bytes} bytes), {of} is {} ({limit} bytes): {fix}",
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
        /// What limits it.
        of: &'static str,
        /// What to do.
        fix: &'static str,
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
    /// A closure where only what can be written down will do.
    #[error(
        "the edit `{edit}` is a closure, which no record can keep and no other process can run: write it as an `Intervention`"
    )]
    ClosureEdit {
        /// What it is called.
        edit: String,
    },
    /// Nothing to merge.
    #[error("no shard was given: merge what `Sweep::shard` gave")]
    NoShards,
    /// A sweep that is not whole.
    #[error("shard {index} of {of} is missing: run it with `sweep.shard({index}, {of})`")]
    ShardMissing {
        /// Which, from 0.
        index: usize,
        /// How many there are.
        of: usize,
    },
    /// A shard that is given twice.
    #[error("shard {index} of {of} is given twice: merge each once")]
    ShardTwice {
        /// Which, from 0.
        index: usize,
        /// How many there are.
        of: usize,
    },
    /// A shard of another sweep.
    #[error("shard {index} of {of} is of another sweep: its {what} differs from that of the first shard")]
    ShardForeign {
        /// Which, from 0.
        index: usize,
        /// How many there are.
        of: usize,
        /// What differs.
        what: &'static str,
    },
    /// A shard has done its part of a step, and has no value to go on with.
    #[error(
        "this is shard {index}/{of}: its part of {what} is kept, and `arrakis merge` goes on when all shards are done"
    )]
    Part {
        /// Which, from 0.
        index: usize,
        /// How many there are.
        of: usize,
        /// The step.
        what: String,
    },
    /// A step of which not all parts are there.
    #[error("not all {of} shards ran {what}: run each of them, then `arrakis merge`")]
    Unmerged {
        /// The step.
        what: String,
        /// How many shards there are.
        of: usize,
    },
    /// A case that is in no shard, or in several.
    #[error(
        "case {case} (`{label}`) was run by {times} of the {of} shards instead of one: run all shards of a sweep with one version on \
         one kind of device"
    )]
    ShardCase {
        /// The case, in the order the cases were added.
        case: usize,
        /// Its label.
        label: String,
        /// Shards that ran it.
        times: usize,
        /// How many shards there are.
        of: usize,
    },
    /// A tensor was asked for with the wrong number of axes.
    #[error("asked for a tensor with {asked} axes, but it has {}: {dims:?}", dims.len())]
    Rank {
        /// The rank asked for.
        asked: usize,
        /// The tensor's axes.
        dims: Vec<usize>,
    },
    /// Too many or too few of something.
    #[error("expected {expected} {what}, got {actual}")]
    Count {
        /// Of what: rows, values of an activation…
        what: String,
        /// How many were needed.
        expected: usize,
        /// How many were given.
        actual: usize,
    },
    /// An index is out of range.
    #[error("{what} {asked} is out of range: {}", bounds(*asked, *length))]
    OutOfRange {
        /// Layer, head, position, token…
        what: &'static str,
        /// The index asked for; a negative one counts from the end.
        asked: isize,
        /// How many there are.
        length: usize,
    },
    /// A range that selects nothing.
    #[error("the range {start}..{end} selects no {what}: give a start that is less than the end")]
    EmptyRange {
        /// Rows or positions.
        what: &'static str,
        /// The first index.
        start: usize,
        /// The index after the last.
        end: usize,
    },
    /// A position below 0 where positions are counted from the start.
    #[error("position {position} of row {row} is negative: positions given with the tokens start at 0")]
    NegativePosition {
        /// The row.
        row: usize,
        /// The position.
        position: i64,
    },
    /// A run that would stop before it starts.
    #[error("`stop_at_layer` {stop} is before layer {start}, where the run starts")]
    LayerOrder {
        /// Where the run starts.
        start: usize,
        /// Where it stops.
        stop: usize,
    },
    /// A negative layer of a cache that does not know how many layers there are.
    #[error(
        "layer {layer} cannot be counted from the end: this cache does not know how many layers there are; use a layer from 0"
    )]
    UnknownDepth {
        /// The layer asked for.
        layer: isize,
    },
    /// A residual stream to start from that does not fit the prompt.
    #[error("the residual stream to start from has shape {actual:?}, the prompt and the model need {expected:?}")]
    StartShape {
        /// `[batch, pos, d_model]`.
        expected: Vec<usize>,
        /// The shape given.
        actual: Vec<usize>,
    },
    /// A site whose tensor lacks an axis.
    #[error("`{site}` has no {axis} axis: its shape is {dims:?}")]
    NoAxis {
        /// The site.
        site: String,
        /// The axis.
        axis: &'static str,
        /// The site's shape.
        dims: Vec<usize>,
    },
    /// Tokens or positions of tokens, asked for at a site that has none.
    #[error(
        "`{site}` of shape {dims:?} does not belong to a model that runs on tokens: nothing says which tokens its positions hold"
    )]
    NoTokens {
        /// The site.
        site: String,
        /// The site's shape.
        dims: Vec<usize>,
    },
    /// A cache whose batch axis is gone.
    #[error("this cache has no batch axis: `remove_batch_dim` was called")]
    NoBatchAxis,
    /// Rows of one batch that are generated at different steps.
    #[error(
        "this step holds position {position} of row {here}, but not of row {elsewhere}: generate the rows one by one, or capture whole steps"
    )]
    UnevenStep {
        /// The position.
        position: isize,
        /// A row that has the position in this step.
        here: usize,
        /// A row that has it in another step.
        elsewhere: usize,
    },
    /// An intervention that does not fit its site.
    #[error("cannot {action} `{site}`: {problem}")]
    Intervention {
        /// What it does: `resample`, `project a zero vector out of`…
        action: &'static str,
        /// The site.
        site: String,
        /// Why it cannot, and what would be right.
        problem: String,
    },
    /// A metric does not depend on a site.
    #[error("the metric does not depend on `{site}`: compute it from this run's output, at a site before it")]
    NoGradient {
        /// The site.
        site: String,
    },
    /// Gradients of a run whose plan names none.
    #[error("the plan of this run asks for no gradient: name the sites with `Plan::grad` before the run")]
    NoneAsked,
    /// A second backward pass of one run.
    #[error(
        "the gradients of this run were already taken, which consumes its graph: sum the metrics first, or run again"
    )]
    GraphConsumed,
    /// A gradient edit that no gradient reaches.
    #[error(
        "no gradient reaches the gradient edit at `{asked}`: ask for a gradient at a site before it (`Plan::grad`), and compute \
         the metric from what comes after it"
    )]
    Unreached {
        /// The edit's sites.
        asked: String,
    },
    /// A setting with a value that is not valid.
    #[error("`{setting}` is {value}: {fix}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        fix: String,
    },
    /// Logits from which no token can be chosen.
    #[error(
        "no token can be chosen from these logits: {problem}; find the first site that is not finite with `run_with_cache(prompt, [\"*\"])` under the same edits"
    )]
    NoLogits {
        /// What is wrong with them.
        problem: String,
    },
    /// A conversation for a tokenizer without a chat template.
    #[error(
        "the tokenizer has no chat template (`chat_template` in tokenizer_config.json, or chat_template.jinja): give one with \
         `ChatOptions::template`, or write the prompt as text"
    )]
    NoChatTemplate,
    /// A chat template that gives no prompt.
    #[error("cannot render the chat template: {problem}")]
    ChatTemplate {
        /// What is wrong, in the template's own words if it refuses the messages.
        problem: String,
    },
    /// Nothing to run on.
    #[error("the prompt is empty: give at least one token")]
    EmptyPrompt,
    /// A batch where one prompt is needed.
    #[error("this takes one prompt, got {batch}: call it for each, or read the last position of `forward`")]
    OnePrompt {
        /// Prompts given.
        batch: usize,
    },
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
    /// A string that the tokenizer reads as its token for unknown text.
    #[error(
        "`{text}` is not in the vocabulary: the tokenizer reads it as `{unknown}`{}",
        did_you_mean(nearest.as_deref(), "")
    )]
    UnknownToken {
        /// The string.
        text: String,
        /// The token for unknown text.
        unknown: String,
        /// The token of the vocabulary most like the string.
        nearest: Option<String>,
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
    /// Something that this model or device cannot do.
    #[error("{what} is not supported: {why}")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// Why it cannot be done, and what to do instead.
        why: String,
    },
    /// A weight that this architecture does not have.
    #[error("this model has no `{weight}`: {why}")]
    NoWeight {
        /// The weight.
        weight: &'static str,
        /// Why not.
        why: String,
    },
    /// A processing step that would change what the model computes.
    #[error("`{step}` would change the outputs: {why}")]
    LossyStep {
        /// The step.
        step: String,
        /// What in the model it does not fit.
        why: &'static str,
    },
    /// An operation on layers, heads or neurons that would not give a model.
    #[error("cannot {action}: {problem}")]
    Surgery {
        /// What it does: `remove heads`, `take layer 3`…
        action: String,
        /// Why it cannot, and what can be done instead.
        problem: String,
    },
    /// Numbers that are infinite or not a number.
    #[error("{what} needs finite numbers: a matrix holds NaN or infinity")]
    NotFinite {
        /// What needs them.
        what: &'static str,
    },
    /// Nothing to compute a loss from.
    #[error("there is nothing to compute a loss from: {problem}")]
    NoLoss {
        /// What is missing.
        problem: &'static str,
    },
    /// Logits of other tokens.
    #[error("the logits are for {} × {} tokens, the tokens are {} × {}: pass the tokens of the same run", logits[0], logits[1], tokens[0], tokens[1])]
    LogitsShape {
        /// `[batch, pos]` of the logits.
        logits: [usize; 2],
        /// `[batch, pos]` of the tokens.
        tokens: [usize; 2],
    },
    /// A model that was not loaded from Hugging Face's layout.
    #[error(
        "this model has no config.json of Hugging Face, because it was not loaded from one: save our own layout with `save_own`"
    )]
    NoHfConfig,
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
    /// A setting of config.json that is not supported, or not valid.
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
        /// One line for each tensor: missing, unexpected, or of the wrong shape.
        problems: Vec<String>,
    },
    /// A model that its config.json no longer describes, such as one with folded norms.
    #[error(
        "the model does not fit the `{family}` its config.json describes:\n{}\nsave its `unprocessed()`, or our own layout with `save_own`",
        problems.join("\n")
    )]
    Unsavable {
        /// The family.
        family: String,
        /// One line for each weight or option: missing, extra or changed.
        problems: Vec<String>,
    },
    /// A model on the Hub that could not be fetched.
    #[error("could not fetch `{id}` from the Hugging Face Hub: {problem}; or give a local folder or file")]
    Hub {
        /// The repository.
        id: String,
        /// What went wrong.
        problem: String,
    },
    /// A device that does not exist, or failed.
    #[error("device `{device}`: {problem}")]
    Device {
        /// Its name.
        device: String,
        /// What went wrong, root cause first.
        problem: String,
    },
}

/// The message: it is what a `main` that returns an error prints, and `unwrap`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// [`Error::UnknownSite`] with the nearest of the known names.
    pub fn unknown_site<S: AsRef<str>>(asked: &str, known: &[S]) -> Self {
        Self::UnknownSite { asked: asked.to_owned(), nearest: nearest(asked, known) }
    }

    /// [`Error::OutOfRange`] for an index of any integer type.
    pub fn out_of_range(what: &'static str, asked: impl TryInto<isize>, length: usize) -> Self {
        Self::OutOfRange { what, asked: asked.try_into().unwrap_or(isize::MAX), length }
    }

    pub(crate) fn no_axis(site: &str, axis: &'static str, dims: &[usize]) -> Self {
        Self::NoAxis { site: site.to_owned(), axis, dims: dims.to_vec() }
    }

    pub(crate) fn no_tokens(site: &str, dims: &[usize]) -> Self {
        Self::NoTokens { site: site.to_owned(), dims: dims.to_vec() }
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

/// "`a`, `b` or `c`".
fn either(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn bounds(asked: isize, length: usize) -> String {
    match (asked, length) {
        (_, 0) => "there are none".into(),
        (..0, _) => format!("there are {length}, so the first is -{length}"),
        _ => format!("there are {length}, numbered from 0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_out_of_range_keeps_its_sign() {
        let said = |asked: isize, length| Error::out_of_range("layer", asked, length).to_string();
        assert_eq!(said(-3, 2), "layer -3 is out of range: there are 2, so the first is -2");
        assert_eq!(said(3, 2), "layer 3 is out of range: there are 2, numbered from 0");
        assert_eq!(said(0, 0), "layer 0 is out of range: there are none");
        let huge = Error::out_of_range("token", u64::MAX, 2).to_string();
        assert_eq!(huge, format!("token {} is out of range: there are 2, numbered from 0", isize::MAX));
    }

    #[test]
    fn a_wrong_count_says_both_numbers() {
        let error = Error::Count { what: "rows to resample from".into(), expected: 3, actual: 2 };
        assert_eq!(error.to_string(), "expected 3 rows to resample from, got 2");
    }
}

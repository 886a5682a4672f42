//! What flows along one path between two parts of the model.

mod ends;
mod frozen;
mod order;

pub use ends::{Receiver, Sender, Through};
pub use order::HeadInput;
pub(in crate::tools) use order::{End, Reads, Start, Writes};

use arrakis_models::{HookedTransformer, IntoTokens, Plan, SweepCase, SweepResult, SweepWork, site};

use self::frozen::{Path, Recorded, Runs};
use crate::error::{Error, Result};
use crate::tools::place::{self, Head, HeadPair, Place};
use crate::tools::shared::finite;
use crate::tools::shared::patch_pair::{PatchFrom, PatchInto};
use crate::tools::shared::scan::with_runs;
use crate::tools::shared::score_table::mean;
use crate::tools::{Metric, ScoreTable, Scores, Tool};

/// Bytes of what receivers read that are kept at a time.
const HELD: usize = 1 << 28;

/// The effect of one path: what a sender writes, as some receivers read it, and nothing else.
///
/// # What it tells you
///
/// The metric of a target run when receivers (inputs of heads, MLPs, the stream at a layer, the logits) read what they
/// would read if a sender (a head, an MLP, the stream at a layer) had its value of a source run. All other parts keep
/// their values of the target run, and all other readers of the sender see no change. After the receivers, everything is
/// computed.
///
/// # How to read it
///
/// - [`Through::Stream`] is the direct path: attention and MLPs between sender and receivers are frozen.
///   [`Through::Mlps`] recomputes the MLPs between them.
/// - [`Scores::change`] is what the path does to the metric. [`Scores::normalized`] is 1 where it alone brings the metric
///   to the source's.
/// - A cell whose sender comes after all its receivers has no path: its change is 0.
///
/// # When it misleads
///
/// - Paths interact. The effects of all paths out of a head do not add up to the effect of patching the head.
/// - A path through a second head is not the direct path. Follow it one receiver at a time.
/// - Keys and values of grouped heads are shared, so such a receiver stands for all heads of its group.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `heads` | `3 + layers · fit(heads, tokens) + stops · fit(layers · heads, tokens)` | 0 |
/// | `head_pairs` | `2 + (layers - 1) · fit(heads, tokens) + sweeps · (1 + fit((layers - 1) · layers · heads · heads, tokens))` | 0 |
/// | `paths` | `2 + senders + sweeps · (1 + senders · receivers)` | 0 |
/// | `together` | 5 | 0 |
/// | `from` | 0 | 0 |
///
/// `stops` counts the layers in which the receivers start. `sweeps` is 1, and more if what receivers read under all senders
/// is larger than 256 MiB: then senders take turns.
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let paths: PathPatching = Bench::embedded()?.tool()?;
/// let clean = "When Mary and John went to the store, John gave a drink to";
/// let corrupted = "When Mary and John went to the store, Mary gave a drink to";
/// let pair = paths.from(corrupted).into(clean)?;
/// let metric = Metric::logit_diff(" Mary", " John");
/// for head in pair.heads([Receiver::logits()], Through::Stream, &metric)?.change().lowest(3) {
///     println!("{} carries {:+.2} nats straight to the logits", head.label, -head.value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Wang et al., <https://arxiv.org/abs/2211.00593>, appendix B; Goldowsky-Dill et al.,
/// <https://arxiv.org/abs/2304.05969>.
#[derive(Clone, Debug)]
pub struct PathPatching {
    model: HookedTransformer,
}

impl Tool for PathPatching {
    const NAME: &'static str = "path_patching";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl PathPatching {
    /// Takes the source prompts, whose values are sent; `.into(..)` takes the target prompts.
    pub fn from(&self, source: impl IntoTokens) -> PatchFrom<'_, Self> {
        PatchFrom::new(self, &self.model, source)
    }
}

/// Every method runs the source and the target once, then a frozen pass for each sender and a sweep over the receivers.
/// Passes and sweeps put many senders into one forward. [`Scores::work`] counts all of them.
impl PatchInto<'_, PathPatching> {
    /// Every head as a sender, into all of the receivers together: `[layer][head]`.
    ///
    /// # Errors
    ///
    /// No receivers, a receiver that the model lacks or that no head reaches, a metric that does not fit the prompts,
    /// numbers that are not finite.
    pub fn heads(
        &self,
        receivers: impl IntoIterator<Item = Receiver>,
        through: Through,
        metric: &Metric,
    ) -> Result<Scores> {
        let (ends, config) = (self.ends(receivers)?, self.model().config());
        let (layers, heads): (Vec<usize>, Vec<usize>) = ((0..config.n_layers).collect(), (0..config.n_heads).collect());
        let senders =
            self.starts(all_heads(&layers, &heads).into_iter().map(|head| Sender::head(head.layer, head.head)))?;
        let paths: Vec<Path> =
            senders.into_iter().map(|start| Path { starts: vec![start], ends: ends.clone() }).collect();
        self.scan(layers, heads, &paths, through, metric)
    }

    /// Every head as a sender into one input of every head, `[sender][receiver]`. For keys and values, the receivers are
    /// key heads.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::heads`].
    pub fn head_pairs(&self, input: HeadInput, through: Through, metric: &Metric) -> Result<Scores<HeadPair>> {
        let config = self.model().config();
        let shared = matches!(input, HeadInput::Key | HeadInput::Value);
        let layers: Vec<usize> = (0..config.n_layers).collect();
        let all = |heads: usize| all_heads(&layers, &(0..heads).collect::<Vec<_>>());
        let (rows, columns) = (all(config.n_heads), all(if shared { config.n_kv_heads } else { config.n_heads }));
        let starts = self.starts(rows.iter().map(|head| Sender::head(head.layer, head.head)))?;
        let ends = self.ends(columns.iter().map(|head| Receiver::head(head.layer, head.head, input)))?;
        self.scan(rows, columns, &pairs(&starts, &ends), through, metric)
    }

    /// Each sender into each receiver, one at a time: `[sender][receiver]`.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::heads`].
    pub fn paths(
        &self,
        senders: impl IntoIterator<Item = Sender>,
        receivers: impl IntoIterator<Item = Receiver>,
        through: Through,
        metric: &Metric,
    ) -> Result<Scores<place::Path>> {
        let (starts, ends) = (self.starts(senders)?, self.ends(receivers)?);
        let rows = starts.iter().map(Start::label).collect();
        let columns = ends.iter().map(End::label).collect();
        self.scan(rows, columns, &pairs(&starts, &ends), through, metric)
    }

    /// All senders together into all receivers together: a table of one cell.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::heads`].
    pub fn together(
        &self,
        senders: impl IntoIterator<Item = Sender>,
        receivers: impl IntoIterator<Item = Receiver>,
        through: Through,
        metric: &Metric,
    ) -> Result<Scores<place::Path>> {
        let path = Path { starts: self.starts(senders)?, ends: self.ends(receivers)? };
        let (row, column) = (joined(path.starts.iter().map(Start::label)), joined(path.ends.iter().map(End::label)));
        self.scan(vec![row], vec![column], &[path], through, metric)
    }

    fn model(&self) -> &HookedTransformer {
        &self.tool.model
    }

    fn starts(&self, senders: impl IntoIterator<Item = Sender>) -> Result<Vec<Start>> {
        let starts: Vec<Start> =
            senders.into_iter().map(|sender| sender.of(self.model().config())).collect::<Result<_>>()?;
        if starts.is_empty() { Err(refuse("there is no sender; give at least one".into())) } else { Ok(starts) }
    }

    fn ends(&self, receivers: impl IntoIterator<Item = Receiver>) -> Result<Vec<End>> {
        let ends: Vec<End> =
            receivers.into_iter().map(|receiver| receiver.of(self.model().config())).collect::<Result<_>>()?;
        if ends.is_empty() { Err(refuse("there is no receiver; give at least one".into())) } else { Ok(ends) }
    }

    /// The metric under each path, given cell by cell.
    fn scan<P: Place>(
        &self,
        rows: Vec<P::Row>,
        columns: Vec<P::Column>,
        paths: &[Path],
        through: Through,
        metric: &Metric,
    ) -> Result<Scores<P>> {
        let labels: Vec<String> =
            rows.iter().flat_map(|row| columns.iter().map(|column| P::at(row, column).label())).collect();
        let mut found = self.cells(&labels, paths, through, metric, HELD)?;
        let (units, cells) = (metric.units(self.model()), found.values());
        Ok(Scores {
            baseline: mean(&found.clean),
            baseline_per_prompt: found.clean,
            source: Some(found.source),
            values: ScoreTable::of_prompts(PathPatching::NAME, units, rows, columns, cells)?.measured_on(&self.target),
            work: found.work,
        })
    }

    /// The metric under each path. Senders take turns, so that what receivers read of them fits in `held` bytes.
    fn cells(
        &self,
        labels: &[String],
        paths: &[Path],
        through: Through,
        metric: &Metric,
        held: usize,
    ) -> Result<Cells> {
        let (passes, ends) = self.passes(paths)?;
        let (runs, source) = self.runs(metric)?;
        let mut found = Cells { clean: Vec::new(), source, found: vec![None; labels.len()], work: self.runs_alone() };
        for turn in runs.turns(&passes, held) {
            let (recorded, frozen) = runs.record(&passes[turn.clone()], through)?;
            let own = ends.iter().enumerate().filter_map(|(cell, ends)| Some((cell, ends.as_ref()?)));
            let (own, cases): (Vec<usize>, Vec<Result<SweepCase>>) = own
                .filter(|(_, (pass, _))| turn.contains(pass))
                .map(|(cell, (pass, ends))| {
                    (cell, case(&runs, labels[cell].clone(), ends, &recorded[pass - turn.start]))
                })
                .unzip();
            let swept = metric.sweep(self.model(), &self.target, cases.into_iter().collect::<Result<Vec<_>>>()?)?;
            finite::check_all(PathPatching::NAME, self.model(), &self.target, "the metric", &swept.clean)?;
            found.take(own, swept, frozen);
        }
        Ok(found)
    }

    /// The frozen passes, one for each set of senders, and for each cell its pass and the receivers that it reaches.
    #[allow(clippy::type_complexity, reason = "two lists that are made together")]
    fn passes(&self, paths: &[Path]) -> Result<(Vec<Path>, Vec<Option<(usize, Vec<End>)>>)> {
        let (config, mut passes, mut cells) = (self.model().config(), Vec::<Path>::new(), Vec::new());
        for path in paths {
            let reached = |end: &&End| path.starts.iter().any(|start| start.reaches(end, config));
            let ends: Vec<End> = path.ends.iter().filter(reached).copied().collect();
            if ends.is_empty() {
                cells.push(None);
                continue;
            }
            let known = passes.iter().position(|pass| pass.starts == path.starts);
            let pass = known.unwrap_or(passes.len());
            if known.is_none() {
                passes.push(Path { starts: path.starts.clone(), ends: Vec::new() });
            }
            passes[pass].ends.extend(&ends);
            cells.push(Some((pass, ends)));
        }
        if passes.is_empty() {
            let ends = joined(paths.iter().flat_map(|path| &path.ends).map(End::label));
            return Err(refuse(format!(
                "no sender writes what {ends} reads; give a receiver that comes after a sender"
            )));
        }
        Ok((passes, cells))
    }

    /// The target and the source run, and the source's metric.
    fn runs(&self, metric: &Metric) -> Result<(Runs<'_>, f64)> {
        let model = self.model();
        let of_blocks = [site::resid_pre, site::z, site::attn_out, site::mlp_out, site::resid_post].map(site::every);
        let plan = || of_blocks.iter().fold(Plan::new(), |plan, site| plan.capture(site.as_str()));
        let target = model.run(&self.target, plan())?.cache;
        let source = model.run(&self.source, plan())?;
        let value = metric.value(model, &source.output, &self.source)?;
        finite::check(PathPatching::NAME, model, &self.source, "the metric", value)?;
        Ok((Runs { model, tokens: &self.target, target, source: source.cache }, value))
    }

    /// The work of the two runs.
    fn runs_alone(&self) -> SweepWork {
        with_runs(SweepWork::default(), self.model(), &self.target, 2)
    }
}

/// Numbers of a scan, cell by cell.
struct Cells {
    /// The metric of the target run, `[prompt]`.
    clean: Vec<f64>,
    /// The metric of the source run.
    source: f64,
    /// `[cell][prompt]`; none where there is no path.
    found: Vec<Option<Vec<f64>>>,
    work: SweepWork,
}

impl Cells {
    fn take(&mut self, own: Vec<usize>, swept: SweepResult, frozen: SweepWork) {
        own.into_iter().zip(swept.values).for_each(|(cell, values)| self.found[cell] = Some(values));
        self.clean = swept.clean;
        for work in [swept.work, frozen] {
            self.work.forwards += work.forwards;
            self.work.forwards_alone += work.forwards_alone;
            self.work.block_tokens += work.block_tokens;
            self.work.block_tokens_alone += work.block_tokens_alone;
        }
    }

    /// The numbers of every cell. Where there is no path, nothing changes.
    fn values(&mut self) -> Vec<Vec<f64>> {
        std::mem::take(&mut self.found).into_iter().map(|own| own.unwrap_or_else(|| self.clean.clone())).collect()
    }
}

/// One case of the sweep: every receiver reads what was recorded for it.
fn case(runs: &Runs<'_>, label: String, ends: &[End], recorded: &Recorded) -> Result<SweepCase> {
    let empty = SweepCase { label, edits: Vec::new() };
    ends.iter().try_fold(empty, |case, end| Ok(case.and(end.site(runs.model), runs.edit(end, recorded)?)))
}

fn pairs(starts: &[Start], ends: &[End]) -> Vec<Path> {
    let of = |start: &Start| ends.iter().map(|end| Path { starts: vec![*start], ends: vec![*end] }).collect::<Vec<_>>();
    starts.iter().flat_map(of).collect()
}

fn all_heads(layers: &[usize], heads: &[usize]) -> Vec<Head> {
    layers.iter().flat_map(|layer| heads.iter().map(|head| Head { layer: *layer, head: *head })).collect()
}

/// Labels as a list, each once.
fn joined(labels: impl Iterator<Item = String>) -> String {
    let mut once: Vec<String> = Vec::new();
    for label in labels {
        if !once.contains(&label) {
            once.push(label);
        }
    }
    once.join(" + ")
}

fn refuse(problem: String) -> Error {
    Error::Tool { tool: PathPatching::NAME, problem }
}

#[cfg(test)]
mod tests;

//! Activations of one run put into another, one at a time: which of them carry the answer.

mod variants;

use arrakis_models::{Activation, HookedTransformer};
use arrakis_models::{Intervention, IntoTokens, SweepCase, SweepResult, SweepWork, Tokens, site};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::tools::shared::common;
use crate::tools::{Metric, ScoreTable, Tool};

/// What each activation of one run does to another.
///
/// *What it tells you*: the metric of a target run when one activation is replaced by that of a source run. With
/// a corrupted target and a clean source, high cells are enough to bring the answer back (denoising); the other
/// way round, low cells are needed for it (noising). *How to read it*: [`Patched::normalized`] is 0 where the
/// target stays as it was and 1 where it becomes the source. *When it misleads*: cells do not add up; a head that
/// acts through others shows here and not in direct attribution; prompts must align token by token. *Source*:
/// Meng et al., <https://arxiv.org/abs/2202.05262>; `transformer_lens.patching` 2.18; Heimersheim and Nanda,
/// <https://arxiv.org/abs/2404.15255>.
#[derive(Clone, Debug)]
pub struct ActivationPatching {
    model: HookedTransformer,
}

/// A tensor of the residual stream's width, patched at one layer and position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamSite {
    /// The stream entering the block.
    ResidPre,
    /// The stream between attention and MLP.
    ResidMid,
    /// What attention adds.
    AttnOut,
    /// What the MLP adds.
    MlpOut,
}

/// A tensor with a head axis, patched at one head and all positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadSite {
    /// The head's output, `z`.
    Z,
    /// Its queries.
    Q,
    /// Its keys: grouped heads once.
    K,
    /// Its values: grouped heads once.
    V,
    /// Where it looks.
    Pattern,
}

/// Metrics with one activation patched at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Patched {
    /// The metric of the run patched from.
    pub source: f32,
    /// The metric of the run patched into.
    pub target: f32,
    /// The metric under each patch.
    pub table: ScoreTable,
    /// The metric under each patch for each prompt, `[row * columns + column][prompt]`.
    pub per_prompt: Vec<Vec<f64>>,
    /// What was run, and what was saved: of the whole sweep, where several tables come from one.
    pub work: SweepWork,
}

impl Patched {
    /// `(patched - target) / (source - target)`: 0 where nothing moved, 1 where the source is reached.
    #[must_use]
    pub fn normalized(&self) -> ScoreTable {
        let range = self.source - self.target;
        self.table.map("share of the source's metric brought over", |value| (value - self.target) / range)
    }

    /// `patched - target`, in the metric's units.
    #[must_use]
    pub fn change(&self) -> ScoreTable {
        self.table.map(&format!("change of {}", self.table.units), |value| value - self.target)
    }
}

impl Tool for ActivationPatching {
    const NAME: &'static str = "activation_patching";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl ActivationPatching {
    /// The metric of `target` with one layer and position taken from `source`: `[layer][pos]`.
    ///
    /// # Errors
    ///
    /// Prompts of different lengths, a site the model lacks, a metric that does not fit.
    pub fn by_position(
        &self,
        source: impl IntoTokens,
        target: impl IntoTokens,
        metric: &Metric,
        at: StreamSite,
    ) -> Result<Patched> {
        let pair = self.pair(source, target)?;
        let stored = self.stored(&pair.0, at.name())?;
        let pos = pair.1.pos();
        let cases = self.layers().flat_map(|layer| {
            let value = &stored[layer];
            (0..pos).map(move |index| {
                let edit = Intervention::patch(value).positions([index as isize]).edit();
                SweepCase::new(format!("{layer}@{index}"), site::Site::in_block(layer, at.name()), edit)
            })
        });
        let labels = common::labels(&self.model, &pair.1);
        self.patched(&pair, metric, cases.collect(), |values, units| ScoreTable::positions(values, &labels, units))
    }

    /// The metric of `target` with one head taken from `source` at every position: `[layer][head]`.
    ///
    /// # Errors
    ///
    /// As [`ActivationPatching::by_position`].
    pub fn by_head(
        &self,
        source: impl IntoTokens,
        target: impl IntoTokens,
        metric: &Metric,
        at: HeadSite,
    ) -> Result<Patched> {
        let pair = self.pair(source, target)?;
        let stored = self.stored(&pair.0, at.name())?;
        let heads = at.heads(&self.model);
        let cases = self.layers().flat_map(|layer| {
            let value = &stored[layer];
            (0..heads).map(move |head| {
                let edit = Intervention::patch(value).head(head).edit();
                SweepCase::new(format!("L{layer}H{head}"), site::Site::in_block(layer, at.name()), edit)
            })
        });
        self.patched(&pair, metric, cases.collect(), ScoreTable::heads)
    }

    /// The metric of `target` with one head at one position taken from `source`: a table `[layer][pos]` for each head.
    ///
    /// # Errors
    ///
    /// As [`ActivationPatching::by_position`].
    pub fn by_head_and_position(
        &self,
        source: impl IntoTokens,
        target: impl IntoTokens,
        metric: &Metric,
        at: HeadSite,
    ) -> Result<Vec<Patched>> {
        let pair = self.pair(source, target)?;
        let stored = self.stored(&pair.0, at.name())?;
        let labels = common::labels(&self.model, &pair.1);
        let of_head = |head: usize| {
            let cases = self.layers().flat_map(|layer| {
                let value = &stored[layer];
                (0..pair.1.pos()).map(move |index| {
                    let edit = Intervention::patch(value).head(head).positions([index as isize]).edit();
                    SweepCase::new(format!("L{layer}H{head}@{index}"), site::Site::in_block(layer, at.name()), edit)
                })
            });
            self.patched(&pair, metric, cases.collect(), |values, units| ScoreTable::positions(values, &labels, units))
        };
        (0..at.heads(&self.model)).map(of_head).collect()
    }

    /// The metric of `target` with one weight of one pattern taken from `source`: for each layer, for each head, a
    /// table `[query][key]`.
    ///
    /// # Errors
    ///
    /// As [`ActivationPatching::by_position`].
    pub fn by_query_and_key(
        &self,
        source: impl IntoTokens,
        target: impl IntoTokens,
        metric: &Metric,
    ) -> Result<Vec<Vec<Patched>>> {
        let (pair, name) = (self.pair(source, target)?, HeadSite::Pattern.name());
        let stored = self.stored(&pair.0, name)?;
        let (pos, heads) = (pair.1.pos(), self.model.config().n_heads);
        let labels = common::labels(&self.model, &pair.1);
        let of_layer = |layer: usize| {
            let cells = (0..heads).flat_map(|head| (0..pos * pos).map(move |cell| (head, cell / pos, cell % pos)));
            let cases = cells.map(|(head, query, key)| {
                let patch = Intervention::patch(&stored[layer]).head(head).positions([query as isize]).features([key]);
                let label = format!("L{layer}H{head} {query}→{key}");
                SweepCase::new(label, site::Site::in_block(layer, name), patch.edit())
            });
            let table = |values, units: &str| ScoreTable::queries(values, &labels, units);
            self.tables(&pair, metric, cases.collect(), [pos, pos], table)
        };
        self.layers().map(of_layer).collect()
    }

    fn layers(&self) -> std::ops::Range<usize> {
        0..self.model.config().n_layers
    }

    pub(super) fn pair(&self, source: impl IntoTokens, target: impl IntoTokens) -> Result<(Tokens, Tokens)> {
        let (source, target) = (source.into_tokens(&self.model)?, target.into_tokens(&self.model)?);
        common::check_pair(Self::NAME, &source, &target)?;
        Ok((source, target))
    }

    fn stored(&self, tokens: &Tokens, name: &str) -> Result<Vec<Activation>> {
        let cache = self.model.capture(tokens, [format!("blocks.*.{name}")])?;
        self.layers().map(|layer| Ok(cache.activation(site::Site::in_block(layer, name))?.clone())).collect()
    }

    /// One table of a row for each layer.
    fn patched(
        &self,
        pair: &(Tokens, Tokens),
        metric: &Metric,
        cases: Vec<SweepCase>,
        table: impl Fn(Vec<Vec<f32>>, &str) -> ScoreTable,
    ) -> Result<Patched> {
        let layers = self.layers().len();
        let shape = [layers, cases.len() / layers];
        Ok(self.tables(pair, metric, cases, shape, table)?.remove(0))
    }

    /// All cases in one sweep, cut into tables of `[rows, columns]`.
    fn tables(
        &self,
        pair: &(Tokens, Tokens),
        metric: &Metric,
        cases: Vec<SweepCase>,
        [rows, columns]: [usize; 2],
        table: impl Fn(Vec<Vec<f32>>, &str) -> ScoreTable,
    ) -> Result<Vec<Patched>> {
        let source = metric.value(&self.model, &self.model.forward(&pair.0)?, &pair.0)?;
        let found: SweepResult = metric.sweep(&self.model, &pair.1, cases)?;
        let means: Vec<f32> = found.means().into_iter().map(|mean| mean as f32).collect();
        let each = means.chunks(rows * columns).zip(found.values.chunks(rows * columns));
        let patched = each.map(|(means, per_prompt)| Patched {
            source,
            target: found.clean_mean() as f32,
            table: table(means.chunks(columns).map(<[f32]>::to_vec).collect(), &metric.units()),
            per_prompt: per_prompt.to_vec(),
            work: found.work,
        });
        Ok(patched.collect())
    }
}

impl StreamSite {
    fn name(self) -> &'static str {
        match self {
            Self::ResidPre => "resid_pre",
            Self::ResidMid => "resid_mid",
            Self::AttnOut => "attn_out",
            Self::MlpOut => "mlp_out",
        }
    }
}

impl HeadSite {
    fn name(self) -> &'static str {
        match self {
            Self::Z => "attn.z",
            Self::Q => "attn.q",
            Self::K => "attn.k",
            Self::V => "attn.v",
            Self::Pattern => "attn.pattern",
        }
    }

    fn heads(self, model: &HookedTransformer) -> usize {
        match self {
            Self::K | Self::V => model.config().n_kv_heads,
            Self::Z | Self::Q | Self::Pattern => model.config().n_heads,
        }
    }
}

//! What is lost when a part of the model is silenced.

mod divergence;
mod kind;
mod optimal;
mod refuse;
mod together;

pub use divergence::DivergenceAt;
pub use kind::AblationKind;
pub use optimal::OptimalConstant;
pub use together::{HeadAt, Together};

use arrakis_models::site::{self, Site};
use arrakis_models::{Error as ModelError, HookedTransformer, Intervention, IntoTokens, SweepCase, Tokens};

use crate::error::Result;
use crate::tools::intervene::activation_patching::StreamSite;
use crate::tools::place::{Expert, Head, Neuron, Place, StreamPosition, Sublayer, SublayerPart};
use crate::tools::shared::common;
use crate::tools::shared::scan::Scan;
use crate::tools::{Layer, Metric, Scores, Tool};
use kind::Replacements;
use optimal::Part;

/// The change of a metric when a head, a neuron, a layer, an expert or a position is replaced.
///
/// # What it tells you
///
/// How much the metric depends on a part on these prompts, over all paths: a head (`attn.z`), a neuron (`mlp.post`), a
/// layer's attention or MLP, an expert, or the stream at one position.
///
/// # How to read it
///
/// - [`Scores::values`] is the metric without the part, [`Scores::change`] that minus the metric of the whole model.
/// - For a logit difference a strongly negative change means that the part carried the answer.
/// - [`Ablation::together`] silences many heads at once, [`Ablation::all_but`] all heads that are not part of a circuit.
/// - [`Scores::tested`] gives each part's change over prompts with its standard error and p-value, corrected for the
///   number of parts. [`Scores::work`] counts the forwards, those for means and constants included.
///
/// # When it misleads
///
/// - Zero is far from any value the model sees, so zeroing also breaks unrelated computation. Prefer a mean, a resample or
///   [`AblationKind::Optimal`], which does the least harm of all constants.
/// - Later parts may take over (backup heads), which makes the silenced part look unimportant.
/// - Prompts made from one template are not independent, so p-values over them are too small.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `heads` | `kind + 1 + fit(layers · heads, tokens)` | `kind` |
/// | `neurons` | `kind + 1 + fit(neurons, tokens)` | `kind` |
/// | `layers` | `kind + 1 + fit(2 · layers, tokens)` | `kind` |
/// | `positions` | `kind + 1 + positions · fit(layers, tokens)` | `kind` |
/// | `experts` | `kind + 1 + layers · experts` | `kind` |
/// | `together`, `all_but` | `kind + 2` | `kind` |
/// | `intervention` | `kind` | `kind` |
/// | `Zero`, `Scale`, `Mean` | 0 | 0 |
/// | `DatasetMean`, `PositionMean`, `Resample` | 1 | 0 |
/// | `Optimal` | `1 + sites · fit(parts, tokens) · (steps + 1)` | `sites · fit(parts, tokens) · (steps + 1)` |
///
/// `kind` is the row of the [`AblationKind`]; `sites` and `parts` count what has a constant of its own: of `heads`, a site
/// in each layer and the heads of each; of `together` and `all_but`, those of the layers with silenced heads. `layers` and `experts` have one part in each site, `positions` one in each layer.
///
/// # Example
///
/// ```
/// use arrakis::hypothesis::Correction;
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let ablation: Ablation = Bench::embedded()?.tool()?;
/// let prompts = [
///     "When Mary and John went to the store, John gave a drink to",
///     "When Tom and Anna went to the store, Anna gave a drink to",
/// ];
/// let metric = Metric::logit_diffs([" Mary", " Tom"], [" John", " Anna"]);
/// let found = ablation.heads(prompts.as_slice(), &metric, AblationKind::Zero)?;
/// for head in found.change().lowest(3) {
///     println!("without layer {} head {}: {:+.2} nats", head.layer, head.head, head.value);
/// }
/// println!("{}", found.tested(PromptTest::default(), Correction::Holm)?);
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Wang et al., <https://arxiv.org/abs/2211.00593>; resampling: Chan et al., "Causal Scrubbing", 2022; optimal constants: Li
/// and Janson, <https://arxiv.org/abs/2409.09951>.
#[derive(Clone, Debug)]
pub struct Ablation {
    model: HookedTransformer,
}

impl Tool for Ablation {
    const NAME: &'static str = refuse::NAME;

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl Ablation {
    /// The metric with each head silenced in turn: `[layer][head]`. Each run starts at the head's own block.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, a metric that does not fit the prompts, a resample from prompts of another
    /// length, numbers that are not finite.
    #[allow(clippy::needless_pass_by_value, reason = "a kind is written at the call")]
    pub fn heads(&self, prompts: impl IntoTokens, metric: &Metric, kind: AblationKind) -> Result<Scores> {
        let (tokens, config) = (prompts.into_tokens(&self.model)?, self.model.config());
        let layers = 0..config.n_layers;
        let parts: Vec<Part> = (0..config.n_heads).map(Part::Head).collect();
        let whole = self.replace(&tokens, layers.clone().map(site::z), &parts, &kind)?;
        self.scan::<Head>(
            &tokens,
            metric,
            layers.collect(),
            (0..config.n_heads).collect(),
            &whole,
            |layer, head, label| SweepCase::new(label, site::z(*layer), whole.edits[*layer].clone().head(*head)),
        )
    }

    /// The metric with each of the given neurons of one layer (`mlp.post`) silenced in turn: `[1][neuron]`.
    ///
    /// Scaling a neuron changes the layer's `mlp.out` by `(factor - 1) · activation · W_out[neuron]` and nothing else.
    ///
    /// # Errors
    ///
    /// Those of [`Ablation::heads`], a layer or neuron out of range, or a mixture of experts.
    #[allow(clippy::needless_pass_by_value, reason = "a kind is written at the call")]
    pub fn neurons(
        &self,
        prompts: impl IntoTokens,
        layer: impl Into<Layer>,
        neurons: impl IntoIterator<Item = usize>,
        metric: &Metric,
        kind: AblationKind,
    ) -> Result<Scores<Neuron>> {
        let layer = layer.into().index(self.model.config().n_layers)?;
        self.model.w_out(layer)?;
        let neurons: Vec<usize> = neurons.into_iter().collect();
        neurons.iter().try_for_each(|neuron| common::within("neuron", *neuron, self.model.config().d_mlp))?;
        let tokens = prompts.into_tokens(&self.model)?;
        let parts: Vec<Part> = neurons.iter().copied().map(Part::Feature).collect();
        let whole = self.replace(&tokens, [site::mlp_post(layer)], &parts, &kind)?;
        self.scan::<Neuron>(&tokens, metric, vec![layer], neurons, &whole, |layer, neuron, label| {
            SweepCase::new(label, site::mlp_post(*layer), whole.edits[0].clone().features([*neuron]))
        })
    }

    /// The metric with what each layer's attention (`attn_out`) or MLP (`mlp_out`) adds to the stream replaced:
    /// `[layer][part]`.
    ///
    /// # Errors
    ///
    /// Those of [`Ablation::heads`].
    #[allow(clippy::needless_pass_by_value, reason = "a kind is written at the call")]
    pub fn layers(&self, prompts: impl IntoTokens, metric: &Metric, kind: AblationKind) -> Result<Scores<Sublayer>> {
        let tokens = prompts.into_tokens(&self.model)?;
        let layers: Vec<usize> = (0..self.model.config().n_layers).collect();
        let sites = layers.iter().flat_map(|layer| [site::attn_out(*layer), site::mlp_out(*layer)]);
        let whole = self.replace(&tokens, sites, &[Part::Whole], &kind)?;
        let parts = vec![SublayerPart::Attn, SublayerPart::Mlp];
        self.scan::<Sublayer>(&tokens, metric, layers, parts, &whole, |layer, part, label| match part {
            SublayerPart::Attn => SweepCase::new(label, site::attn_out(*layer), whole.edits[2 * layer].clone()),
            SublayerPart::Mlp => SweepCase::new(label, site::mlp_out(*layer), whole.edits[2 * layer + 1].clone()),
        })
    }

    /// The metric with a site of the stream replaced at one layer and position at a time: `[layer][position]`. Positions
    /// count each row's own tokens. A constant of [`AblationKind::Optimal`] is trained on all positions of a layer.
    ///
    /// # Errors
    ///
    /// Those of [`Ablation::heads`], a site that the model lacks, and a position that a shorter prompt lacks.
    #[allow(clippy::needless_pass_by_value, reason = "a kind is written at the call")]
    pub fn positions(
        &self,
        prompts: impl IntoTokens,
        at: StreamSite,
        metric: &Metric,
        kind: AblationKind,
    ) -> Result<Scores<StreamPosition>> {
        let tokens = prompts.into_tokens(&self.model)?;
        let layers: Vec<usize> = (0..self.model.config().n_layers).collect();
        let whole = self.replace(&tokens, layers.iter().map(|layer| at.site()(*layer)), &[Part::Whole], &kind)?;
        let positions = common::positions(&self.model, &tokens);
        self.scan::<StreamPosition>(&tokens, metric, layers, positions, &whole, |layer, position, label| {
            let edit = whole.edits[*layer].clone().positions([position.position as isize]);
            SweepCase::new(label, at.site()(*layer), edit)
        })
    }

    /// The metric with the output of each expert of a mixture replaced, before its weight: `[layer][expert]`. At tokens that
    /// are routed to other experts nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`Ablation::heads`], and a model without experts.
    #[allow(clippy::needless_pass_by_value, reason = "a kind is written at the call")]
    pub fn experts(&self, prompts: impl IntoTokens, metric: &Metric, kind: AblationKind) -> Result<Scores<Expert>> {
        let config = self.model.config();
        let count = config.experts.map(|experts| experts.count).ok_or_else(|| ModelError::Unsupported {
            what: "an ablation of experts".into(),
            why: "this model has one MLP in each layer; use `layers` or `neurons`".into(),
        })?;
        let tokens = prompts.into_tokens(&self.model)?;
        let (layers, experts): (Vec<usize>, Vec<usize>) = ((0..config.n_layers).collect(), (0..count).collect());
        let sites = layers.iter().flat_map(|layer| experts.iter().map(|expert| site::expert_out(*layer, *expert)));
        let whole = self.replace(&tokens, sites, &[Part::Whole], &kind)?;
        self.scan::<Expert>(&tokens, metric, layers, experts, &whole, |layer, expert, label| {
            let edit = whole.edits[layer * count + expert].clone();
            SweepCase::new(label, site::expert_out(*layer, *expert), edit)
        })
    }

    /// The ablation of a whole site as an intervention, for a plan or a record.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, an unknown site, a resample from prompts of another length.
    pub fn intervention(&self, prompts: impl IntoTokens, at: Site, kind: &AblationKind) -> Result<Intervention> {
        Ok(self.replace(&prompts.into_tokens(&self.model)?, [at], &[Part::Whole], kind)?.edits.remove(0))
    }

    fn replace(
        &self,
        tokens: &Tokens,
        sites: impl IntoIterator<Item = Site>,
        parts: &[Part],
        kind: &AblationKind,
    ) -> Result<Replacements> {
        let sites: Vec<Site> = sites.into_iter().collect();
        Replacements::of(&self.model, tokens, &sites, parts, kind)
    }

    /// A sweep over the places, with the forwards of the replacements counted.
    fn scan<P: Place>(
        &self,
        tokens: &Tokens,
        metric: &Metric,
        rows: Vec<P::Row>,
        columns: Vec<P::Column>,
        whole: &Replacements,
        edit: impl Fn(&P::Row, &P::Column, String) -> SweepCase,
    ) -> Result<Scores<P>> {
        let scan = Scan { tool: Self::NAME, model: &self.model, tokens, metric };
        let mut found = scan.run(rows, columns, None, edit)?;
        found.work.forwards += whole.forwards;
        Ok(found)
    }
}

#[cfg(test)]
mod tests;

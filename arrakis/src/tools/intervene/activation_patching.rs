//! Puts activations of one run into another, one at a time, to find which of them carry the answer.

mod sites;

pub use sites::{HeadSite, StreamSite};

use arrakis_models::{Activation, HookedTransformer, Intervention, IntoTokens, Plan, SweepCase, site};

use crate::error::Result;
use crate::tools::place::{Head, HeadPosition, HeadQuery, PatternWeight, Place, StreamPosition};
use crate::tools::shared::patch_pair::{PatchFrom, PatchInto};
use crate::tools::shared::scan::{Scan, with_runs};
use crate::tools::shared::{common, finite};
use crate::tools::{Metric, Scores, Tool};

/// The effect of each activation of one run on another run.
///
/// # What it tells you
///
/// The metric of a target run when one activation is replaced with its value in a source run. Name the two runs with
/// `patching.from(SOURCE).into(TARGET)?`, then call the method for what to patch.
///
/// # How to read it
///
/// - Clean into corrupted (denoising): a place with a high value is enough to restore the answer.
/// - Corrupted into clean (noising): a place with a low value is needed for the answer.
/// - [`Scores::normalized`] is 0 where the target's metric stays the same and 1 where it reaches the source's.
///
/// # When it misleads
///
/// - The effects of several places do not add up.
/// - A head that acts through later heads shows here, but not in direct logit attribution.
/// - Prompts must align token by token.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `resid_pre`, `resid_mid`, `attn_out`, `mlp_out`, `positions` | `2 + positions · fit(layers, tokens)` | 0 |
/// | `heads`, `heads_at` | `2 + fit(layers · heads, tokens)` | 0 |
/// | `head_positions` | `2 + positions · fit(layers · heads, tokens)` | 0 |
/// | `pattern_weights` | `2 + positions · fit(layers · heads · positions, tokens)` | 0 |
/// | `from` | 0 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let patching: ActivationPatching = Bench::embedded()?.tool()?;
/// let clean = "When Mary and John went to the store, John gave a drink to";
/// let corrupted = "When Mary and John went to the store, Mary gave a drink to";
/// let metric = Metric::logit_diff(" Mary", " John");
/// let found = patching.from(clean).into(corrupted)?.heads(&metric)?;
/// for head in found.normalized()?.highest(3) {
///     println!("{} brings back {:.0} %", head.label, 100.0 * head.value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Meng et al., <https://arxiv.org/abs/2202.05262>; `transformer_lens.patching` 2.18; Heimersheim and Nanda,
/// <https://arxiv.org/abs/2404.15255>.
#[derive(Clone, Debug)]
pub struct ActivationPatching {
    model: HookedTransformer,
}

impl Tool for ActivationPatching {
    const NAME: &'static str = "activation_patching";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl ActivationPatching {
    /// Takes the source prompts; `.into(..)` takes the target prompts.
    pub fn from(&self, source: impl IntoTokens) -> PatchFrom<'_, Self> {
        PatchFrom::new(self, &self.model, source)
    }
}

/// `TransformerLens` patches a corrupted run (the target) from the cache of a clean one (the source). With
/// grouped-query attention, a table of keys or values has one column for each group; `TransformerLens` pads it with
/// zeros.
impl PatchInto<'_, ActivationPatching> {
    /// Patches the stream entering each block, one position at a time: `[layer][position]`.
    ///
    /// # Errors
    ///
    /// A metric that does not fit the prompts, numbers that are not finite.
    pub fn resid_pre(&self, metric: &Metric) -> Result<Scores<StreamPosition>> {
        self.positions(StreamSite::ResidPre, metric)
    }

    /// Patches the stream between attention and MLP, one position at a time: `[layer][position]`.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::resid_pre`], or a model with parallel blocks, which has no such site.
    pub fn resid_mid(&self, metric: &Metric) -> Result<Scores<StreamPosition>> {
        self.positions(StreamSite::ResidMid, metric)
    }

    /// Patches what attention adds to the stream, one position at a time: `[layer][position]`.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::resid_pre`].
    pub fn attn_out(&self, metric: &Metric) -> Result<Scores<StreamPosition>> {
        self.positions(StreamSite::AttnOut, metric)
    }

    /// Patches what the MLP adds to the stream, one position at a time: `[layer][position]`.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::resid_pre`].
    pub fn mlp_out(&self, metric: &Metric) -> Result<Scores<StreamPosition>> {
        self.positions(StreamSite::MlpOut, metric)
    }

    /// Patches a site of the stream, one layer and position at a time: `[layer][position]`.
    ///
    /// # Errors
    ///
    /// A site that the model lacks, a metric that does not fit the prompts, numbers that are not finite.
    pub fn positions(&self, at: StreamSite, metric: &Metric) -> Result<Scores<StreamPosition>> {
        let source = self.run_source(at.site(), metric)?;
        let positions = common::positions(self.model(), &self.target);
        self.scan::<StreamPosition>(metric, &source, self.layers(), positions, |layer, position, label| {
            let patch = Intervention::patch(&source.stored[*layer]).positions([position.position as isize]);
            SweepCase::new(label, at.site()(*layer), patch)
        })
    }

    /// Patches each head's output `z` at all positions: `[layer][head]`.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::resid_pre`].
    pub fn heads(&self, metric: &Metric) -> Result<Scores> {
        self.heads_at(HeadSite::Z, metric)
    }

    /// Patches one tensor of each head at all positions: `[layer][head]`.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::resid_pre`].
    pub fn heads_at(&self, at: HeadSite, metric: &Metric) -> Result<Scores> {
        let source = self.run_source(at.site(), metric)?;
        let (layers, heads) = (self.layers(), (0..at.heads(self.model())).collect());
        self.scan::<Head>(metric, &source, layers, heads, |layer, head, label| {
            let patch = Intervention::patch(&source.stored[*layer]).head(*head);
            SweepCase::new(label, at.site()(*layer), patch)
        })
    }

    /// Patches one tensor of each head at one position: `[layer and head][position]`. For a pattern, the position is
    /// the query's.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::resid_pre`].
    pub fn head_positions(&self, at: HeadSite, metric: &Metric) -> Result<Scores<HeadPosition>> {
        let source = self.run_source(at.site(), metric)?;
        let (heads, positions) = (self.heads_of(at), common::positions(self.model(), &self.target));
        self.scan::<HeadPosition>(metric, &source, heads, positions, |head, position, label| {
            let patch = Intervention::patch(&source.stored[head.layer]).head(head.head);
            let patch = patch.positions([position.position as isize]);
            SweepCase::new(label, at.site()(head.layer), patch)
        })
    }

    /// Patches one weight of each head's pattern: `[layer, head and query][key]`.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::resid_pre`].
    pub fn pattern_weights(&self, metric: &Metric) -> Result<Scores<PatternWeight>> {
        let source = self.run_source(site::pattern, metric)?;
        let positions = common::positions(self.model(), &self.target);
        let queries = |head: Head| positions.iter().map(move |query| HeadQuery { head, query: query.clone() });
        let rows = self.heads_of(HeadSite::Pattern).into_iter().flat_map(queries).collect();
        self.scan::<PatternWeight>(metric, &source, rows, positions.clone(), |row, key, label| {
            let patch = Intervention::patch(&source.stored[row.head.layer]).head(row.head.head);
            let patch = patch.positions([row.query.position as isize]).features([key.position]);
            SweepCase::new(label, site::pattern(row.head.layer), patch)
        })
    }

    fn model(&self) -> &HookedTransformer {
        &self.tool.model
    }

    fn layers(&self) -> Vec<usize> {
        (0..self.model().config().n_layers).collect()
    }

    fn heads_of(&self, at: HeadSite) -> Vec<Head> {
        let heads = at.heads(self.model());
        self.layers().into_iter().flat_map(|layer| (0..heads).map(move |head| Head { layer, head })).collect()
    }

    /// A sweep over the places of the target, with the source's run counted.
    fn scan<P: Place>(
        &self,
        metric: &Metric,
        source: &Source,
        rows: Vec<P::Row>,
        columns: Vec<P::Column>,
        edit: impl Fn(&P::Row, &P::Column, String) -> SweepCase,
    ) -> Result<Scores<P>> {
        let scan = Scan { tool: ActivationPatching::NAME, model: self.model(), tokens: &self.target, metric };
        let mut found = scan.run(rows, columns, Some(source.metric), edit)?;
        found.work = with_runs(found.work, self.model(), &self.source, 1);
        Ok(found)
    }

    fn run_source(&self, at: fn(usize) -> site::Site, metric: &Metric) -> Result<Source> {
        let outcome = self.model().run(&self.source, Plan::new().capture(site::every(at)))?;
        let value = metric.value(self.model(), &outcome.output, &self.source)?;
        finite::check(ActivationPatching::NAME, self.model(), &self.source, "the metric", value)?;
        let stored = self.layers().into_iter().map(|layer| Ok(outcome.cache.activation(at(layer))?.clone()));
        Ok(Source { stored: stored.collect::<Result<_>>()?, metric: value })
    }
}

/// What one run of the source gives.
struct Source {
    /// The activations of each layer at the patched site.
    stored: Vec<Activation>,
    metric: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis_models::{Edit, HookedAutoModel, Tokens, TransformerConfig};
    use burn::tensor::Tensor;

    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, close};

    const SOURCE: [u32; 4] = [1, 2, 3, 4];
    const TARGET: [u32; 4] = [1, 9, 3, 4];

    impl Readings for ActivationPatching {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let pair = self.from(&cases.other).into(&cases.prompt).unwrap();
            let heads = pair.heads(&cases.metric);
            let shares = heads.as_ref().map_err(ToString::to_string);
            vec![
                Reading::table("normalized", shares.and_then(|found| found.normalized().map_err(|e| e.to_string()))),
                Reading::table("heads", heads.map(|found| found.change())),
                Reading::table("positions", pair.resid_pre(&cases.metric).map(|found| found.change())),
                Reading::table(
                    "head_positions",
                    pair.head_positions(HeadSite::Pattern, &cases.metric).map(|found| found.change()),
                ),
                Reading::table("pattern_weights", pair.pattern_weights(&cases.metric).map(|found| found.change())),
            ]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            let pair = || self.from(&cases.other).into(&cases.prompt);
            vec![
                Call::new("from", pair),
                Call::new("resid_pre", move || pair()?.resid_pre(&cases.metric)).at_most(),
                Call::new("resid_mid", move || pair()?.resid_mid(&cases.metric)).at_most(),
                Call::new("attn_out", move || pair()?.attn_out(&cases.metric)).at_most(),
                Call::new("mlp_out", move || pair()?.mlp_out(&cases.metric)).at_most(),
                Call::new("positions", move || pair()?.positions(StreamSite::MlpOut, &cases.metric)).at_most(),
                Call::new("heads", move || pair()?.heads(&cases.metric)),
                Call::new("heads_at", move || pair()?.heads_at(HeadSite::Q, &cases.metric)),
                Call::new("head_positions", move || pair()?.head_positions(HeadSite::Z, &cases.metric)).at_most(),
                Call::new("pattern_weights", move || pair()?.pattern_weights(&cases.metric)).at_most(),
            ]
        }
    }

    /// Four query heads on two key heads.
    fn model() -> HookedTransformer {
        let mut config = TransformerConfig::plain("test", 2, 16, 4, 20, 8);
        config.n_kv_heads = 2;
        HookedAutoModel::lively(&config, 5).unwrap()
    }

    fn metric() -> Metric {
        Metric::logit_diff(3, 7)
    }

    /// The target's metric with the source's numbers in these ranges of one site, from one run with one edit.
    fn alone(model: &HookedTransformer, at: site::Site, ranges: [std::ops::Range<usize>; 4]) -> f64 {
        let (_, cache) = model.run_with_cache(SOURCE, [at]).unwrap();
        let patch = cache.get::<4>(at).unwrap().slice(ranges.clone());
        let edit = Edit::new(move |x: Tensor<4>| x.slice_assign(ranges.clone(), patch.clone()));
        let logits = model.run_with_hooks(TARGET, [(at, edit)]).unwrap();
        metric().value(model, &logits, &Tokens::new(vec![TARGET.to_vec()]).unwrap()).unwrap()
    }

    type AtLayer = fn(usize) -> site::Site;

    fn one(index: usize) -> std::ops::Range<usize> {
        index..index + 1
    }

    #[test]
    fn heads_by_position_equal_one_edit_at_a_time() {
        let (model, d_head) = (model(), 4);
        let tool = ActivationPatching::new(&model).unwrap();
        let pair = tool.from(SOURCE).into(TARGET).unwrap();
        let sites: [(HeadSite, AtLayer); 5] = [
            (HeadSite::Z, site::z),
            (HeadSite::Q, site::q),
            (HeadSite::K, site::k),
            (HeadSite::V, site::v),
            (HeadSite::Pattern, site::pattern),
        ];
        let mut moved = 0;
        for (at, site) in sites {
            let found = pair.head_positions(at, &metric()).unwrap();
            assert_eq!(found.values.rows.len(), if matches!(at, HeadSite::K | HeadSite::V) { 4 } else { 8 });
            for cell in found.values.cells() {
                let (head, position) = (one(cell.head), one(cell.position));
                let ranges = match at {
                    HeadSite::Pattern => [0..1, head, position, 0..4],
                    _ => [0..1, position, head, 0..d_head],
                };
                close(cell.value, alone(&model, site(cell.layer), ranges), 1e-4);
                moved += usize::from((cell.value - found.baseline).abs() > 1e-3);
            }
        }
        assert!(moved > 30, "{moved}");
    }

    #[test]
    fn each_weight_of_a_pattern_equals_one_edit_at_a_time() {
        let model = model();
        let tool = ActivationPatching::new(&model).unwrap();
        let found = tool.from(SOURCE).into(TARGET).unwrap().pattern_weights(&metric()).unwrap();
        assert_eq!((found.values.rows.len(), found.values.columns.len()), (2 * 4 * 4, 4));
        let mut moved = 0;
        for cell in found.values.cells() {
            let ranges = [0..1, one(cell.head), one(cell.query), one(cell.key)];
            close(cell.value, alone(&model, site::pattern(cell.layer), ranges), 1e-4);
            let untouched = cell.value.to_bits() == found.baseline.to_bits();
            assert!(cell.key <= cell.query || untouched, "a later key has no weight");
            moved += usize::from((cell.value - found.baseline).abs() > 1e-3);
        }
        assert!(moved > 10, "{moved}");
    }

    #[test]
    fn a_group_of_keys_is_one_column_and_a_batch_keeps_its_prompts() {
        let tool = ActivationPatching::new(&model()).unwrap();
        let keys = tool.from(SOURCE).into(TARGET).unwrap().heads_at(HeadSite::K, &metric()).unwrap();
        assert_eq!(keys.values.columns, [0, 1]);
        let twice = |row: [u32; 4]| vec![row.to_vec(), row.to_vec()];
        let both = tool.from(twice(SOURCE)).into(twice(TARGET)).unwrap().heads_at(HeadSite::K, &metric()).unwrap();
        let best = both.change().top(1).remove(0);
        close(both.values.get(&best).unwrap(), keys.values.get(&best).unwrap(), 1e-5);
        assert_eq!(both.values.prompts(&best).unwrap().len(), 2);
    }

    #[test]
    fn prompts_that_do_not_align_are_refused() {
        let tool = ActivationPatching::new(&model()).unwrap();
        let error = tool.from([1, 2]).into([1, 2, 3]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "activation_patching: the source is 1 × 2 tokens, the target 1 × 3; patch between prompts that align token by token"
        );
    }
}

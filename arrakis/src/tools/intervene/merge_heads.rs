//! What a metric loses when two heads of a layer share one place in the sum.

use arrakis_models::site::{self, Site};
use arrakis_models::{HookedTransformer, Intervention, IntoTokens, SweepCase};

use crate::error::{Error, Result};
use crate::tools::place::{Head, MergedHeads};
use crate::tools::shared::common;
use crate::tools::shared::scan::Scan;
use crate::tools::{Layer, Metric, Scores, Tool};

/// The effect of merging two heads of one layer: together they write a weighted mean of what each writes.
///
/// # What it tells you
///
/// The metric when the two heads write `alpha z W_O + (1 - alpha) z' W_O'` instead of `z W_O + z' W_O'`, each through its
/// own output matrix. It is an edit of a run: no weight changes, and the next run is that of the whole model.
///
/// # How to read it
///
/// - `alpha` is the share of the first head. 1 silences the second head, 0 the first, 0.5 halves both.
/// - A change near 0 at 0.5 means that the metric does not need the full size of either head.
/// - For the effect of silencing single heads, see [`Ablation`](crate::tools::Ablation).
///
/// # When it misleads
///
/// - The mean is taken of outputs, not of attention patterns or values: heads that do different things do not become one.
/// - Halving a head is a smaller change than silencing it, so small effects at 0.5 do not show that a head is redundant.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `pairs` | `1 + fit(heads · (heads - 1), tokens)` | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let merging: MergeHeads = Bench::embedded()?.tool()?;
/// let prompt = "When Mary and John went to the store, John gave a drink to";
/// let found = merging.pairs(prompt, -1, 0.5, &Metric::logit_diff(" Mary", " John"))?;
/// for pair in found.change().lowest(3) {
///     println!("{} merged: {:+.2} nats", pair.label, pair.value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// A head's output as a term of the layer's sum: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021;
/// heads that can be removed: Michel et al., <https://arxiv.org/abs/1905.10650>.
#[derive(Clone, Debug)]
pub struct MergeHeads {
    model: HookedTransformer,
}

impl Tool for MergeHeads {
    const NAME: &'static str = "merge_heads";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl MergeHeads {
    /// The metric with each pair of heads of a layer merged: `[first][second]`. A head merged with itself is the head. One
    /// clean forward, and a sweep that starts at the layer.
    ///
    /// # Errors
    ///
    /// A layer out of range, an `alpha` outside 0 to 1, prompts that do not fit the model, a metric that does not fit the
    /// prompts, numbers that are not finite.
    pub fn pairs(
        &self,
        prompts: impl IntoTokens,
        layer: impl Into<Layer>,
        alpha: f64,
        metric: &Metric,
    ) -> Result<Scores<MergedHeads>> {
        let layer = layer.into().index(self.model.config().n_layers)?;
        check_alpha(alpha)?;
        let tokens = prompts.into_tokens(&self.model)?;
        let heads: Vec<Head> = (0..self.model.config().n_heads).map(|head| Head { layer, head }).collect();
        let scan = Scan { tool: Self::NAME, model: &self.model, tokens: &tokens, metric };
        scan.run(heads.clone(), heads, None, |first, second, label| {
            let case = SweepCase { label, edits: Vec::new() };
            let edits = shares(*first, *second, alpha);
            edits.into_iter().fold(case, |case, (site, edit)| case.and(site, edit))
        })
    }

    /// The merge of two heads as edits of a run, for `run_with_hooks`, a plan or a record.
    ///
    /// # Errors
    ///
    /// A layer or a head out of range, an `alpha` outside 0 to 1.
    pub fn edits(
        &self,
        layer: impl Into<Layer>,
        first: usize,
        second: usize,
        alpha: f64,
    ) -> Result<Vec<(Site, Intervention)>> {
        let layer = layer.into().index(self.model.config().n_layers)?;
        for head in [first, second] {
            common::within("head", head, self.model.config().n_heads)?;
        }
        check_alpha(alpha)?;
        Ok(shares(Head { layer, head: first }, Head { layer, head: second }, alpha))
    }
}

/// Scales each head by its share. Both shares of one head are the whole head.
fn shares(first: Head, second: Head, alpha: f64) -> Vec<(Site, Intervention)> {
    let share = |head: Head, share: f64| (site::z(head.layer), Intervention::scale(share as f32).head(head.head));
    if first == second { vec![share(first, 1.0)] } else { vec![share(first, alpha), share(second, 1.0 - alpha)] }
}

fn check_alpha(alpha: f64) -> Result<()> {
    if (0.0..=1.0).contains(&alpha) {
        return Ok(());
    }
    let problem = format!("alpha is {alpha}; give the share of the first head, from 0 to 1");
    Err(Error::Tool { tool: MergeHeads::NAME, problem })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::intervene::ablation::{Ablation, AblationKind};
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, block_tokens, close, fixture, induction_model};
    use arrakis_models::device;
    use burn::tensor::Tensor;

    const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];

    impl Readings for MergeHeads {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let pairs = self.pairs(&cases.prompt, 0, 0.5, &cases.metric);
            vec![Reading::table("pairs", pairs.map(|found| found.change()))]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            vec![Call::new("pairs", || self.pairs(&cases.prompt, 0, 0.5, &cases.metric))]
        }
    }

    #[test]
    fn the_planted_head_is_halved_by_its_silent_neighbour() {
        let tool = MergeHeads::new(&induction_model()).unwrap();
        let found = tool.pairs([3, 5, 7, 3], 1, 0.5, &Metric::logit_diff(5, 7)).unwrap();
        let [[alone, merged], [other, silent]] =
            [[0, 1], [2, 3]].map(|pair| pair.map(|cell| found.change().values.concat()[cell]));
        assert_eq!((alone, silent), (0.0, 0.0));
        assert!(merged < -0.1, "{merged}");
        close(merged, other, 1e-6);
    }

    #[test]
    fn at_the_ends_one_head_is_silenced() {
        let (model, metric) = (fixture("llama"), Metric::logit_diff(63, 25));
        let tool = MergeHeads::new(&model).unwrap();
        let ablated = Ablation::new(&model).unwrap().heads(PROMPT, &metric, AblationKind::Zero).unwrap();
        let (first, second) =
            (tool.pairs(PROMPT, 1, 1.0, &metric).unwrap(), tool.pairs(PROMPT, 1, 0.0, &metric).unwrap());
        for pair in first.values.cells().filter(|pair| pair.first != pair.second) {
            let alone = |head| ablated.values.get(&Head { layer: 1, head }).unwrap();
            close(pair.value, alone(pair.second), 1e-5);
            close(second.values.get(&pair).unwrap(), alone(pair.first), 1e-5);
        }
    }

    #[test]
    fn a_merge_is_the_mean_of_outputs_and_leaves_nothing_behind() {
        let (model, metric) = (fixture("gpt2"), Metric::logit_diff(63, 25));
        let tool = MergeHeads::new(&model).unwrap();
        let bits = |model: &HookedTransformer| device::read(model.forward(PROMPT).unwrap()).unwrap();
        let before = bits(&model);
        let (found, ran) = block_tokens(|| tool.pairs(PROMPT, 1, 0.3, &metric).unwrap());
        assert_eq!((found.work.forwards, found.work.block_tokens), (2, ran));
        let edits = tool.edits(1, 0, 2, 0.3).unwrap();
        let edited = arrakis_models::Plan::new().capture("blocks.1.attn_out");
        let edited = edits.into_iter().fold(edited, |plan, (site, edit)| plan.edit(site, edit));
        let edited: Tensor<3> = model.run(PROMPT, edited).unwrap().cache.get("blocks.1.attn_out").unwrap();
        let cache = model.capture(PROMPT, ["blocks.1.attn.result", "blocks.1.attn_out"]).unwrap();
        let result: Tensor<4> = cache.get("blocks.1.attn.result").unwrap();
        let lost = result.clone().narrow(2, 0, 1) * 0.7 + result.narrow(2, 2, 1) * 0.3;
        let expected = cache.get::<3>("blocks.1.attn_out").unwrap() - lost.reshape([1, 5, 32]);
        assert!(device::read((edited - expected).abs().max()).unwrap()[0] < 1e-5);
        assert_eq!(before, bits(&model));
    }

    #[test]
    fn mistakes_are_named() {
        let tool = MergeHeads::new(&fixture("gpt2")).unwrap();
        assert_eq!(
            tool.pairs(PROMPT, 0, 1.5, &Metric::loss()).unwrap_err().to_string(),
            "merge_heads: alpha is 1.5; give the share of the first head, from 0 to 1"
        );
        let error = tool.edits(0, 0, 4, 0.5).unwrap_err().to_string();
        assert_eq!(error, "head 4 is out of range: there are 4, numbered from 0");
        assert!(tool.pairs(PROMPT, 0, f64::NAN, &Metric::loss()).is_err());
    }
}

//! Many heads silenced at once: what is left without them, or with nothing else.

use std::collections::BTreeSet;

use arrakis_models::{IntoTokens, SweepCase, Tokens, site};
use serde::{Deserialize, Serialize};

use super::Ablation;
use super::kind::{AblationKind, Replacements};
use super::optimal::Part;
use super::refuse::{NAME, refuse};
use crate::error::Result;
use crate::tools::place::Head;
use crate::tools::shared::score_table::mean;
use crate::tools::shared::{common, finite};
use crate::tools::{Metric, Position};

/// A head at some positions of every prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadAt {
    /// The head.
    pub head: Head,
    /// Positions among a prompt's own tokens; all of them if none is named.
    pub positions: Vec<Position>,
}

impl HeadAt {
    /// A head at every position.
    pub fn new(layer: usize, head: usize) -> Self {
        Self { head: Head { layer, head }, positions: Vec::new() }
    }

    /// At this position too, or only at this one if none was named before.
    #[must_use]
    pub fn at(mut self, position: impl Into<Position>) -> Self {
        self.positions.push(position.into());
        self
    }
}

/// A metric with many heads silenced at once, in the metric's units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Together {
    /// What the numbers are.
    pub units: String,
    /// The mean over prompts of the whole model.
    pub baseline: f64,
    /// The same for each prompt, `[prompt]`.
    pub baseline_per_prompt: Vec<f64>,
    /// The mean over prompts without the silenced heads.
    pub value: f64,
    /// The same for each prompt, `[prompt]`.
    pub per_prompt: Vec<f64>,
}

impl Together {
    /// `value - baseline`: what silencing costs, if negative. Of [`Ablation::all_but`], its size is the faithfulness gap
    /// `|F(M) - F(C)|` of Wang et al., section 4.
    pub fn change(&self) -> f64 {
        self.value - self.baseline
    }

    /// `value / baseline`: the share of the metric that is left.
    pub fn share(&self) -> f64 {
        self.value / self.baseline
    }
}

/// What is silenced in a layer: a head, and the slots of every row.
type Silenced = (Head, BTreeSet<usize>);

impl Ablation {
    /// The metric with all of these heads silenced at once.
    ///
    /// A head that is named twice is silenced at the positions of both.
    ///
    /// # Errors
    ///
    /// Those of [`Ablation::heads`], a head or a position out of range, and prompts of different lengths.
    #[allow(clippy::needless_pass_by_value, reason = "a kind is written at the call")]
    pub fn together(
        &self,
        prompts: impl IntoTokens,
        heads: impl IntoIterator<Item = HeadAt>,
        metric: &Metric,
        kind: AblationKind,
    ) -> Result<Together> {
        let tokens = common::aligned(NAME, &self.model, prompts)?;
        let silenced = self.slots(&tokens, heads)?;
        self.joint(&tokens, &silenced, metric, &kind)
    }

    /// The metric with all heads silenced but these, at the positions that are named: what a circuit does alone. MLPs,
    /// norms and embeddings stay as they are.
    ///
    /// # Errors
    ///
    /// Those of [`Ablation::together`].
    #[allow(clippy::needless_pass_by_value, reason = "a kind is written at the call")]
    pub fn all_but(
        &self,
        prompts: impl IntoTokens,
        heads: impl IntoIterator<Item = HeadAt>,
        metric: &Metric,
        kind: AblationKind,
    ) -> Result<Together> {
        let tokens = common::aligned(NAME, &self.model, prompts)?;
        let (kept, config) = (self.slots(&tokens, heads)?, self.model.config());
        let all = (0..config.n_layers).flat_map(|layer| (0..config.n_heads).map(move |head| Head { layer, head }));
        let rest = |head: Head| {
            let of_head = |slot: &usize| kept.iter().any(|(other, slots)| *other == head && slots.contains(slot));
            (head, (0..tokens.pos()).filter(|slot| !of_head(slot)).collect::<BTreeSet<usize>>())
        };
        let silenced: Vec<Silenced> = all.map(rest).filter(|(_, slots)| !slots.is_empty()).collect();
        self.joint(&tokens, &silenced, metric, &kind)
    }

    /// The heads with their slots, each checked.
    fn slots(&self, tokens: &Tokens, heads: impl IntoIterator<Item = HeadAt>) -> Result<Vec<Silenced>> {
        let config = self.model.config();
        let slots = |HeadAt { head, positions }: HeadAt| {
            common::within("layer", head.layer, config.n_layers)?;
            common::within("head", head.head, config.n_heads)?;
            let named = positions.iter().map(|position| position.index(tokens.pos())).collect::<Result<_>>()?;
            Ok((head, if positions.is_empty() { (0..tokens.pos()).collect() } else { named }))
        };
        heads.into_iter().map(slots).collect()
    }

    fn joint(&self, tokens: &Tokens, silenced: &[Silenced], metric: &Metric, kind: &AblationKind) -> Result<Together> {
        let layers: Vec<usize> =
            silenced.iter().map(|(head, _)| head.layer).collect::<BTreeSet<_>>().into_iter().collect();
        let Some(first) = layers.first() else { return Err(refuse("no head is silenced; name at least one")) };
        let parts: Vec<Part> = (0..self.model.config().n_heads).map(Part::Head).collect();
        let whole = Replacements::of(
            &self.model,
            tokens,
            &layers.iter().map(|of| site::z(*of)).collect::<Vec<_>>(),
            &parts,
            kind,
        )?;
        let edits = silenced.iter().map(|(head, slots)| {
            let of_layer = layers.binary_search(&head.layer).expect("BUG: the layers are those of the heads");
            let edit = whole.edits[of_layer].clone().head(head.head).positions(slots.iter().map(|slot| *slot as isize));
            (site::z(head.layer), edit)
        });
        let label = format!("{} heads from layer {first} on", silenced.len());
        let case = edits.fold(SweepCase { label, edits: Vec::new() }, |case, (at, edit)| case.and(at, edit));
        let found = metric.sweep(&self.model, tokens, [case])?;
        let (baseline_per_prompt, per_prompt) = (found.clean, found.values.concat());
        for values in [&baseline_per_prompt, &per_prompt] {
            finite::check_all(NAME, &self.model, tokens, "the metric", values)?;
        }
        let (baseline, value) = (mean(&baseline_per_prompt), mean(&per_prompt));
        Ok(Together { units: metric.units(&self.model), baseline, baseline_per_prompt, value, per_prompt })
    }
}

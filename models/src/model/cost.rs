//! What a run costs, computed before it runs.

use std::fmt;

use super::prompt::IntoTokens;
use super::{HookedTransformer, RunOptions};
use crate::error::Result;
use crate::ground::bytes::human_bytes;
use crate::hooks::Plan;
use crate::site::{Extent, Place, SiteTable};
use crate::tokens::Tokens;

/// The cost of a plan over a batch of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Bytes that each captured site keeps, in the order of the forward pass. A whole tensor that shares its memory with
    /// an earlier one (`resid_pre` with the `resid_post` before it) keeps none of its own.
    pub captures: Vec<(String, u64)>,
    /// The first block that the plan does not need; [`HookedTransformer::capture`] stops there. `None` if the plan
    /// needs sites after the blocks, or names no site.
    pub stop_at_layer: Option<usize>,
    /// Number of blocks.
    pub n_layers: usize,
    /// An estimate of the bytes that a run takes besides: the tensors of the block or logits that take most while they are
    /// computed and, for gradients, the tensors that the graph keeps.
    pub working: u64,
}

impl Cost {
    /// Bytes of all captures.
    pub fn bytes(&self) -> u64 {
        self.captures.iter().map(|(_, bytes)| bytes).sum()
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = self.stop_at_layer.unwrap_or(self.n_layers);
        write!(
            f,
            "{} sites captured, {} kept, about {} while running; {blocks} of {} blocks needed",
            self.captures.len(),
            human_bytes(self.bytes()),
            human_bytes(self.working),
            self.n_layers
        )
    }
}

impl HookedTransformer {
    /// What a plan would cost on a prompt, without running it.
    ///
    /// # Errors
    ///
    /// Those of the plan and of the prompt.
    pub fn cost(&self, prompt: impl IntoTokens, plan: &Plan) -> Result<Cost> {
        let tokens = prompt.into_tokens(self)?;
        plan.check(&self.sites())?;
        Ok(self.cost_of(&tokens, plan))
    }

    pub(super) fn cost_of(&self, tokens: &Tokens, plan: &Plan) -> Cost {
        let known = self.sites();
        let extent = Extent::new(tokens.batch(), tokens.pos());
        Cost {
            captures: self.capture_bytes(plan, &known, extent),
            stop_at_layer: deepest(plan, &known, self.splices.sites()),
            n_layers: self.config().n_layers,
            working: self.working_bytes(plan, &known, extent, &RunOptions::default()),
        }
    }

    /// Whether a plan, or a module that is spliced in, meets what comes after the blocks.
    pub(crate) fn reaches_logits(&self, plan: &Plan) -> bool {
        let sites = self.splices.sites();
        let after = |site: &String| sites.place(site).0 == Place::After;
        let met = |site: &String| plan.patterns().any(|pattern| pattern.matches(site));
        self.has_splices() || self.sites().iter().any(|site| after(site) && met(site))
    }
}

/// The first block after all sites a plan names; `None` if it names sites after the blocks, or no site.
fn deepest(plan: &Plan, known: &[String], sites: &SiteTable) -> Option<usize> {
    let named = known.iter().filter(|site| plan.patterns().any(|pattern| pattern.matches(site)));
    let layers = named.map(|site| match sites.place(site) {
        (Place::Before, _) => Some(0),
        (Place::Block, layer) => layer.map(|layer| layer + 1),
        (Place::After, _) => None,
    });
    layers.collect::<Option<Vec<usize>>>()?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::{Capture, Intervention, Reduction};
    use crate::model::HookedAutoModel;
    use crate::transformer::TransformerConfig;

    fn model() -> HookedTransformer {
        HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap()
    }

    #[test]
    fn the_predicted_bytes_are_those_that_are_kept() {
        let model = model();
        let tokens = Tokens::new(vec![vec![1, 2, 3, 4]; 2]).unwrap();
        for plan in [
            Plan::new().capture("*"),
            Plan::new().capture("*.resid_post").capture("blocks.0.resid_post"),
            Plan::new().capture("*.mlp_in").capture("*.attn_in").capture("*.attn_out"),
            Plan::new()
                .capture("*")
                .edit("*.resid_pre", Intervention::scale(2.0))
                .edit("blocks.1.mlp_out", Intervention::zero()),
            Plan::new().capture(Capture::of("*.attn.pattern").positions([-1])).capture("logits"),
            Plan::new().capture(Capture::of("*.z").reduced(Reduction::Norm)).capture("*.z"),
            Plan::new().capture(Capture::of("*.mlp.post").reduced(Reduction::TopK(3))),
        ] {
            let cost = model.cost(&tokens, &plan).unwrap();
            let kept = model.run(&tokens, plan).unwrap().cache.bytes();
            assert_eq!(cost.bytes(), kept as u64, "{cost}");
        }
    }

    #[test]
    fn the_deepest_block_that_is_needed() {
        let model = model();
        let stop = |sites: &str| model.cost([1], &Plan::new().capture(sites)).unwrap().stop_at_layer;
        assert_eq!([stop("embed"), stop("blocks.1.attn.z"), stop("*.z")], [Some(0), Some(2), Some(3)]);
        assert_eq!([stop("logits"), stop("ln_final.scale")], [None, None]);
    }

    #[test]
    fn a_plan_on_the_types_of_tokens_stops_before_the_blocks() {
        let config = TransformerConfig { token_types: Some(2), ..TransformerConfig::plain("test", 3, 12, 3, 20, 16) };
        let model = HookedAutoModel::lively(&config, 1).unwrap();
        for row in crate::site::rows(Place::Before) {
            let cost = model.cost([1], &Plan::new().capture(row.name)).unwrap();
            assert_eq!(cost.stop_at_layer, Some(0), "{}", row.name);
        }
    }
}

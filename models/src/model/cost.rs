//! What a run costs, computed before it runs.

use std::fmt;

use super::prompt::IntoTokens;
use super::{HookedTransformer, RunOptions};
use crate::error::{Error, Result};
use crate::ground::bytes::human_bytes;
use crate::hooks::{At, Plan};
use crate::site::{Extent, Place, SiteTable};
use crate::tokens::Tokens;

/// The cost of a plan over a batch of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Bytes that each captured site keeps, in the order of the forward pass.
    pub captures: Vec<(String, u64)>,
    /// The first block that the plan does not need; [`HookedTransformer::capture`] stops there. `None` if the plan
    /// needs sites after the blocks, or names no site.
    pub stop_at_layer: Option<usize>,
    /// Number of blocks.
    pub n_layers: usize,
    /// An estimate of the bytes that the largest tensors of one block and the logits take while they are computed.
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
            working: self.working_bytes(extent),
        }
    }

    fn capture_bytes(&self, plan: &Plan, known: &[String], extent: Extent) -> Vec<(String, u64)> {
        let bytes = |site: &String| {
            let dims = self.splices.sites().dims(self.config(), site, extent);
            let at = At { table: self.splices.sites(), ..At::new(site) };
            let kept = plan.captures().filter(|capture| capture.sites().matches(site));
            // Several handles to the same whole tensor count once.
            let (whole, parts): (Vec<_>, Vec<_>) = kept.partition(|capture| capture.is_whole());
            let numbers: usize = whole.first().into_iter().chain(&parts).map(|one| one.numbers(&dims, &at)).sum();
            (numbers > 0).then(|| (site.clone(), 4 * numbers as u64))
        };
        known.iter().filter_map(bytes).collect()
    }

    /// Scores and pattern, the MLP's neurons and the logits: the most that a forward pass holds at once.
    fn working_bytes(&self, Extent { batch, pos, .. }: Extent) -> u64 {
        let config = self.config();
        let scores = 3 * config.n_heads * pos * pos;
        let neurons = 3 * config.d_mlp * pos;
        let logits = 2 * config.d_vocab * pos;
        4 * (batch * scores.max(neurons).max(logits)) as u64
    }

    pub(super) fn check_captures(
        &self,
        plan: &Plan,
        known: &[String],
        extent: Extent,
        options: &RunOptions,
    ) -> Result<()> {
        if plan.captures().next().is_none() {
            return Ok(());
        }
        let Some(limit) = options.capture_limit.or_else(|| self.memory_left()) else { return Ok(()) };
        let bytes: u64 = self.capture_bytes(plan, known, extent).iter().map(|(_, bytes)| bytes).sum();
        if bytes <= limit {
            return Ok(());
        }
        Err(Error::TooLarge {
            what: "what this run captures",
            bytes,
            limit,
            fix: "capture fewer sites or positions, capture a reduction, or run in batches (`capture_in_batches`)",
        })
    }

    /// Memory in bytes that a run on the CPU may still take, if the system reports it.
    pub(super) fn memory_left(&self) -> Option<u64> {
        if !self.device_name.starts_with("cpu") {
            return None;
        }
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
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
    use crate::hooks::{Capture, Reduction};
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

    #[test]
    fn a_run_above_the_limit_is_refused_with_its_number() {
        let options = RunOptions::new().capture_limit(100);
        let error = model().run_from([1, 2], Plan::new().capture("logits"), None, &options).unwrap_err();
        assert_eq!(
            error.to_string(),
            "what this run captures would take 160 B (160 bytes), the limit is 100 B (100 bytes): capture fewer \
             sites or positions, capture a reduction, or run in batches (`capture_in_batches`)"
        );
    }
}

//! Whether a run fits in memory, asked before it runs.

use std::collections::BTreeSet;

use arrakis_kernels::has_vectors;

use super::{HookedTransformer, RunOptions};
use crate::error::{Error, Result};
use crate::ground::memory::{self, Room};
use crate::hooks::{At, Plan};
use crate::site::{self, Extent, Site, same_memory};
use crate::tokens::Tokens;

/// Runs that need less are not checked: the system's answer takes a tenth of a millisecond.
const SMALL: u64 = 32 << 20;

/// Bytes of a number. Everything is computed in single precision.
pub(super) const NUMBER: u64 = 4;

impl HookedTransformer {
    /// Bytes that each captured site keeps. Several handles to one memory count once, at the first.
    pub(super) fn capture_bytes(&self, plan: &Plan, known: &[String], extent: Extent) -> Vec<(String, u64)> {
        let table = self.splices.sites();
        let dims = |site: &str| table.dims(self.config(), site, extent);
        let mut counted = BTreeSet::new();
        let mut bytes = |site: &String| {
            let at = At { table, ..At::new(site) };
            let mut kept = plan.captures().filter(|capture| capture.sites().matches(site)).peekable();
            kept.peek()?;
            let (whole, parts): (Vec<_>, Vec<_>) = kept.partition(|capture| capture.is_whole());
            let mut numbers: usize = parts.iter().map(|part| part.numbers(&dims(site), &at)).sum();
            if !whole.is_empty() {
                let memory = self.memory_of(plan, known, site);
                let size = dims(&memory).iter().product::<usize>();
                numbers += if counted.insert(memory) { size } else { 0 };
            }
            Some((site.clone(), NUMBER * numbers as u64))
        };
        known.iter().filter_map(&mut bytes).collect()
    }

    /// The first site whose tensor is the same memory as this one's in a run of the plan.
    fn memory_of(&self, plan: &Plan, known: &[String], site: &str) -> String {
        let is_new = |site: &str| plan.changes(site) || self.splices.iter().any(|(host, _)| host == site);
        let mut site = site.to_owned();
        while let Some(earlier) = same_memory(self.config(), &site).map(|site| site.to_string()) {
            if is_new(&site) || !known.contains(&earlier) {
                break;
            }
            site = earlier;
        }
        site
    }

    /// What a run of these sites takes besides its captures: the most that a forward pass holds at once and, for
    /// gradients, the tensors that the graph keeps.
    pub(super) fn working_bytes(&self, plan: &Plan, known: &[String], extent: Extent, options: &RunOptions) -> u64 {
        let at_once = self.working_numbers(extent, options, self.has_whole_scores(plan, known));
        let graph = if plan.wants_gradients() { self.graph_bytes(known, extent) } else { 0 };
        NUMBER * (extent.batch * at_once) as u64 + graph
    }

    /// Numbers of one row that a forward holds at once, with or without whole scores.
    pub(super) fn working_numbers(&self, extent: Extent, options: &RunOptions, has_scores: bool) -> usize {
        self.block_numbers(extent, has_scores).max(self.logits_numbers(extent, options))
    }

    /// The same for a run that stops where the plan needs no more.
    pub(super) fn working_to_stop(&self, tokens: &Tokens, plan: &Plan) -> u64 {
        let stop_at_layer = self.cost_of(tokens, plan).stop_at_layer.map(|layer| layer as isize);
        let options = RunOptions { stop_at_layer, ..RunOptions::default() };
        self.working_bytes(plan, &self.sites(), Extent::new(tokens.batch(), tokens.pos()), &options)
    }

    /// Whether scores and pattern exist as a whole: where a run meets them, for gradients, and on devices other than the CPU.
    fn has_whole_scores(&self, plan: &Plan, known: &[String]) -> bool {
        let scores = [site::scores(0), site::pattern(0)].map(|site| site.row().name);
        let is_scores = |site: &str| Site::named(site).is_some_and(|site| scores.contains(&site.row().name));
        let meets = |site: &str| {
            plan.patterns().any(|pattern| pattern.matches(site)) || self.splices.iter().any(|(host, _)| host == site)
        };
        let in_parts = plan.wants_gradients() || !self.device_name.starts_with("cpu") || !has_vectors();
        in_parts || known.iter().any(|site| is_scores(site) && meets(site))
    }

    /// Numbers of one row that a block holds at once: in attention the stream, queries, keys and values before and after
    /// rotation and repetition, and two copies of the scores if there are any; in the MLP the stream and the neurons.
    fn block_numbers(&self, Extent { pos, keys, .. }: Extent, has_scores: bool) -> usize {
        let config = self.config();
        let streams = 3 * config.d_model * pos;
        let heads = config.d_head * (config.n_heads * (2 * pos + 2 * keys) + 2 * config.n_kv_heads * pos);
        let scores = if has_scores || config.attn_sinks { 2 * config.n_heads * pos * keys } else { 0 };
        let shared = config.experts.and_then(|experts| experts.shared).unwrap_or(0);
        let neurons = (3 + usize::from(config.gated_mlp)) * config.d_mlp.max(shared) * pos;
        streams + neurons.max(heads + scores)
    }

    /// Numbers of one row that the logits take: the last stream, the product, and a copy of it if it is scaled or biased.
    fn logits_numbers(&self, Extent { pos, .. }: Extent, options: &RunOptions) -> usize {
        if options.stop_at_layer.is_some() {
            return 0;
        }
        let rows = if options.last_only { 1 } else { pos };
        let config = self.config();
        let changed = config.unembed_bias || config.logit_scale.is_some() || config.final_softcap.is_some();
        2 * config.d_model * pos + (1 + usize::from(changed)) * config.d_vocab * rows
    }

    /// What a graph for gradients keeps: about every tensor that the forward computes.
    fn graph_bytes(&self, known: &[String], extent: Extent) -> u64 {
        let computed = known.iter().filter(|site| Site::named(site).is_none_or(|site| !site.row().side));
        let everything = computed.fold(Plan::new(), Plan::capture);
        self.capture_bytes(&everything, known, extent).iter().map(|(_, bytes)| bytes).sum()
    }

    /// Refuses a run that does not fit: against the limit of the options, else against what the system leaves.
    pub(super) fn check_memory(
        &self,
        plan: &Plan,
        known: &[String],
        extent: Extent,
        options: &RunOptions,
    ) -> Result<()> {
        let kept: u64 = self.capture_bytes(plan, known, extent).iter().map(|(_, bytes)| bytes).sum();
        if let Some(limit) = options.capture_limit {
            return Need { kept, working: 0, rows: extent.batch }
                .within(Room { bytes: limit, of: "its `capture_limit`" });
        }
        let need = Need { kept, working: self.working_bytes(plan, known, extent, options), rows: extent.batch };
        if is_small(need.bytes()) { Ok(()) } else { self.room().map_or(Ok(()), |room| need.within(room)) }
    }

    /// Memory that a run on the CPU may still take, if the system reports it.
    pub(super) fn room(&self) -> Option<Room> {
        self.device_name.starts_with("cpu").then(memory::left).flatten()
    }
}

/// Whether so many bytes are not worth asking the system.
pub(super) fn is_small(bytes: u64) -> bool {
    bytes < SMALL
}

/// Bytes that a run needs.
pub(super) struct Need {
    pub(super) kept: u64,
    pub(super) working: u64,
    /// Rows of its batch.
    pub(super) rows: usize,
}

impl Need {
    pub(super) fn bytes(&self) -> u64 {
        self.kept.saturating_add(self.working)
    }

    /// # Errors
    ///
    /// [`Error::TooLarge`], whose advice fits what takes the memory.
    pub(super) fn within(&self, Room { bytes: limit, of }: Room) -> Result<()> {
        if self.bytes() <= limit {
            return Ok(());
        }
        let (what, fix) = if self.kept > limit {
            ("what this run captures", "capture fewer sites or positions, or capture a reduction")
        } else if self.rows > 1 {
            (self.what(), "run fewer rows at a time (`capture_in_batches`, `run_in_batches`)")
        } else if self.kept > 0 {
            (self.what(), "capture fewer sites, shorten the prompt, or free memory")
        } else {
            (self.what(), "shorten the prompt, or free memory")
        };
        Err(Error::TooLarge { what, bytes: self.bytes(), limit, of, fix })
    }

    fn what(&self) -> &'static str {
        if self.kept > 0 { "what this run captures and computes" } else { "what this run computes" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BlockLayout, NormKind, NormPlacement, Positions, TransformerConfig};
    use crate::model::HookedAutoModel;

    fn model() -> HookedTransformer {
        HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap()
    }

    #[test]
    fn captures_above_the_limit_are_refused_with_their_number() {
        let options = RunOptions::new().capture_limit(100);
        let error = model().run_from([1, 2], Plan::new().capture("logits"), None, &options).unwrap_err();
        assert_eq!(
            error.to_string(),
            "what this run captures would take 160 B (160 bytes), its `capture_limit` is 100 B (100 bytes): capture \
             fewer sites or positions, or capture a reduction"
        );
    }

    #[test]
    fn advice_fits_what_takes_the_memory() {
        let fix = |kept: u64, working: u64, rows: usize| {
            let room = Room { bytes: 100, of: "the limit" };
            match (Need { kept, working, rows }).within(room) {
                Err(Error::TooLarge { what, bytes, fix, .. }) => Some((what, bytes, fix)),
                _ => None,
            }
        };
        assert_eq!(fix(60, 40, 1), None);
        assert_eq!(fix(101, 0, 5).unwrap().2, "capture fewer sites or positions, or capture a reduction");
        let batches = "run fewer rows at a time (`capture_in_batches`, `run_in_batches`)";
        assert_eq!(fix(60, 41, 5), Some(("what this run captures and computes", 101, batches)));
        assert_eq!(fix(0, 101, 5), Some(("what this run computes", 101, batches)));
        assert_eq!(fix(60, 41, 1).unwrap().2, "capture fewer sites, shorten the prompt, or free memory");
        assert_eq!(fix(0, u64::MAX, 1).unwrap().2, "shorten the prompt, or free memory");
    }

    /// By hand for 2 rows of 5 tokens; `d_model` 12, 3 heads of 4, 48 neurons, 20 words.
    #[test]
    fn working_memory_by_hand() {
        let (model, plan) = (model(), Plan::new().capture("blocks.1.pattern"));
        let known = model.sites();
        let of = |batch: usize, pos: usize, options: &RunOptions| {
            model.working_bytes(&plan, &known, Extent::new(batch, pos), options)
        };
        let neurons = 3 * 48 * 5;
        assert_eq!(of(2, 5, &RunOptions::new()), 2 * 4 * (3 * 12 * 5 + neurons));
        let attention = 4 * (3 * (2 * 40 + 2 * 40) + 2 * 3 * 40) + 2 * 3 * 40 * 40;
        assert_eq!(of(1, 40, &RunOptions::new()), 4 * (3 * 12 * 40 + attention), "scores grow with the square");
        let unseen = model.working_bytes(&Plan::new(), &known, Extent::new(1, 40), &RunOptions::new());
        assert_eq!(unseen, 4 * (3 * 12 * 40 + 3 * 48 * 40), "no scores that nobody asks for");
        let wide = HookedAutoModel::lively(&TransformerConfig { d_vocab: 2000, ..model.config().clone() }, 1).unwrap();
        let of = |options: &RunOptions| wide.working_bytes(&plan, &known, Extent::new(1, 5), options);
        assert_eq!(of(&RunOptions::new()), 4 * (2 * 12 * 5 + 2000 * 5));
        assert_eq!(of(&RunOptions::new().last_only()), 4 * (2 * 12 * 5 + 2000));
        assert_eq!(of(&RunOptions::new().stop_at_layer(2)), 4 * (3 * 12 * 5 + neurons));
    }

    #[test]
    fn gradients_keep_every_tensor_of_the_forward() {
        let model = model();
        let (known, extent) = (model.sites(), Extent::new(1, 4));
        let of = |plan: &Plan| model.working_bytes(plan, &known, extent, &RunOptions::new());
        let sites = ["embed", "pos_embed", "ln_final.*", "logits"];
        let in_blocks =
            ["resid_*", "ln1.*", "ln2.*", "mlp_read", "attn.q", "attn.k", "attn.v", "attn.z", "scores", "pattern"];
        let written = ["attn.out", "mlp.*"];
        let in_blocks = in_blocks.iter().chain(&written).map(|site| format!("blocks.*.{site}"));
        let all = sites.iter().map(ToString::to_string).chain(in_blocks);
        let forward = all.fold(Plan::new(), Plan::capture);
        let kept = model.cost([1, 2, 3, 4], &forward).unwrap().bytes();
        assert_eq!(of(&Plan::new().grad("embed")) - of(&Plan::new()), kept);
    }

    /// The memory of each tensor is looked at after the run, so this says which sites share it.
    #[test]
    fn predicted_bytes_are_those_that_are_kept_in_every_architecture() {
        let plain = TransformerConfig::plain("test", 2, 12, 6, 20, 16);
        for config in [
            plain.clone(),
            TransformerConfig { n_kv_heads: 2, gated_mlp: true, norm: NormKind::Rms, ..plain.clone() },
            TransformerConfig { positions: Positions::Alibi { scaled: false }, embed_norm: true, ..plain.clone() },
            TransformerConfig { block_layout: BlockLayout::Parallel, ..plain.clone() },
            TransformerConfig { block_layout: BlockLayout::ParallelSharedNorm, ..plain.clone() },
            TransformerConfig { norm_placement: NormPlacement::Sandwich, ..plain.clone() },
            TransformerConfig { norm_placement: NormPlacement::PostOutput, ..plain.clone() },
            TransformerConfig { norm_placement: NormPlacement::PostResidual, embed_sum_norm: true, ..plain.clone() },
        ] {
            let model = HookedAutoModel::lively(&config, 1).unwrap();
            let cost = model.cost([1, 2, 3], &Plan::new().capture("*")).unwrap();
            let cache = model.run_with_cache([1, 2, 3], ["*"]).unwrap().1;
            assert_eq!(cost.bytes(), cache.bytes() as u64, "{config:?}: {:?}", cost.captures);
        }
    }
}

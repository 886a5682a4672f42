//! The variants of `transformer_lens.patching` by their names there, less `get_act_patch_`: one line each.

use arrakis_models::IntoTokens;

use super::{ActivationPatching, HeadSite, Patched, StreamSite};
use crate::error::Result;
use crate::tools::Metric;

/// Each variant: what it returns, and the general method and site it is.
macro_rules! variants {
    ($($(#[$doc:meta])* $name:ident: $method:ident($($at:expr)?) -> $found:ty;)*) => {
        /// `TransformerLens` patches a corrupted run (the target) from the cache of a clean one (the source); `pos` is
        /// a position of the prompts. All fail on prompts of different lengths, a site the model lacks, and a metric
        /// that does not fit. Keys and values of grouped heads are patched once a group, in tables that wide, where
        /// `TransformerLens` pads the `every` variants with zeros.
        impl ActivationPatching {
            $(
                $(#[$doc])*
                pub fn $name(
                    &self,
                    source: impl IntoTokens,
                    target: impl IntoTokens,
                    metric: &Metric,
                ) -> Result<$found> {
                    self.$method(source, target, metric $(, $at)?)
                }
            )*
        }
    };
}

variants! {
    /// The stream entering each block, `[layer][pos]`.
    resid_pre: by_position(StreamSite::ResidPre) -> Patched;
    /// The stream between attention and MLP, `[layer][pos]`.
    resid_mid: by_position(StreamSite::ResidMid) -> Patched;
    /// What attention adds, `[layer][pos]`.
    attn_out: by_position(StreamSite::AttnOut) -> Patched;
    /// What the MLP adds, `[layer][pos]`.
    mlp_out: by_position(StreamSite::MlpOut) -> Patched;
    /// A head's output `z` at one position: for each head, `[layer][pos]`.
    attn_head_out_by_pos: by_head_and_position(HeadSite::Z) -> Vec<Patched>;
    /// A head's query at one position: for each head, `[layer][pos]`.
    attn_head_q_by_pos: by_head_and_position(HeadSite::Q) -> Vec<Patched>;
    /// A head's key at one position: for each key head, `[layer][pos]`.
    attn_head_k_by_pos: by_head_and_position(HeadSite::K) -> Vec<Patched>;
    /// A head's value at one position: for each value head, `[layer][pos]`.
    attn_head_v_by_pos: by_head_and_position(HeadSite::V) -> Vec<Patched>;
    /// Where a head looks from one position: for each head, `[layer][destination]`.
    attn_head_pattern_by_pos: by_head_and_position(HeadSite::Pattern) -> Vec<Patched>;
    /// One weight of a head's pattern: for each layer, for each head, `[destination][source]`.
    attn_head_pattern_dest_src_pos: by_query_and_key() -> Vec<Vec<Patched>>;
    /// A head's output `z` at all positions, `[layer][head]`.
    attn_head_out_all_pos: by_head(HeadSite::Z) -> Patched;
    /// A head's queries at all positions, `[layer][head]`.
    attn_head_q_all_pos: by_head(HeadSite::Q) -> Patched;
    /// A head's keys at all positions, `[layer][key head]`.
    attn_head_k_all_pos: by_head(HeadSite::K) -> Patched;
    /// A head's values at all positions, `[layer][value head]`.
    attn_head_v_all_pos: by_head(HeadSite::V) -> Patched;
    /// Where a head looks from all positions, `[layer][head]`.
    attn_head_pattern_all_pos: by_head(HeadSite::Pattern) -> Patched;
    /// [`ActivationPatching::resid_pre`], [`ActivationPatching::attn_out`] and [`ActivationPatching::mlp_out`].
    block_every: each_by_position() -> Vec<(StreamSite, Patched)>;
    /// Every `all_pos` variant: output, query, key, value, pattern.
    attn_head_all_pos_every: each_by_head() -> Vec<(HeadSite, Patched)>;
    /// Every `by_pos` variant: output, query, key, value, pattern.
    attn_head_by_pos_every: each_by_head_and_position() -> Vec<(HeadSite, Vec<Patched>)>;
}

const BLOCK: [StreamSite; 3] = [StreamSite::ResidPre, StreamSite::AttnOut, StreamSite::MlpOut];
const HEADS: [HeadSite; 5] = [HeadSite::Z, HeadSite::Q, HeadSite::K, HeadSite::V, HeadSite::Pattern];

impl ActivationPatching {
    fn each_by_position(
        &self,
        source: impl IntoTokens,
        target: impl IntoTokens,
        metric: &Metric,
    ) -> Result<Vec<(StreamSite, Patched)>> {
        let (source, target) = self.pair(source, target)?;
        each(&BLOCK, |at| self.by_position(&source, &target, metric, at))
    }

    fn each_by_head(
        &self,
        source: impl IntoTokens,
        target: impl IntoTokens,
        metric: &Metric,
    ) -> Result<Vec<(HeadSite, Patched)>> {
        let (source, target) = self.pair(source, target)?;
        each(&HEADS, |at| self.by_head(&source, &target, metric, at))
    }

    fn each_by_head_and_position(
        &self,
        source: impl IntoTokens,
        target: impl IntoTokens,
        metric: &Metric,
    ) -> Result<Vec<(HeadSite, Vec<Patched>)>> {
        let (source, target) = self.pair(source, target)?;
        each(&HEADS, |at| self.by_head_and_position(&source, &target, metric, at))
    }
}

/// What was found at each site.
fn each<S: Copy, T>(sites: &[S], find: impl Fn(S) -> Result<T>) -> Result<Vec<(S, T)>> {
    sites.iter().map(|at| Ok((*at, find(*at)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis_models::{Edit, HookedAutoModel, HookedTransformer, TransformerConfig, site};
    use burn::tensor::Tensor;

    use crate::tools::Tool as _;
    use crate::tools::testing::close;

    const SOURCE: [u32; 4] = [1, 2, 3, 4];
    const TARGET: [u32; 4] = [1, 9, 3, 4];

    /// Four query heads on two key heads.
    fn model() -> HookedTransformer {
        let mut config = TransformerConfig::plain("test", 2, 16, 4, 20, 8);
        config.n_kv_heads = 2;
        HookedAutoModel::lively(&config, 5).unwrap()
    }

    fn metric() -> Metric {
        Metric::logit_diff(3, 7)
    }

    /// The metric of the target with the source's numbers in these ranges of one site: one run, one edit.
    fn alone(model: &HookedTransformer, at: site::Site, ranges: [std::ops::Range<usize>; 4]) -> f32 {
        let (_, cache) = model.run_with_cache(SOURCE, [at.clone()]).unwrap();
        let patch = cache.get::<4>(at.clone()).unwrap().slice(ranges.clone());
        let edit = Edit::new(move |x: Tensor<4>| x.slice_assign(ranges.clone(), patch.clone()));
        let logits = model.run_with_hooks(TARGET, [(at, edit)]).unwrap();
        metric().value(model, &logits, &arrakis_models::Tokens::new(vec![TARGET.to_vec()]).unwrap()).unwrap()
    }

    fn one(index: usize) -> std::ops::Range<usize> {
        index..index + 1
    }

    #[test]
    fn heads_by_position_equal_one_edit_at_a_time() {
        let (model, d_head) = (model(), 4);
        let tool = ActivationPatching::new(&model).unwrap();
        let every = tool.attn_head_by_pos_every(SOURCE, TARGET, &metric()).unwrap();
        let sites: [fn(usize) -> site::Site; 5] = [site::z, site::q, site::k, site::v, site::pattern];
        let mut moved = 0;
        for ((at, heads), site) in every.iter().zip(sites) {
            assert_eq!(heads.len(), if matches!(at, HeadSite::K | HeadSite::V) { 2 } else { 4 });
            for (head, found) in heads.iter().enumerate() {
                for (layer, pos) in (0..2).flat_map(|layer| (0..4).map(move |pos| (layer, pos))) {
                    let ranges = match at {
                        HeadSite::Pattern => [0..1, one(head), one(pos), 0..4],
                        _ => [0..1, one(pos), one(head), 0..d_head],
                    };
                    let cell = found.table.values[layer][pos];
                    close(cell, alone(&model, site(layer), ranges), 1e-4);
                    moved += usize::from((cell - found.target).abs() > 1e-3);
                }
            }
        }
        assert!(moved > 30, "{moved}");
    }

    #[test]
    fn each_weight_of_a_pattern_equals_one_edit_at_a_time() {
        let model = model();
        let tool = ActivationPatching::new(&model).unwrap();
        let found = tool.attn_head_pattern_dest_src_pos(SOURCE, TARGET, &metric()).unwrap();
        assert_eq!((found.len(), found[0].len()), (2, 4));
        let mut moved = 0;
        for (layer, heads) in found.iter().enumerate() {
            for (head, patched) in heads.iter().enumerate() {
                assert_eq!((patched.table.row_axis.as_str(), patched.table.column_axis.as_str()), ("query", "key"));
                for (query, row) in patched.table.values.iter().enumerate() {
                    for (key, cell) in row.iter().enumerate() {
                        let ranges = [0..1, one(head), one(query), one(key)];
                        close(*cell, alone(&model, site::pattern(layer), ranges), 1e-4);
                        assert!(key <= query || cell.to_bits() == patched.target.to_bits(), "the future has no weight");
                        moved += usize::from((cell - patched.target).abs() > 1e-3);
                    }
                }
            }
        }
        assert!(moved > 10, "{moved}");
    }

    #[test]
    fn every_is_each() {
        let model = model();
        let tool = ActivationPatching::new(&model).unwrap();
        let block = tool.block_every(SOURCE, TARGET, &metric()).unwrap();
        assert_eq!(block[0], (StreamSite::ResidPre, tool.resid_pre(SOURCE, TARGET, &metric()).unwrap()));
        assert_eq!(block[1], (StreamSite::AttnOut, tool.attn_out(SOURCE, TARGET, &metric()).unwrap()));
        assert_eq!(block[2], (StreamSite::MlpOut, tool.mlp_out(SOURCE, TARGET, &metric()).unwrap()));
        let heads = tool.attn_head_all_pos_every(SOURCE, TARGET, &metric()).unwrap();
        assert_eq!(heads[2], (HeadSite::K, tool.attn_head_k_all_pos(SOURCE, TARGET, &metric()).unwrap()));
        assert_eq!(heads[2].1.table.values[0].len(), 2, "one column a key head");
    }

    #[test]
    fn prompts_that_do_not_align_are_refused() {
        let tool = ActivationPatching::new(&model()).unwrap();
        let error = tool.block_every([1, 2], [1, 2, 3], &metric()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "activation_patching: the source is 1 × 2 tokens, the target 1 × 3; patch between prompts that align token by token"
        );
    }
}

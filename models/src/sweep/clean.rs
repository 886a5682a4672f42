//! The one clean forward of a sweep, and what is kept of it.

use std::collections::BTreeSet;

use burn::tensor::Tensor;

use super::case::{Start, SweepCase};
use crate::error::Result;
use crate::hooks::{ActivationCache, Plan};
use crate::model::HookedTransformer;
use crate::tokens::Tokens;
use crate::transformer::{KvCache, Positions};

/// What resuming needs: the stream entering blocks, keys and values, the edited sites, the logits.
pub(super) struct Clean {
    pub(super) logits: Tensor<3>,
    /// Whether an edit leaves earlier positions as they were.
    pub(super) causal: bool,
    cache: ActivationCache,
    key_site: &'static str,
}

impl Clean {
    pub(super) fn run(
        model: &HookedTransformer,
        tokens: &Tokens,
        cases: &[SweepCase],
        starts: &[Start],
    ) -> Result<Self> {
        let config = model.config();
        let key_site = if matches!(config.positions, Positions::Rotary { .. }) { "rot_k" } else { "k" };
        let first = starts.iter().filter_map(|start| start.layer).min().unwrap_or(0).min(config.n_layers);
        let mut sites = BTreeSet::new();
        for layer in first..config.n_layers {
            sites.extend([
                format!("blocks.{layer}.resid_pre"),
                format!("blocks.{layer}.attn.{key_site}"),
                format!("blocks.{layer}.attn.v"),
            ]);
        }
        sites.extend(starts.iter().filter_map(|start| start.only.clone()));
        let plan = if cases.is_empty() {
            Plan::new()
        } else {
            sites.iter().fold(Plan::new(), |plan, site| plan.capture(site.as_str()))
        };
        let outcome = model.run(tokens, plan)?;
        Ok(Self { logits: outcome.output, causal: !config.bidirectional, cache: outcome.cache, key_site })
    }

    /// The clean tensor at a site.
    pub(super) fn at(&self, site: &str) -> Result<&crate::hooks::Activation> {
        self.cache.activation(site)
    }

    /// The stream entering a block from a position on, `times` copies of the batch.
    pub(super) fn resid(&self, layer: usize, from: usize, times: usize) -> Result<Tensor<3>> {
        let resid = self.cache.get::<3>(format!("blocks.{layer}.resid_pre"))?;
        let pos = resid.dims()[1];
        Ok(resid.narrow(1, from, pos - from).repeat_dim(0, times))
    }

    /// Keys and values of the positions before `from`, for the blocks from `layer` on.
    ///
    /// A model with a norm on its keys keeps them unnormed at `k`: there `from` is 0 and nothing is asked of it.
    pub(super) fn prefix(
        &self,
        model: &HookedTransformer,
        layer: usize,
        from: usize,
        times: usize,
        tokens: &Tokens,
    ) -> Result<KvCache> {
        let mut cache = KvCache::new(model.config());
        for block in layer..model.config().n_layers {
            let keys = self.cache.get::<4>(format!("blocks.{block}.attn.{}", self.key_site))?;
            let values = self.cache.get::<4>(format!("blocks.{block}.attn.v"))?;
            let cut = |x: Tensor<4>| x.narrow(1, 0, from).repeat_dim(0, times);
            cache.layers[block] = Some((cut(keys), cut(values)));
        }
        let repeated = tokens.repeated(times);
        cache.visible = repeated.real().to_vec();
        cache.positions = repeated.positions().to_vec();
        Ok(cache)
    }
}

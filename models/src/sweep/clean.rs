//! The clean forward of a sweep, and what is kept of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::case::{Start, SweepCase};
use crate::error::Result;
use crate::hooks::{ActivationCache, Plan};
use crate::model::{HookedTransformer, RunOptions};
use crate::site::{self, Site, SiteTable};
use crate::tokens::Tokens;
use crate::transformer::QkNorm;

/// What a resumed forward needs: the stream entering each block, keys and values, the edited sites, the logits.
pub(super) struct Clean {
    /// At all positions, or at the last only.
    pub(super) logits: Tensor<3>,
    /// Whether a forward can start at a position. This requires that an edit leaves earlier positions as they were, that
    /// the kept keys are those that attention reads, and that nothing is spliced in, which may need all positions.
    pub(super) resumes: bool,
    /// Whether cases may join a forward on its way. What is spliced in where they join has run for them, and not for the others.
    pub(super) joins: bool,
    pub(super) n_layers: usize,
    cache: ActivationCache,
    /// The site whose keys are those that attention reads.
    keys: fn(usize) -> Site,
    pub(super) sites: Arc<SiteTable>,
}

impl Clean {
    pub(super) fn run(
        model: &HookedTransformer,
        tokens: &Tokens,
        cases: &[SweepCase],
        starts: &[Start],
        last_only: bool,
    ) -> Result<Self> {
        let config = model.config();
        let rotates = (site::row(site::rot_k).present)(config);
        let keys = if rotates { site::rot_k } else { site::k };
        let first = starts.iter().filter_map(|start| start.layer).min().unwrap_or(0).min(config.n_layers);
        let mut sites = BTreeSet::new();
        for layer in first..config.n_layers {
            sites.extend([site::resid_pre(layer), keys(layer), site::v(layer)].map(|site| site.to_string()));
        }
        let after_blocks = starts.iter().any(|start| start.layer == Some(usize::MAX));
        if config.n_layers > 0 && after_blocks {
            sites.insert(site::resid_post(config.n_layers - 1).to_string());
        }
        sites.extend(starts.iter().filter_map(|start| start.only.clone()));
        let plan = if cases.is_empty() {
            Plan::new()
        } else {
            sites.iter().fold(Plan::new(), |plan, site| plan.capture(site.as_str()))
        };
        // An edit after the blocks is tried on what the clean run has there, at all positions.
        let options = RunOptions { last_only: last_only && !after_blocks, ..RunOptions::default() };
        let outcome = model.run_from(tokens, plan, None, &options)?;
        let keys_as_read = rotates || (config.qk_norm == QkNorm::None && config.qkv_clip.is_none());
        let resumes = !config.bidirectional && keys_as_read && !model.has_splices();
        Ok(Self {
            logits: outcome.output,
            resumes,
            joins: !model.has_splices_at_entries(),
            n_layers: config.n_layers,
            cache: outcome.cache,
            keys,
            sites: model.site_table(),
        })
    }

    /// The clean tensor at a site.
    pub(super) fn at(&self, site: &str) -> Result<&crate::hooks::Activation> {
        self.cache.activation(site)
    }

    /// The stream entering a block, or leaving the last one, from position `from`; `times` copies of the batch.
    pub(super) fn resid(&self, layer: usize, from: usize, times: usize) -> Result<Tensor<3>> {
        let site = if layer == self.n_layers { site::resid_post(layer - 1) } else { site::resid_pre(layer) };
        let resid = self.cache.get::<3>(site)?;
        let pos = resid.dims()[1];
        Ok(resid.narrow(1, from, pos - from).repeat_dim(0, times))
    }

    /// Keys and values of the positions before `from` in one block, for `times` copies of the batch.
    pub(super) fn prefix(&self, block: usize, from: usize, times: usize) -> Result<(Tensor<4>, Tensor<4>)> {
        let cut = |x: Tensor<4>| {
            let [batch, _, heads, d_head] = x.dims();
            let x = x.narrow(1, 0, from);
            // Copies of one row are one memory.
            if batch == 1 { x.expand([times, from, heads, d_head]) } else { x.repeat_dim(0, times) }
        };
        Ok((cut(self.cache.get((self.keys)(block))?), cut(self.cache.get(site::v(block))?)))
    }
}

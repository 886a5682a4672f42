//! The forward of a group of cases.

use burn::tensor::Tensor;

use super::case::SweepCase;
use super::clean::Clean;
use super::edits;
use super::group::{Group, Leg};
use crate::error::Result;
use crate::hooks::{self, Plan};
use crate::model::{HookedTransformer, RunOptions};
use crate::tokens::Tokens;
use crate::transformer::{Context, KvCache};

/// What the forwards of a sweep have in common.
pub(super) struct Forward<'a> {
    pub(super) model: &'a HookedTransformer,
    pub(super) clean: &'a Clean,
    pub(super) cases: &'a [SweepCase],
    pub(super) tokens: &'a Tokens,
    pub(super) last_only: bool,
}

impl Forward<'_> {
    /// Logits of all cases of a group, `[case * batch, pos from the group's start, d_vocab]`.
    pub(super) fn run(&self, group: &Group) -> Result<Tensor<3>> {
        let mut stream = None;
        for leg in group.legs() {
            if stream.is_some() {
                hooks::forward_goes_on();
            }
            stream = Some(self.leg(group, &leg, stream)?);
        }
        Ok(stream.expect("BUG: a group has a case"))
    }

    /// A part of the forward. `stream` has the cases that are on their way, entering the block at which others join.
    fn leg(&self, group: &Group, leg: &Leg, stream: Option<Tensor<3>>) -> Result<Tensor<3>> {
        let (from, times) = (group.from_position, leg.joined.end);
        let plan = edits::plan(self.clean, self.cases, group, leg.joined.clone(), self.tokens)?;
        let stop_at_layer = leg.stop.map(|layer| layer as isize);
        let options = RunOptions { last_only: self.last_only, stop_at_layer, capture_limit: None };
        let Some(layer) = leg.layer else {
            return Ok(self.model.run_from(self.tokens.repeated(times), plan, None, &options)?.output);
        };
        let joining = self.clean.resid(layer, from, leg.joined.len())?;
        let resid = match stream {
            Some(stream) => Tensor::cat(vec![stream, joining], 0),
            None => joining,
        };
        if from == 0 {
            return Ok(self.model.run_from(self.tokens.repeated(times), plan, Some((layer, resid)), &options)?.output);
        }
        self.resumed(from, times, layer, leg.stop, resid, plan)
    }

    /// The blocks from `layer` on for the positions from `from` on. They run one at a time, so that the earlier keys and
    /// values of one are held.
    fn resumed(
        &self,
        from: usize,
        times: usize,
        layer: usize,
        stop: Option<usize>,
        mut resid: Tensor<3>,
        plan: Plan,
    ) -> Result<Tensor<3>> {
        let (config, repeated) = (self.model.config(), self.tokens.repeated(times));
        let (visible, positions) = (repeated.real(), repeated.positions());
        let context = Context::new(config, visible, positions, self.tokens.pos() - from, self.model.device());
        let end = stop.unwrap_or(self.clean.n_layers);
        let mut plan = Some(plan);
        let mut block = layer;
        loop {
            let next = end.min(block + 1);
            let is_last = next == end;
            let stop_at_layer = if is_last { stop } else { Some(next) }.map(|layer| layer as isize);
            let options = RunOptions { last_only: self.last_only, stop_at_layer, capture_limit: None };
            let mut cache = KvCache::new(config);
            if block < end {
                cache.layers[block] = Some(self.clean.prefix(block, from, times)?);
            }
            if plan.is_none() {
                hooks::forward_goes_on();
            }
            let plan = plan.take().unwrap_or_default();
            resid = self.model.run_blocks(resid, &repeated, plan, block..next, &context, &mut cache, &options)?.output;
            if is_last {
                return Ok(resid);
            }
            block = next;
        }
    }
}

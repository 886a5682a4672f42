//! The frozen pass: what receivers compute when the senders alone have changed.
//!
//! What attention adds to the stream is set to its value in the target run, except for heads that send. So is what MLPs
//! add, unless the path may pass through them. Each row of a forward is one set of senders on one prompt.

use std::collections::{BTreeMap, BTreeSet};

use arrakis_models::{Activation, ActivationCache, Edit, HookedTransformer, Plan, RunOptions, SweepWork, Tokens, site};
use burn::tensor::{Bool, Tensor, TensorData};

use super::ends::Through;
use super::order::{End, Reads, Start, Writes};
use crate::error::Result;
use crate::tools::Position;
use crate::tools::shared::common;

/// Senders that change together, and the receivers they reach.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) starts: Vec<Start>,
    pub(super) ends: Vec<End>,
}

/// What each receiver's site holds when only the senders have changed.
pub(super) type Recorded = BTreeMap<String, Activation>;

/// Two runs with what frozen passes need of them.
pub(super) struct Runs<'a> {
    pub(super) model: &'a HookedTransformer,
    pub(super) tokens: &'a Tokens,
    pub(super) target: ActivationCache,
    pub(super) source: ActivationCache,
}

impl Path {
    fn first(&self) -> usize {
        self.starts.iter().map(|start| start.layer).min().unwrap_or(0)
    }

    fn blocks(&self) -> usize {
        self.ends.iter().map(End::blocks).max().unwrap_or(0)
    }

    fn senders(&self, layer: usize, writes: impl Fn(Writes) -> bool) -> impl Iterator<Item = &Start> {
        self.starts.iter().filter(move |start| start.layer == layer && writes(start.writes))
    }
}

impl Runs<'_> {
    /// The paths in turns whose records fit in `held` bytes, at least one path each.
    pub(super) fn turns(&self, paths: &[Path], held: usize) -> Vec<std::ops::Range<usize>> {
        let (mut turns, mut first, mut bytes) = (Vec::new(), 0, 0);
        for (index, path) in paths.iter().enumerate() {
            let own = self.bytes(path);
            if index > first && bytes + own > held {
                turns.push(first..index);
                (first, bytes) = (index, 0);
            }
            bytes += own;
        }
        turns.push(first..paths.len());
        turns
    }

    /// The bytes that the record of a path takes, for sites of the widest kind.
    fn bytes(&self, path: &Path) -> usize {
        let (config, tokens) = (self.model.config(), self.tokens.batch() * self.tokens.pos());
        let sites: BTreeSet<String> = path.ends.iter().map(|end| end.site(self.model).to_string()).collect();
        sites.len() * tokens * config.d_model.max(config.n_heads * config.d_head) * size_of::<f32>()
    }

    /// Records every path, several in one forward. Paths whose senders start at the same layer share forwards.
    pub(super) fn record(&self, paths: &[Path], through: Through) -> Result<(Vec<Recorded>, SweepWork)> {
        let mut by_first: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, path) in paths.iter().enumerate() {
            by_first.entry(path.first()).or_default().push(index);
        }
        let (mut found, mut work) = (vec![Recorded::new(); paths.len()], SweepWork::default());
        let each = self.tokens.batch() * self.tokens.pos();
        for (first, indices) in by_first {
            for part in indices.chunks(common::copies(each)) {
                let own: Vec<&Path> = part.iter().map(|index| &paths[*index]).collect();
                let blocks = own.iter().map(|path| path.blocks()).max().unwrap_or(first);
                for (index, recorded) in part.iter().zip(self.pass(first..blocks, &own, through)?) {
                    found[*index] = recorded;
                }
                work.forwards += 1;
                work.forwards_alone += part.len();
                work.block_tokens += (blocks - first) * part.len() * each;
                work.block_tokens_alone += self.model.config().n_layers * part.len() * each;
            }
        }
        Ok((found, work))
    }

    /// One forward through some blocks.
    fn pass(&self, layers: std::ops::Range<usize>, paths: &[&Path], through: Through) -> Result<Vec<Recorded>> {
        let joined = |of: &dyn Fn(&Path) -> Result<Tensor<3>>| {
            Ok(Tensor::cat(paths.iter().map(|path| of(path)).collect::<Result<Vec<_>>>()?, 0)) as Result<_>
        };
        let mut plan = Plan::new();
        for layer in layers.clone() {
            let attn_out: Tensor<3> = joined(&|path| self.attn_out(layer, path))?;
            plan = plan.edit(site::attn_out(layer), Edit::new(move |_: Tensor<3>| attn_out.clone()).unmeasured());
            let mlps = paths.iter().map(|path| self.mlp_out(layer, path, through)).collect::<Result<Vec<_>>>()?;
            if mlps.iter().any(Mlp::is_edited) {
                plan = plan.edit(site::mlp_out(layer), edited(mlps, self.tokens.batch()));
            }
        }
        let sites: BTreeSet<String> =
            paths.iter().flat_map(|path| &path.ends).map(|end| end.site(self.model).to_string()).collect();
        plan = sites.iter().fold(plan, |plan, site| plan.capture(site.as_str()));
        let resid: Tensor<3> = joined(&|path| self.resid(layers.start, path))?;
        let options = RunOptions::new().stop_at_layer(layers.end as isize);
        let tokens = self.tokens.repeated(paths.len());
        let cache = self.model.run_from(tokens, plan, Some((layers.start, resid)), &options)?.cache;
        paths.iter().enumerate().map(|(at, path)| self.recorded(&cache, at, path)).collect()
    }

    /// The rows of one path at its receivers' sites.
    fn recorded(&self, cache: &ActivationCache, at: usize, path: &Path) -> Result<Recorded> {
        let rows = self.tokens.batch();
        let of = |end: &End| {
            let site = end.site(self.model);
            let own: Activation = match end.head() {
                Some(_) => cache.get::<4>(site)?.narrow(0, at * rows, rows).into(),
                None => cache.get::<3>(site)?.narrow(0, at * rows, rows).into(),
            };
            Ok((site.to_string(), own))
        };
        path.ends.iter().map(of).collect()
    }

    /// The stream entering a block, with that of the source where it is sent.
    fn resid(&self, layer: usize, path: &Path) -> Result<Tensor<3>> {
        let clean = self.target.get::<3>(site::resid_pre(layer))?;
        let send = |resid, start: &Start| {
            let sent = self.source.get::<3>(site::resid_pre(layer))?;
            self.at(resid, sent, start.position)
        };
        path.senders(layer, |writes| writes == Writes::Resid).try_fold(clean, send)
    }

    /// What attention adds to the stream, with those heads of the source that send.
    fn attn_out(&self, layer: usize, path: &Path) -> Result<Tensor<3>> {
        let mut heads = path.senders(layer, |writes| matches!(writes, Writes::Head(_))).peekable();
        if heads.peek().is_none() {
            return Ok(self.target.get(site::attn_out(layer))?);
        }
        let (mut z, sent) = (self.target.get::<4>(site::z(layer))?, self.source.get::<4>(site::z(layer))?);
        let [batch, pos, n_heads, d_head] = z.dims();
        for start in heads {
            let Writes::Head(head) = start.writes else { continue };
            let own = self.at(z.clone().narrow(2, head, 1), sent.clone().narrow(2, head, 1), start.position)?;
            z = z.slice_assign([0..batch, 0..pos, head..head + 1, 0..d_head], own);
        }
        let block = self.model.block(layer)?;
        let out = block.attn.w_o.apply(z.reshape([batch, pos, n_heads * d_head]));
        Ok(block.scaled(block.ln1_post.as_ref().map_or_else(|| out.clone(), |norm| norm.apply(out.clone()))))
    }

    fn mlp_out(&self, layer: usize, path: &Path, through: Through) -> Result<Mlp> {
        let frozen = match through {
            Through::Stream => Some(self.target.get::<3>(site::mlp_out(layer))?),
            Through::Mlps => None,
        };
        let sent = |start: &Start| Ok((self.source.get(site::mlp_out(layer))?, self.mask(start.position)?));
        let sent = path.senders(layer, |writes| writes == Writes::Mlp).map(sent).collect::<Result<_>>()?;
        Ok(Mlp { frozen, sent })
    }

    /// A tensor with that of the source at a position, or everywhere.
    fn at<const D: usize>(&self, own: Tensor<D>, sent: Tensor<D>, position: Option<Position>) -> Result<Tensor<D>> {
        Ok(masked(own, sent, self.mask(position)?.as_ref()))
    }

    /// True at a position of each prompt, `[batch, pos]`.
    pub(super) fn mask(&self, position: Option<Position>) -> Result<Option<Tensor<2, Bool>>> {
        let Some(position) = position else { return Ok(None) };
        let (slots, pos) = (position.of(self.tokens)?, self.tokens.pos());
        let flags: Vec<bool> = slots.iter().flat_map(|slot| (0..pos).map(move |own| own == *slot)).collect();
        Ok(Some(Tensor::from_data(TensorData::new(flags, [slots.len(), pos]), self.model.device())))
    }

    /// The edit that lets one receiver read what was recorded. The stream receives the change in addition to others.
    pub(super) fn edit(&self, end: &End, recorded: &Recorded) -> Result<Edit> {
        let found = &recorded[&end.site(self.model).to_string()];
        if end.reads == Reads::Resid {
            let clean = self.target.get::<3>(end.site(self.model))?;
            let moved = masked(clean.clone(), found.tensor::<3>()?, self.mask(end.position)?.as_ref()) - clean;
            return Ok(Edit::new(move |resid: Tensor<3>| resid + moved.clone()).named("path"));
        }
        let patch = arrakis_models::Intervention::patch(found);
        let patch = end.head().into_iter().fold(patch, arrakis_models::Intervention::head);
        Ok(end.position.into_iter().fold(patch, |patch, position| patch.positions([position.offset()])).into())
    }
}

/// What an MLP adds to the stream in the rows of one path.
struct Mlp {
    /// Its value in the target run; none if it is recomputed.
    frozen: Option<Tensor<3>>,
    /// Its value in the source run, and where it is sent.
    sent: Vec<(Tensor<3>, Option<Tensor<2, Bool>>)>,
}

impl Mlp {
    fn is_edited(&self) -> bool {
        self.frozen.is_some() || !self.sent.is_empty()
    }

    fn apply(&self, computed: Tensor<3>) -> Tensor<3> {
        let own = self.frozen.clone().unwrap_or(computed);
        self.sent.iter().fold(own, |own, (sent, mask)| masked(own, sent.clone(), mask.as_ref()))
    }
}

fn edited(mlps: Vec<Mlp>, rows: usize) -> Edit {
    let edit = Edit::new(move |computed: Tensor<3>| {
        let own = mlps.iter().enumerate().map(|(at, mlp)| mlp.apply(computed.clone().narrow(0, at * rows, rows)));
        Tensor::cat(own.collect(), 0)
    });
    edit.unmeasured()
}

/// `other` where the mask (`[batch, pos]`) is true; everywhere without a mask.
fn masked<const D: usize>(own: Tensor<D>, other: Tensor<D>, mask: Option<&Tensor<2, Bool>>) -> Tensor<D> {
    let Some(mask) = mask else { return other };
    let (mut shape, dims) = ([1; D], own.dims());
    shape[..2].copy_from_slice(&mask.dims());
    own.mask_where(mask.clone().reshape(shape).expand(dims), other)
}

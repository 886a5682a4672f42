//! One block: how attention, MLP and norms write into the residual stream.

use arrakis_macros::hooked;
use burn::module::Module;
use burn::tensor::{Slice, Tensor};

use super::attention::{Attention, LayerCache};
use super::context::LayerContext;
use super::mlp::Mlp;
use super::moe::MixtureOfExperts;
use super::norm::Norm;
use super::source::Source;
use crate::config::{BlockLayout, NormPlacement, TransformerConfig};
use crate::hooks;
use crate::site::{Place, rows};

/// Sites whose edit gives each head an input of its own: those of the block itself that are computed beside the forward.
fn split_inputs_any(asked: fn(&str) -> bool) -> bool {
    rows(Place::Block).filter(|row| row.side && !row.name.contains('.')).any(|row| asked(row.name))
}

/// The MLP of a block, or its experts.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "one per block, never moved about")]
pub enum Neurons {
    /// One MLP for all tokens.
    Dense(Mlp),
    /// A router and its experts.
    Mixture(MixtureOfExperts),
    /// Neither: attention alone.
    Absent(NoNeurons),
}

impl Neurons {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Dense(mlp) => mlp.forward(x),
            Self::Mixture(experts) => experts.forward(x),
            Self::Absent(none) => none.forward(x),
        }
    }
}

/// What takes the place of an MLP in a model of attention alone. It writes nothing, so what reads MLPs finds zeros.
#[derive(Module, Debug)]
pub struct NoNeurons {}

impl NoNeurons {
    /// `[batch, pos, d_model]` to zeros of the same shape. Sites: `out`.
    #[hooked]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let out = x.zeros_like();
        out
    }
}

/// One block of the transformer.
#[derive(Module, Debug)]
pub struct Block {
    /// The norm before attention; with [`NormPlacement::PostResidual`] the norm after its addition.
    pub ln1: Option<Norm>,
    /// The norm on attention's output.
    pub ln1_post: Option<Norm>,
    /// The attention.
    pub attn: Attention,
    /// The norm before the MLP; with [`NormPlacement::PostResidual`] the norm after its addition.
    pub ln2: Option<Norm>,
    /// The norm on the MLP's output.
    pub ln2_post: Option<Norm>,
    /// The MLP.
    pub mlp: Neurons,
    /// What attention and MLP write is multiplied by this before it is added to the stream.
    #[module(skip)]
    pub residual_scale: Option<f64>,
    #[module(skip)]
    placement: NormPlacement,
    #[module(skip)]
    layout: BlockLayout,
}

impl Block {
    /// Takes the layer's parameters from the source.
    pub fn build(source: &mut impl Source, layer: usize, config: &TransformerConfig) -> Self {
        let name = format!("blocks.{layer}");
        let mut norm = |part: &str, there: bool| {
            there.then(|| Norm::build(source, &format!("{name}.{part}"), config.d_model, config))
        };
        let before = !matches!(config.norm_placement, NormPlacement::PostOutput | NormPlacement::None);
        let after = matches!(config.norm_placement, NormPlacement::Sandwich | NormPlacement::PostOutput);
        let (ln1, ln1_post) = (norm("ln1", before), norm("ln1_post", after));
        let own = config.block_layout != BlockLayout::ParallelSharedNorm && !config.attn_only;
        let (ln2, ln2_post) = (norm("ln2", before && own), norm("ln2_post", after && !config.attn_only));
        let attn = Attention::build(source, layer, config);
        let mlp = match config.experts {
            Some(experts) => Neurons::Mixture(MixtureOfExperts::build(source, &format!("{name}.mlp"), experts, config)),
            None if config.attn_only => Neurons::Absent(NoNeurons {}),
            None => Neurons::Dense(Mlp::build(source, &format!("{name}.mlp"), config)),
        };
        let (placement, layout) = (config.norm_placement, config.block_layout);
        Self { ln1, ln1_post, attn, ln2, ln2_post, mlp, residual_scale: config.residual_scale, placement, layout }
    }

    /// `[batch, pos, d_model]` to the same. Sites: `resid_pre attn_out resid_mid mlp_in mlp_read mlp_out resid_post`.
    #[hooked(inputs(resid_pre), skip(shared, carried))]
    pub(super) fn forward(
        &self,
        resid_pre: Tensor<3>,
        context: &LayerContext<'_>,
        cache: Option<&mut LayerCache>,
    ) -> Tensor<3> {
        if self.placement == NormPlacement::Carried {
            let carried = self.normed_1(resid_pre.clone());
            let attn_out = self.attention(resid_pre, Some(carried.clone()), context, cache);
            let resid_mid = carried + attn_out;
            let carried = self.normed_2(resid_mid.clone());
            let mlp_out = self.neurons(resid_mid, Some(carried.clone()));
            let resid_post = carried + mlp_out;
            resid_post
        } else if self.layout == BlockLayout::Serial {
            let attn_out = self.attention(resid_pre.clone(), None, context, cache);
            let resid_mid = self.settled(resid_pre + attn_out, self.ln1.as_ref());
            let mlp_out = self.neurons(resid_mid.clone(), None);
            let resid_post = self.settled(resid_mid + mlp_out, self.ln2.as_ref());
            resid_post
        } else {
            let shared = (self.layout == BlockLayout::ParallelSharedNorm).then(|| self.normed_1(resid_pre.clone()));
            let attn_out = self.attention(resid_pre.clone(), shared.clone(), context, cache);
            let mlp_out = self.neurons(resid_pre.clone(), shared);
            let resid_post = resid_pre + attn_out + mlp_out;
            resid_post
        }
    }

    /// Takes the stream and returns what attention adds to it. `shared` is the normed stream, if it is already
    /// computed.
    #[hooked(skip(read, out))]
    fn attention(
        &self,
        resid_pre: Tensor<3>,
        shared: Option<Tensor<3>>,
        context: &LayerContext<'_>,
        cache: Option<&mut LayerCache>,
    ) -> Tensor<3> {
        let out = if split_inputs_any(hooks::edited) {
            let read = self.split_inputs(resid_pre).map(|x| self.before(x, self.ln1.as_ref()));
            self.attn.forward_split(read, context, cache)
        } else {
            self.show_inputs(&resid_pre);
            let read = shared.unwrap_or_else(|| self.normed_1(resid_pre));
            self.attn.forward(read, context, cache)
        };
        self.added(out, self.ln1_post.as_ref())
    }

    /// Takes the stream and returns what the MLP adds to it. `shared` is the normed stream, if it is already computed.
    #[hooked(skip(out, norm), inputs(mlp_in))]
    fn neurons(&self, mlp_in: Tensor<3>, shared: Option<Tensor<3>>) -> Tensor<3> {
        let norm = if self.layout == BlockLayout::Serial { &self.ln2 } else { &self.ln1 };
        let mlp_read = match shared {
            Some(_) if hooks::edited("mlp_in") => self.before(mlp_in, norm.as_ref()),
            Some(shared) => shared,
            None => self.normed_2(mlp_in),
        };
        let out = self.mlp.forward(mlp_read);
        self.added(out, self.ln2_post.as_ref())
    }

    #[hooked]
    fn normed_1(&self, x: Tensor<3>) -> Tensor<3> {
        if let Some(ln1) = &self.ln1
            && self.norms_first()
        {
            ln1.forward(x)
        } else {
            x
        }
    }

    #[hooked]
    fn normed_2(&self, x: Tensor<3>) -> Tensor<3> {
        if let Some(ln2) = &self.ln2
            && self.norms_first()
        {
            ln2.forward(x)
        } else {
            x
        }
    }

    /// One copy of the stream for each head. An edit of `attn_in` reaches queries, keys and values; an edit of
    /// `q_input`, `k_input` or `v_input` reaches only one of them.
    #[hooked]
    fn split_inputs(&self, resid_pre: Tensor<3>) -> [Tensor<4>; 3] {
        let attn_in = per_head(&resid_pre, self.attn.n_heads);
        let q_input = attn_in.clone();
        let k_input = self.grouped(attn_in.clone());
        let v_input = self.grouped(attn_in);
        [q_input, k_input, v_input]
    }

    /// Captures do not need a split: the copies are only passed to the hooks, and the block runs as usual.
    fn show_inputs(&self, resid_pre: &Tensor<3>) {
        if split_inputs_any(hooks::asked) {
            drop(self.split_inputs(resid_pre.clone()));
        }
    }

    /// For each key head, the copy of the first query head of its group.
    fn grouped(&self, x: Tensor<4>) -> Tensor<4> {
        if self.attn.n_kv_heads == self.attn.n_heads {
            return x;
        }
        let group = self.attn.n_heads / self.attn.n_kv_heads;
        x.slice([Slice::full(), Slice::full(), Slice::with_step(0, None, group as isize)])
    }

    /// What the stream receives of what a part writes: normed, if the block has a norm there, and scaled.
    fn added(&self, x: Tensor<3>, norm: Option<&Norm>) -> Tensor<3> {
        let normed = match norm {
            Some(norm) => norm.apply(x),
            None => x,
        };
        self.scaled(normed)
    }

    /// What the stream receives of what attention or MLP write, after their norm if there is one: any part of it, of any
    /// shape.
    pub fn scaled<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self.residual_scale {
            Some(scale) => x * scale,
            None => x,
        }
    }

    /// Whether `ln1` and `ln2` come before attention and the MLP.
    fn norms_first(&self) -> bool {
        self.placement != NormPlacement::PostResidual
    }

    fn before<const D: usize>(&self, x: Tensor<D>, norm: Option<&Norm>) -> Tensor<D> {
        match norm.filter(|_| self.norms_first()) {
            Some(norm) => norm.apply(x),
            None => x,
        }
    }

    /// The stream after an addition, normed only if norms follow the addition.
    fn settled(&self, x: Tensor<3>, norm: Option<&Norm>) -> Tensor<3> {
        match norm {
            Some(norm) if !self.norms_first() => norm.apply(x),
            _ => x,
        }
    }
}

/// `[batch, pos, d_model]` to `[batch, pos, head, d_model]`.
fn per_head(x: &Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, pos, d_model] = x.dims();
    x.clone().reshape([batch, pos, 1, d_model]).expand([batch, pos, heads, d_model])
}

//! The network: embedding, blocks, final norm, unembedding.

use arrakis_macros::hooked;
use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, activation};

use super::block::Block;
use super::context::{Context, KvCache, LayerContext};
use super::embed::{Embedding, Unembedding};
use super::linear::Linear;
use super::norm::Norm;
use super::source::{Init, Source};
use crate::config::{NormPlacement, Positions, TransformerConfig};
use crate::ground::dtype::widened;
use crate::kernels::product;

/// A transformer as a Burn module. Its methods only compute; the model that holds it checks its inputs.
#[derive(Module, Debug)]
pub struct Transformer {
    /// `[d_vocab, d_model]`
    pub embed: Embedding,
    /// Right after the embedding (BLOOM), or after the sum of all embeddings (BERT).
    pub embed_norm: Option<Norm>,
    /// From the embedding's width to the stream's (OPT-350m).
    pub project_in: Option<Linear>,
    /// `[positions, d_model]`
    pub pos_embed: Option<Embedding>,
    /// `[token_types, d_model]` (BERT).
    pub type_embed: Option<Embedding>,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// A dense layer before the last norm, followed by the activation (BERT's masked-LM head).
    pub transform: Option<Linear>,
    /// The last norm.
    pub ln_final: Option<Norm>,
    /// From the stream's width to the embedding's.
    pub project_out: Option<Linear>,
    /// Logits.
    pub unembed: Unembedding,
    /// The architecture.
    #[module(skip)]
    pub config: TransformerConfig,
}

impl Transformer {
    /// Takes every parameter from the source.
    pub fn build(source: &mut impl Source, config: &TransformerConfig) -> Self {
        let d_embed = config.d_embed.unwrap_or(config.d_model);
        let embed = Embedding::build(source, "embed", [config.d_vocab, d_embed]);
        let normed = config.embed_norm || config.embed_sum_norm;
        let embed_norm = normed.then(|| Norm::build(source, "embed_norm", config.d_model, config));
        let mut project =
            |name: &str, shape| config.d_embed.map(|_| Linear::build(source, name, shape, false, Init::Normal(0.02)));
        let project_in = project("project_in", [d_embed, config.d_model]);
        let project_out = project("project_out", [config.d_model, d_embed]);
        let pos_embed = match config.positions {
            Positions::Learned { offset } => {
                Some(Embedding::build(source, "pos_embed", [config.n_ctx + offset, config.d_model]))
            }
            Positions::Shortformer => Some(Embedding::build(source, "pos_embed", [config.n_ctx, config.d_model])),
            _ => None,
        };
        let type_embed =
            config.token_types.map(|types| Embedding::build(source, "type_embed", [types, config.d_model]));
        let blocks = (0..config.n_layers).map(|layer| Block::build(source, layer, config)).collect();
        let square = [config.d_model, config.d_model];
        let transform =
            config.unembed_transform.then(|| Linear::build(source, "transform", square, true, Init::Normal(0.02)));
        let ln_final = config.final_norm.then(|| Norm::build(source, "ln_final", config.d_model, config));
        let unembed = Unembedding::build(source, [d_embed, config.d_vocab], config.tied, config.unembed_bias);
        Self {
            embed,
            embed_norm,
            project_in,
            pos_embed,
            type_embed,
            blocks,
            transform,
            ln_final,
            project_out,
            unembed,
            config: config.clone(),
        }
    }

    /// Tokens `[batch, pos]` to the stream entering block 0, `[batch, pos, d_model]`. Sites: `embed`,
    /// `token_type_embed`, `pos_embed`.
    #[hooked(skip(sum))]
    pub fn forward_embed(&self, ids: Tensor<2, Int>, context: &Context) -> Tensor<3> {
        let embed = self.embedded(ids);
        let sum = self.with_positions(self.with_types(embed, context), context);
        match &self.embed_norm {
            Some(norm) if self.config.embed_sum_norm => norm.apply(sum),
            _ => sum,
        }
    }

    #[hooked(skip(rows))]
    fn with_types(&self, stream: Tensor<3>, context: &Context) -> Tensor<3> {
        let Some(table) = &self.type_embed else { return stream };
        let rows = match &context.types {
            Some(types) => table.lookup(types.clone()),
            None => table.weight.val().narrow(0, 0, 1).unsqueeze(),
        };
        let token_type_embed = rows.expand(stream.dims());
        stream + token_type_embed
    }

    #[hooked(skip(rows))]
    fn with_positions(&self, stream: Tensor<3>, context: &Context) -> Tensor<3> {
        let (Some(table), Positions::Learned { offset }) = (&self.pos_embed, &self.config.positions) else {
            return stream;
        };
        let rows = table.lookup(context.positions.clone() + *offset as i64);
        let pos_embed = rows.expand(stream.dims());
        stream + pos_embed
    }

    fn embedded(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let mut embed = self.embed.lookup(ids);
        if let Some(scale) = self.config.embed_scale {
            embed = embed * scale;
        }
        if let Some(norm) = &self.embed_norm
            && self.config.embed_norm
        {
            embed = norm.apply(embed);
        }
        match &self.project_in {
            Some(project) => project.apply(embed),
            None => embed,
        }
    }

    /// The stream through blocks `start..stop`, `[batch, pos, d_model]` to the same.
    #[hooked(skip(resid, beside, layer_context, layer_cache))]
    pub fn forward_blocks(
        &self,
        resid: Tensor<3>,
        layers: std::ops::Range<usize>,
        context: &Context,
        mut cache: Option<&mut KvCache>,
    ) -> Tensor<3> {
        let mut resid = resid;
        let beside = self.beside(context);
        for (layer, block) in self.blocks.iter().enumerate().skip(layers.start).take(layers.len()) {
            let layer_context = LayerContext { beside: beside.clone(), ..context.layer(layer, &self.config) };
            let layer_cache = cache.as_mut().map(|cache| &mut cache.layers[layer]);
            resid = block.forward(resid, &layer_context, layer_cache);
        }
        resid
    }

    /// What queries and keys read besides the stream: the positions of Shortformer.
    fn beside(&self, context: &Context) -> Option<Tensor<3>> {
        let table = self.pos_embed.as_ref().filter(|_| self.config.positions == Positions::Shortformer)?;
        Some(table.lookup(context.positions.clone()))
    }

    /// The stream to logits `[batch, pos, d_vocab]`. Sites: `ln_final.*`, `logits`.
    #[hooked]
    pub fn forward_unembed(&self, resid: Tensor<3>) -> Tensor<3> {
        let logits = self.logits(self.final_normed(resid));
        logits
    }

    #[hooked]
    fn final_normed(&self, resid: Tensor<3>) -> Tensor<3> {
        if let Some(ln_final) = &self.ln_final {
            ln_final.forward(self.transformed(resid))
        } else {
            self.transformed(resid)
        }
    }

    fn transformed(&self, resid: Tensor<3>) -> Tensor<3> {
        match &self.transform {
            Some(dense) => self.config.activation.apply(dense.apply(resid)),
            None => resid,
        }
    }

    /// Logits of a stream that has passed the final norm: `[batch, pos, d_model]` to `[batch, pos, d_vocab]`.
    pub fn logits(&self, normed: Tensor<3>) -> Tensor<3> {
        let normed = match &self.project_out {
            Some(project) => project.apply(normed),
            None => normed,
        };
        let [batch, pos, width] = normed.dims();
        let weight = match &self.unembed.weight {
            Some(weight) => weight.val(),
            None => self.embed.weight.val().transpose(),
        };
        let bias = self.unembed.bias.as_ref().map(Param::val);
        let mut logits = product(normed.reshape([batch * pos, width]), weight, bias);
        if let Some(scale) = self.config.logit_scale {
            logits = logits * scale;
        }
        if let Some(cap) = self.config.final_softcap {
            logits = activation::tanh(logits / cap) * cap;
        }
        logits.reshape([batch, pos, self.config.d_vocab])
    }

    /// `W_U`, `[d_model, d_vocab]`: the embedding's transpose if tied.
    pub fn unembedding(&self) -> Tensor<2> {
        match &self.unembed.weight {
            Some(weight) => widened(weight.val()),
            None => self.embed.table().transpose(),
        }
    }

    /// Whether the stream entering the last norm is the plain sum of everything written into it.
    pub fn is_additive(&self) -> bool {
        !matches!(self.config.norm_placement, NormPlacement::PostResidual | NormPlacement::Carried)
    }
}

//! The residual stream of one run as a sum of named components.
//!
//! If a block norms what it adds (Gemma 2, `OLMo` 2), each head's share passes that norm with the scale frozen at this
//! run's value, so that the shares still add up.

use arrakis_models::site::{self, Place, Site, SiteInfo};
use arrakis_models::transformer::Norm;
use arrakis_models::{ActivationCache, HookedTransformer, Tokens};
use burn::tensor::{Int, Tensor, TensorData};

use super::common;
use crate::error::{Error, Result};

/// A run with what a decomposition of its residual stream needs.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) model: HookedTransformer,
    pub(crate) tokens: Tokens,
    pub(crate) logits: Tensor<3>,
    pub(crate) cache: ActivationCache,
}

impl Stream {
    /// Runs the model once. `also` names more sites to keep.
    pub(crate) fn run(
        tool: &'static str,
        model: &HookedTransformer,
        tokens: Tokens,
        also: impl IntoIterator<Item = String>,
    ) -> Result<Self> {
        if !model.net().is_additive() {
            let problem = "this architecture norms the stream after each addition, so the stream is not a sum of what was written; use ablation or patching instead";
            return Err(Error::Tool { tool, problem: problem.into() });
        }
        let in_blocks = [
            site::resid_pre,
            site::resid_mid,
            site::z,
            site::attn_out_unnormed,
            site::mlp_out_unnormed,
            site::attn_out,
            site::mlp_out,
            site::resid_post,
            site::ln1_scale,
            site::ln2_scale,
        ];
        let wanted =
            in_blocks.map(site::row).into_iter().chain(site::rows(Place::Before)).chain([site::ln_final_scale().row()]);
        let there = wanted.filter(|row| (row.present)(model.config()));
        let mut sites: Vec<String> = there.map(SiteInfo::pattern).collect();
        sites.extend(also);
        let (logits, cache) = model.run_with_cache(&tokens, sites)?;
        Ok(Self { model: model.clone(), tokens, logits, cache })
    }

    /// The run cut to one position; the position axis stays.
    pub(crate) fn at(&self, pos: usize) -> Result<Self> {
        Ok(Self { cache: self.cache.positions(pos..pos + 1)?, ..self.clone() })
    }

    /// One prompt of the run, without its padding.
    pub(crate) fn row(&self, row: usize) -> Result<Self> {
        let real = self.tokens.real()[row].iter().enumerate().filter(|(_, real)| **real);
        let own: Vec<isize> = real.map(|(slot, _)| slot as isize).collect();
        let ids: Vec<i64> = own.iter().map(|slot| *slot as i64).collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [own.len()]), self.model.device());
        Ok(Self {
            model: self.model.clone(),
            tokens: self.tokens.row(row)?,
            logits: self.logits.clone().narrow(0, row, 1).select(1, ids),
            cache: self.cache.batch_row(row)?.positions(own)?,
        })
    }

    pub(crate) fn n_layers(&self) -> usize {
        self.model.config().n_layers
    }

    /// Every embedding of the model (tokens, token types, positions) by name, each `[batch, pos, d_model]`.
    pub(crate) fn embeddings(&self) -> Result<Vec<(String, Tensor<3>)>> {
        let there = site::rows(Place::Before).filter(|row| (row.present)(self.model.config()));
        there.map(|row| Ok((row.name.to_owned(), self.cache.get(row.name)?))).collect()
    }

    /// What each head of a layer adds to the stream, without biases: `[batch, pos, head, d_model]`.
    pub(crate) fn head_results(&self, layer: usize) -> Result<Tensor<4>> {
        let results = self.model.block(layer)?.attn.head_results(self.cache.get(site::z(layer))?);
        self.as_attention(layer, results)
    }

    /// What the stream receives of vectors that attention writes, without biases: `[batch, pos, n, d_model]` to the same.
    pub(crate) fn as_attention(&self, layer: usize, written: Tensor<4>) -> Result<Tensor<4>> {
        let block = self.model.block(layer)?;
        let Some(norm) = &block.ln1_post else { return Ok(block.scaled(written)) };
        let scale = post_scale(norm, self.cache.get(site::attn_out_unnormed(layer))?);
        Ok(block.scaled(frozen(norm, written, scale.unsqueeze_dim(2))))
    }

    /// What attention reads of parts of the stream, without the norm's bias: `[batch, pos, n, d_model]` to the same.
    pub(crate) fn read_by_attention(&self, layer: usize, parts: Tensor<4>) -> Result<Tensor<4>> {
        let Some(norm) = &self.model.block(layer)?.ln1 else { return Ok(parts) };
        Ok(frozen(norm, parts, self.cache.get::<3>(site::ln1_scale(layer))?.unsqueeze_dim(2)))
    }

    /// What the final norm passes on of parts of the stream, without its bias: `[batch, pos, n, d_model]` to the same.
    pub(crate) fn read_by_unembedding(&self, parts: Tensor<4>) -> Result<Tensor<4>> {
        let Some(norm) = &self.model.net().ln_final else { return Ok(parts) };
        Ok(frozen(norm, parts, self.cache.get::<3>(site::ln_final_scale())?.unsqueeze_dim(2)))
    }

    /// What attention adds to the stream at position `query` from each position, over all heads and without biases:
    /// `[pos, d_model]`. The run has one row and keeps `attn.pattern` and `attn.v`.
    pub(crate) fn sources(&self, layer: usize, query: usize) -> Result<Tensor<2>> {
        let block = self.model.block(layer)?;
        let pattern: Tensor<4> = self.cache.get(site::pattern(layer))?;
        let weights = pattern.narrow(2, query, 1).swap_dims(1, 3).swap_dims(2, 3);
        let values = block.attn.per_query_head(self.cache.get(site::v(layer))?);
        let results = block.attn.head_results(values * weights).sum_dim(2);
        let [_, pos, _, d_model] = results.dims();
        let written = self.at(query)?.as_attention(layer, results.reshape([1, 1, pos, d_model]))?;
        Ok(written.reshape([pos, d_model]))
    }

    /// What attention's output bias adds to the stream: `[batch, pos, d_model]`.
    pub(crate) fn attn_bias(&self, layer: usize) -> Result<Tensor<3>> {
        let dims = self.cache.get::<3>(site::attn_out(layer))?.dims();
        let bias = self.model.b_o(layer)?.reshape([1, 1, dims[2]]).expand(dims);
        let block = self.model.block(layer)?;
        Ok(block.scaled(self.after_norm(bias, block.ln1_post.as_ref(), site::attn_out_unnormed(layer))?))
    }

    /// What the MLP's output bias adds to the stream, `[batch, pos, d_model]`.
    pub(crate) fn mlp_bias(&self, layer: usize) -> Result<Tensor<3>> {
        let out: Tensor<3> = self.cache.get(site::mlp_out(layer))?;
        let dims = out.dims();
        let bias = match &self.model.block(layer)?.mlp {
            arrakis_models::transformer::Neurons::Dense(mlp) => mlp.w_out.bias.as_ref().map(burn::module::Param::val),
            arrakis_models::transformer::Neurons::Mixture(_) | arrakis_models::transformer::Neurons::Absent(_) => None,
        };
        let bias =
            bias.map_or_else(|| Tensor::zeros(dims, &out.device()), |bias| bias.reshape([1, 1, dims[2]]).expand(dims));
        let block = self.model.block(layer)?;
        Ok(block.scaled(self.after_norm(bias, block.ln2_post.as_ref(), site::mlp_out_unnormed(layer))?))
    }

    fn after_norm(&self, bias: Tensor<3>, norm: Option<&Norm>, site: Site) -> Result<Tensor<3>> {
        let Some(norm) = norm else { return Ok(bias) };
        let scale = post_scale(norm, self.cache.get(site)?);
        let out = frozen(norm, bias, scale);
        Ok(match &norm.bias {
            Some(own) => out + own.val().unsqueeze(),
            None => out,
        })
    }

    /// The rows of `W_out` as the stream receives them, `[d_mlp, d_model]`, for a run cut to one position of one row.
    pub(crate) fn neuron_directions(&self, layer: usize) -> Result<Tensor<2>> {
        let w_out = self.model.w_out(layer)?;
        let block = self.model.block(layer)?;
        Ok(block.scaled(match &block.ln2_post {
            Some(norm) => {
                let out: Tensor<3> = self.cache.get(site::mlp_out_unnormed(layer))?;
                frozen(norm, w_out, post_scale(norm, out).reshape([1, 1]))
            }
            None => w_out,
        }))
    }
}

fn post_scale(norm: &Norm, out: Tensor<3>) -> Tensor<3> {
    let centred = norm.centre(out);
    norm.scale(centred)
}

/// Applies a norm without its bias, with a given scale, so that it is linear in `x`.
pub(crate) fn frozen<const D: usize>(norm: &Norm, x: Tensor<D>, scale: Tensor<D>) -> Tensor<D> {
    let out = norm.centre(x) / scale;
    match gain(norm) {
        Some(gain) => out * gain.unsqueeze(),
        None => out,
    }
}

/// What a norm multiplies by, `[d_model]`.
pub(crate) fn gain(norm: &Norm) -> Option<Tensor<1>> {
    let weight = norm.weight.as_ref()?.val();
    Some(if norm.kind.is_offset() { weight + 1.0 } else { weight })
}

/// The direction along which the unembedding reads each token's logit, without the final norm's weight:
/// `[token, d_model]`.
pub(crate) fn unembed_directions(model: &HookedTransformer, ids: &[u32]) -> Result<Tensor<2>> {
    ids.iter().try_for_each(|id| common::check_token(model, *id))?;
    let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids.clone(), [ids.len()]), model.device());
    let mut directions = model.w_u().select(1, ids);
    if let Some(project) = &model.net().project_out {
        directions = project.matrix().matmul(directions);
    }
    Ok(directions.transpose() * model.config().logit_scale.unwrap_or(1.0))
}

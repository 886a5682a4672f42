//! Weights by head, with TransformerLens's axes.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::HookedTransformer;
use crate::error::{Error, Result};
use crate::hooks::{Activation, parameters};
use crate::transformer::{Block, Linear};

impl HookedTransformer {
    /// Every parameter by path, in path order. Matrices are `[in, out]`.
    pub fn parameters(&self) -> Vec<(String, Activation)> {
        parameters(&self.net)
    }

    /// The number of parameters.
    pub fn n_params(&self) -> usize {
        self.net.num_params()
    }

    /// One block.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a layer that does not exist.
    pub fn block(&self, layer: usize) -> Result<&Block> {
        self.net.blocks.get(layer).ok_or_else(|| Error::out_of_range("layer", layer, self.config().n_layers))
    }

    /// `W_Q` `[n_heads, d_model, d_head]`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a layer that does not exist, as for every weight that belongs to a layer.
    pub fn w_q(&self, layer: usize) -> Result<Tensor<3>> {
        Ok(by_head_in(&self.block(layer)?.attn.w_q, self.config().n_heads))
    }

    /// `W_K` `[n_heads, d_model, d_head]`, repeated for the query heads that share them.
    pub fn w_k(&self, layer: usize) -> Result<Tensor<3>> {
        Ok(self.ungrouped(by_head_in(&self.block(layer)?.attn.w_k, self.config().n_kv_heads)))
    }

    /// `W_V` `[n_heads, d_model, d_head]`, repeated for the query heads that share them.
    pub fn w_v(&self, layer: usize) -> Result<Tensor<3>> {
        Ok(self.ungrouped(by_head_in(&self.block(layer)?.attn.w_v, self.config().n_kv_heads)))
    }

    /// `W_O` `[n_heads, d_head, d_model]`.
    pub fn w_o(&self, layer: usize) -> Result<Tensor<3>> {
        let config = self.config();
        let weight = self.block(layer)?.attn.w_o.matrix();
        Ok(weight.reshape([config.n_heads, config.d_head, config.d_model]))
    }

    /// `b_Q` `[n_heads, d_head]`, zeros if there is none.
    pub fn b_q(&self, layer: usize) -> Result<Tensor<2>> {
        Ok(self.bias_by_head(&self.block(layer)?.attn.w_q))
    }

    /// `b_K` `[n_heads, d_head]`, repeated for the query heads that share them; zeros if there is none.
    pub fn b_k(&self, layer: usize) -> Result<Tensor<2>> {
        Ok(self.bias_by_head(&self.block(layer)?.attn.w_k))
    }

    /// `b_V` `[n_heads, d_head]`, repeated for the query heads that share them; zeros if there is none.
    pub fn b_v(&self, layer: usize) -> Result<Tensor<2>> {
        Ok(self.bias_by_head(&self.block(layer)?.attn.w_v))
    }

    /// `b_O` `[d_model]`, zeros if there is none.
    pub fn b_o(&self, layer: usize) -> Result<Tensor<1>> {
        Ok(bias(&self.block(layer)?.attn.w_o))
    }

    /// `W_E` `[d_vocab, d_model]`, without the architecture's scale.
    pub fn w_e(&self) -> Tensor<2> {
        self.net.embed.table()
    }

    /// `W_pos` `[positions, d_model]`, the learned vectors of positions.
    ///
    /// # Errors
    ///
    /// [`Error::NoWeight`] if positions are not learned.
    pub fn w_pos(&self) -> Result<Tensor<2>> {
        let table = self
            .net
            .pos_embed
            .as_ref()
            .ok_or_else(|| Error::NoWeight { weight: "W_pos", why: "its positions are not learned vectors".into() })?;
        Ok(table.table())
    }

    /// `W_U` `[d_model, d_vocab]`.
    pub fn w_u(&self) -> Tensor<2> {
        self.net.unembedding()
    }

    /// `b_U` `[d_vocab]`, zeros if there is none.
    pub fn b_u(&self) -> Tensor<1> {
        match &self.net.unembed.bias {
            Some(bias) => bias.val(),
            None => Tensor::zeros([self.config().d_vocab], &self.device),
        }
    }

    /// `W_in` `[d_model, d_mlp]`.
    ///
    /// # Errors
    ///
    /// [`Error::NoWeight`] for a mixture of experts.
    pub fn w_in(&self, layer: usize) -> Result<Tensor<2>> {
        Ok(self.mlp(layer, "W_in")?.w_in.matrix())
    }

    /// `W_out` `[d_mlp, d_model]`.
    ///
    /// # Errors
    ///
    /// [`Error::NoWeight`] for a mixture of experts.
    pub fn w_out(&self, layer: usize) -> Result<Tensor<2>> {
        Ok(self.mlp(layer, "W_out")?.w_out.matrix())
    }

    /// `W_gate` `[d_model, d_mlp]`, whose output goes through the nonlinearity.
    ///
    /// # Errors
    ///
    /// [`Error::NoWeight`] if the MLP is not gated, and for a mixture of experts.
    pub fn w_gate(&self, layer: usize) -> Result<Tensor<2>> {
        let gate = self.mlp(layer, "W_gate")?.w_gate.as_ref();
        let gate =
            gate.ok_or_else(|| Error::NoWeight { weight: "W_gate", why: "its MLP is not gated; see `w_in`".into() })?;
        Ok(gate.matrix())
    }

    /// `b_in` `[d_mlp]`, zeros if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::NoWeight`] for a mixture of experts.
    pub fn b_in(&self, layer: usize) -> Result<Tensor<1>> {
        Ok(bias(&self.mlp(layer, "b_in")?.w_in))
    }

    /// `b_gate` `[d_mlp]`, zeros if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::NoWeight`] if the MLP is not gated, and for a mixture of experts.
    pub fn b_gate(&self, layer: usize) -> Result<Tensor<1>> {
        let gate = self.mlp(layer, "b_gate")?.w_gate.as_ref();
        let gate =
            gate.ok_or_else(|| Error::NoWeight { weight: "b_gate", why: "its MLP is not gated; see `b_in`".into() })?;
        Ok(bias(gate))
    }

    /// `b_out` `[d_model]`, zeros if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::NoWeight`] for a mixture of experts.
    pub fn b_out(&self, layer: usize) -> Result<Tensor<1>> {
        Ok(bias(&self.mlp(layer, "b_out")?.w_out))
    }

    fn mlp(&self, layer: usize, weight: &'static str) -> Result<&crate::transformer::Mlp> {
        match &self.block(layer)?.mlp {
            crate::transformer::Neurons::Dense(mlp) => Ok(mlp),
            crate::transformer::Neurons::Absent(_) => {
                Err(Error::NoWeight { weight, why: "its blocks have attention alone".into() })
            }
            crate::transformer::Neurons::Mixture(_) => Err(Error::NoWeight {
                weight,
                why: format!("the MLP of layer {layer} is a mixture of experts; see `net().blocks`"),
            }),
        }
    }

    /// A bias of `heads * d_head` numbers as `[n_heads, d_head]`, repeated for the query heads that share a head.
    fn bias_by_head(&self, linear: &Linear) -> Tensor<2> {
        let config = self.config();
        let bias = bias(linear);
        let heads = bias.dims()[0] / config.d_head;
        self.ungrouped(bias.reshape([heads, 1, config.d_head])).reshape([config.n_heads, config.d_head])
    }

    /// Repeats key and value heads for the query heads that share them.
    fn ungrouped(&self, by_head: Tensor<3>) -> Tensor<3> {
        let [kv, a, b] = by_head.dims();
        let group = self.config().n_heads / kv;
        let repeated: Tensor<4> = by_head.reshape([kv, 1, a, b]).expand([kv, group, a, b]);
        repeated.reshape([kv * group, a, b])
    }
}

/// `[d_model, heads * d_head]` to `[heads, d_model, d_head]`.
fn by_head_in(linear: &Linear, heads: usize) -> Tensor<3> {
    let weight = linear.matrix();
    let [d_model, width] = weight.dims();
    weight.reshape([d_model, heads, width / heads]).swap_dims(0, 1)
}

/// `[d_out]`, zeros if there is none.
fn bias(linear: &Linear) -> Tensor<1> {
    let weight = linear.matrix();
    linear.bias.as_ref().map_or_else(|| Tensor::zeros([weight.dims()[1]], &weight.device()), Param::val)
}

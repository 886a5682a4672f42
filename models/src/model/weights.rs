//! Weights by head, with TransformerLens's axes.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::HookedTransformer;
use crate::error::{Error, Result};
use crate::hooks::Activation;
use crate::transformer::{Block, Linear};

impl HookedTransformer {
    /// Every parameter by path, in path order. Matrices are `[in, out]`.
    pub fn parameters(&self) -> Vec<(String, Activation)> {
        let mut visitor = Parameters::default();
        self.net.visit(&mut visitor);
        visitor.found.sort_by(|a, b| a.0.cmp(&b.0));
        visitor.found
    }

    /// How many numbers the parameters are.
    pub fn n_params(&self) -> usize {
        self.net.num_params()
    }

    /// One block.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a layer there is not.
    pub fn block(&self, layer: usize) -> Result<&Block> {
        self.net.blocks.get(layer).ok_or(Error::OutOfRange { what: "layer", asked: layer, length: self.config().n_layers })
    }

    /// `W_Q` `[n_heads, d_model, d_head]`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a layer there is not; so for all by-layer weights.
    pub fn w_q(&self, layer: usize) -> Result<Tensor<3>> {
        Ok(by_head_in(&self.block(layer)?.attn.w_q, self.config().n_heads))
    }

    /// `W_K` `[n_heads, d_model, d_head]`, grouped heads repeated for the query heads they serve.
    pub fn w_k(&self, layer: usize) -> Result<Tensor<3>> {
        Ok(self.ungrouped(by_head_in(&self.block(layer)?.attn.w_k, self.config().n_kv_heads)))
    }

    /// `W_V` `[n_heads, d_model, d_head]`, grouped heads repeated for the query heads they serve.
    pub fn w_v(&self, layer: usize) -> Result<Tensor<3>> {
        Ok(self.ungrouped(by_head_in(&self.block(layer)?.attn.w_v, self.config().n_kv_heads)))
    }

    /// `W_O` `[n_heads, d_head, d_model]`.
    pub fn w_o(&self, layer: usize) -> Result<Tensor<3>> {
        let config = self.config();
        let weight = self.block(layer)?.attn.w_o.weight.val();
        Ok(weight.reshape([config.n_heads, config.d_head, config.d_model]))
    }

    /// `b_V` `[n_heads, d_head]`, zeros where there is none; grouped heads repeated.
    pub fn b_v(&self, layer: usize) -> Result<Tensor<2>> {
        let config = self.config();
        let bias = match &self.block(layer)?.attn.w_v.bias {
            Some(bias) => bias.val().reshape([config.n_kv_heads, 1, config.d_head]),
            None => Tensor::zeros([config.n_kv_heads, 1, config.d_head], &self.device),
        };
        Ok(self.ungrouped(bias).reshape([config.n_heads, config.d_head]))
    }

    /// `b_O` `[d_model]`, zeros where there is none.
    pub fn b_o(&self, layer: usize) -> Result<Tensor<1>> {
        Ok(match &self.block(layer)?.attn.w_o.bias {
            Some(bias) => bias.val(),
            None => Tensor::zeros([self.config().d_model], &self.device),
        })
    }

    /// `W_E` `[d_vocab, d_model]`, without the architecture's scale.
    pub fn w_e(&self) -> Tensor<2> {
        self.net.embed.weight.val()
    }

    /// `W_pos` `[positions, d_model]`, where positions are learned.
    ///
    /// # Errors
    ///
    /// [`Error::Absent`] where they are not.
    pub fn w_pos(&self) -> Result<Tensor<2>> {
        let table = self.net.pos_embed.as_ref().ok_or_else(|| Error::Absent { what: "`W_pos`".into(), why: "its positions are not learned vectors".into() })?;
        Ok(table.weight.val())
    }

    /// `W_U` `[d_model, d_vocab]`.
    pub fn w_u(&self) -> Tensor<2> {
        self.net.unembedding()
    }

    /// `b_U` `[d_vocab]`, zeros where there is none.
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
    /// [`Error::Absent`] for a mixture of experts.
    pub fn w_in(&self, layer: usize) -> Result<Tensor<2>> {
        Ok(self.mlp(layer)?.w_in.weight.val())
    }

    /// `W_out` `[d_mlp, d_model]`.
    ///
    /// # Errors
    ///
    /// [`Error::Absent`] for a mixture of experts.
    pub fn w_out(&self, layer: usize) -> Result<Tensor<2>> {
        Ok(self.mlp(layer)?.w_out.weight.val())
    }

    fn mlp(&self, layer: usize) -> Result<&crate::transformer::Mlp> {
        match &self.block(layer)?.mlp {
            crate::transformer::Neurons::Dense(mlp) => Ok(mlp),
            crate::transformer::Neurons::Mixture(_) => Err(Error::Absent { what: format!("the MLP of layer {layer}"), why: "it is a mixture of experts; see `net().blocks`".into() }),
        }
    }

    /// Grouped heads repeated for the query heads they serve.
    fn ungrouped(&self, by_head: Tensor<3>) -> Tensor<3> {
        let [kv, a, b] = by_head.dims();
        let group = self.config().n_heads / kv;
        let repeated: Tensor<4> = by_head.reshape([kv, 1, a, b]).expand([kv, group, a, b]);
        repeated.reshape([kv * group, a, b])
    }
}

/// `[d_model, heads * d_head]` to `[heads, d_model, d_head]`.
fn by_head_in(linear: &Linear, heads: usize) -> Tensor<3> {
    let weight = linear.weight.val();
    let [d_model, width] = weight.dims();
    weight.reshape([d_model, heads, width / heads]).swap_dims(0, 1)
}

/// Collects parameters with their paths.
#[derive(Default)]
struct Parameters {
    path: Vec<String>,
    found: Vec<(String, Activation)>,
}

impl ModuleVisitor for Parameters {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.join("."), Activation::new(param.val())));
    }

    /// An enum's variant is no part of the path: `blocks.0.mlp.w_in`, whichever kind of MLP it is.
    fn enter_module(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.path.pop();
        }
    }
}

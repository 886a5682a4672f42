//! One layer without norms: the transformer of Nanda et al. (2023), as a Burn module of one's own.

use arrakis::prelude::*;
use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Int, TensorData, activation};

/// `d_model` and `d_mlp`.
pub(crate) const D_MODEL: usize = 128;
pub(crate) const D_MLP: usize = 512;
const N_HEADS: usize = 4;
const D_HEAD: usize = D_MODEL / N_HEADS;
/// `a`, `b` and `=`.
const POS: usize = 3;

/// Reads `a b =` and gives the logits of `a + b` modulo `p` at `=`.
#[derive(Module, Debug)]
pub(crate) struct Net {
    embed: Param<Tensor<2>>,
    pos_embed: Param<Tensor<2>>,
    w_q: Param<Tensor<2>>,
    w_k: Param<Tensor<2>>,
    w_v: Param<Tensor<2>>,
    w_o: Param<Tensor<2>>,
    w_in: Param<Tensor<2>>,
    b_in: Param<Tensor<1>>,
    w_out: Param<Tensor<2>>,
    b_out: Param<Tensor<1>>,
    unembed: Param<Tensor<2>>,
}

impl Net {
    /// Random weights with a variance of `1 / d_model`, as in the paper's code, and biases of zero.
    pub(crate) fn new(p: usize, device: &Device) -> Self {
        let matrix = |rows, columns| {
            let spread = Distribution::Normal(0.0, 1.0 / (D_MODEL as f64).sqrt());
            Param::from_tensor(Tensor::random([rows, columns], spread, device))
        };
        let bias = |length| Param::from_tensor(Tensor::zeros([length], device));
        Self {
            embed: matrix(p + 1, D_MODEL),
            pos_embed: matrix(POS, D_MODEL),
            w_q: matrix(D_MODEL, D_MODEL),
            w_k: matrix(D_MODEL, D_MODEL),
            w_v: matrix(D_MODEL, D_MODEL),
            w_o: matrix(D_MODEL, D_MODEL),
            w_in: matrix(D_MODEL, D_MLP),
            b_in: bias(D_MLP),
            w_out: matrix(D_MLP, D_MODEL),
            b_out: bias(D_MODEL),
            unembed: matrix(D_MODEL, p),
        }
    }

    /// Logits `[batch, p]` at the last position, of tokens `[batch, 3]`. Earlier positions are only read by attention.
    #[hooked]
    pub(crate) fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<2> {
        let [batch, pos] = tokens.dims();
        let embed = self.embed.val().select(0, tokens.reshape([batch * pos])).reshape([batch, pos, D_MODEL]);
        let resid_pre = embed + self.pos_embed.val().unsqueeze();
        let last = resid_pre.clone().narrow(1, pos - 1, 1).reshape([batch, D_MODEL]);
        let flat = resid_pre.reshape([batch * pos, D_MODEL]);
        let q = last.clone().matmul(self.w_q.val()).reshape([batch, 1, N_HEADS, D_HEAD]);
        let k = flat.clone().matmul(self.w_k.val()).reshape([batch, pos, N_HEADS, D_HEAD]);
        let v = flat.matmul(self.w_v.val()).reshape([batch, pos, N_HEADS, D_HEAD]);
        let scores = (q * k).sum_dim(3) / (D_HEAD as f64).sqrt();
        let pattern = activation::softmax(scores, 1);
        let z = (pattern * v).sum_dim(1);
        let attn_out = z.reshape([batch, D_MODEL]).matmul(self.w_o.val());
        let resid_mid = last + attn_out;
        let post = activation::relu(resid_mid.clone().matmul(self.w_in.val()) + self.b_in.val().unsqueeze());
        let mlp_out = post.matmul(self.w_out.val()) + self.b_out.val().unsqueeze();
        let resid_post = resid_mid + mlp_out;
        let logits = resid_post.matmul(self.unembed.val());
        logits
    }
}

/// All pairs `(a, b)` below `p`, in order.
pub(crate) fn pairs(p: usize) -> Vec<[usize; 2]> {
    (0..p * p).map(|index| [index / p, index % p]).collect()
}

/// The tokens `a b =` of pairs, `[batch, 3]`.
pub(crate) fn tokens(pairs: &[[usize; 2]], p: usize, device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i64> = pairs.iter().flat_map(|[a, b]| [*a as i64, *b as i64, p as i64]).collect();
    Tensor::from_data(TensorData::new(ids, [pairs.len(), POS]), device)
}

/// The sums of pairs, `[batch]`.
pub(crate) fn answers(pairs: &[[usize; 2]], p: usize) -> Vec<usize> {
    pairs.iter().map(|[a, b]| (a + b) % p).collect()
}

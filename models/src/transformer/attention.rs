//! Attention. Every tensor that the papers name has a site.

use arrakis_macros::hooked;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::context::LayerContext;
use super::linear::Linear;
use super::norm::Norm;
use super::sinks;
use super::source::{Init, Source};
use crate::config::{Positions, QkNorm, TransformerConfig};
use crate::hooks;
use crate::kernels::{self, Scoring};

/// Earlier keys and values of one layer.
pub(super) type LayerCache = Option<(Tensor<4>, Tensor<4>)>;

/// Multi-head attention with grouped keys and values (<https://arxiv.org/abs/2305.13245>).
#[derive(Module, Debug)]
pub struct Attention {
    /// `[d_model, n_heads * d_head]`
    pub w_q: Linear,
    /// `[d_model, n_kv_heads * d_head]`
    pub w_k: Linear,
    /// `[d_model, n_kv_heads * d_head]`
    pub w_v: Linear,
    /// `[n_heads * d_head, d_model]`
    pub w_o: Linear,
    /// On queries, before rotation.
    pub q_norm: Option<Norm>,
    /// On keys, before rotation.
    pub k_norm: Option<Norm>,
    /// The score of each head that reads nothing, `[n_heads]` (gpt-oss).
    pub sinks: Option<Param<Tensor<1>>>,
    /// Query heads.
    #[module(skip)]
    pub n_heads: usize,
    /// Key and value heads.
    #[module(skip)]
    pub n_kv_heads: usize,
    /// Scores are multiplied by this.
    #[module(skip)]
    pub scale: f64,
    /// `cap * tanh(scores / cap)`.
    #[module(skip)]
    pub softcap: Option<f64>,
    /// Queries, keys and values are clipped to this size.
    #[module(skip)]
    pub clip: Option<f64>,
    #[module(skip)]
    qk_norm: QkNorm,
    #[module(skip)]
    alibi_scaled: bool,
}

impl Attention {
    /// Takes the layer's `attn.*` parameters from the source.
    pub fn build(source: &mut impl Source, layer: usize, config: &TransformerConfig) -> Self {
        let name = format!("blocks.{layer}.attn");
        let (d_model, d_head) = (config.d_model, config.d_head);
        let (d_q, d_kv) = (config.n_heads * d_head, config.n_kv_heads * d_head);
        let mut linear =
            |part: &str, shape, bias| Linear::build(source, &format!("{name}.{part}"), shape, bias, Init::Normal(0.02));
        let (w_q, w_k) =
            (linear("w_q", [d_model, d_q], config.qkv_bias), linear("w_k", [d_model, d_kv], config.qkv_bias));
        let (w_v, w_o) =
            (linear("w_v", [d_model, d_kv], config.qkv_bias), linear("w_o", [d_q, d_model], config.attn_out_bias));
        let width = |heads: usize| match config.qk_norm {
            QkNorm::None => None,
            QkNorm::Head | QkNorm::HeadBiased => Some(d_head),
            QkNorm::PerHead | QkNorm::Full => Some(heads * d_head),
        };
        let mut plain = config.clone();
        plain.norm_bias = config.qk_norm == QkNorm::HeadBiased;
        let q_norm = width(config.n_heads).map(|d| Norm::build(source, &format!("{name}.q_norm"), d, &plain));
        let k_norm = width(config.n_kv_heads).map(|d| Norm::build(source, &format!("{name}.k_norm"), d, &plain));
        let sinks = config
            .attn_sinks
            .then(|| Param::from_tensor(source.take(&format!("{name}.sinks"), [config.n_heads], Init::Normal(0.02))));
        Self {
            w_q,
            w_k,
            w_v,
            w_o,
            q_norm,
            k_norm,
            sinks,
            n_heads: config.n_heads,
            n_kv_heads: config.n_kv_heads,
            scale: config.attn_scales[layer],
            softcap: config.attn_softcap,
            clip: config.qkv_clip,
            qk_norm: config.qk_norm,
            alibi_scaled: matches!(config.positions, Positions::Alibi { scaled: true }),
        }
    }

    /// `[batch, pos, d_model]` to the same. Sites: `q k v rot_q rot_k scores pattern z result out`.
    #[hooked(skip(to_q, to_k, to_v))]
    pub fn forward(&self, x: Tensor<3>, context: &LayerContext<'_>, cache: Option<&mut LayerCache>) -> Tensor<3> {
        let [to_q, to_k, to_v] = self.projected(x, context);
        let q = split_heads(to_q, self.n_heads);
        let k = split_heads(to_k, self.n_kv_heads);
        let v = self.clipped(split_heads(to_v, self.n_kv_heads));
        self.attend(q, k, v, context, cache)
    }

    /// Queries, keys and values, `[batch, pos, heads * d_head]` each: in one product where they read the same stream.
    fn projected(&self, x: Tensor<3>, context: &LayerContext<'_>) -> [Tensor<3>; 3] {
        if context.beside.is_none() {
            return Linear::apply_each([&self.w_q, &self.w_k, &self.w_v], x);
        }
        let [to_q, to_k] = Linear::apply_each([&self.w_q, &self.w_k], context.placed(&x));
        [to_q, to_k, self.w_v.apply(x)]
    }

    /// Like [`Attention::forward`], with a separate input for each query, key and value head:
    /// `[batch, pos, head, d_model]`.
    #[hooked]
    pub fn forward_split(
        &self,
        [x_q, x_k, x_v]: [Tensor<4>; 3],
        context: &LayerContext<'_>,
        cache: Option<&mut LayerCache>,
    ) -> Tensor<3> {
        let q = project_heads(&self.w_q, context.placed(&x_q));
        let k = project_heads(&self.w_k, context.placed(&x_k));
        let v = self.clipped(project_heads(&self.w_v, x_v));
        self.attend(q, k, v, context, cache)
    }

    #[hooked(skip(q, k, keys, values))]
    fn attend(
        &self,
        q: Tensor<4>,
        k: Tensor<4>,
        v: Tensor<4>,
        context: &LayerContext<'_>,
        cache: Option<&mut LayerCache>,
    ) -> Tensor<3> {
        let (q, k) = (self.normed(q, self.q_norm.as_ref()), self.normed(k, self.k_norm.as_ref()));
        let (q, k) = (self.clipped(q), self.clipped(k));
        let (q, k) = if let Some((rope, cos, sin)) = context.rotation {
            let rot_q = rope.rotate(q, cos, sin);
            let rot_k = rope.rotate(k, cos, sin);
            (rot_q, rot_k)
        } else {
            (q, k)
        };
        let (keys, values) = appended(k, v, cache);
        let z = self.read([q, keys, values], &self.scoring(context));
        let out = self.written(z);
        out
    }

    /// What each head reads, `[batch, pos, head, d_head]`. Scores and pattern exist as a whole only if the run asks for one of
    /// them, or if heads have sinks.
    #[hooked(skip(products, is_edited))]
    fn read(&self, [q, keys, values]: [Tensor<4>; 3], how: &Scoring<'_>) -> Tensor<4> {
        if self.sinks.is_none() && !hooks::asked("scores") && !hooks::asked("pattern") {
            return kernels::attention(q, keys, values, how);
        }
        let products = kernels::products(q, keys, how.mask);
        let pattern = if self.sinks.is_some() || hooks::asked("scores") {
            let scores = kernels::scores(products, how);
            self.attended(scores)
        } else {
            kernels::pattern(products, how)
        };
        let is_edited = hooks::edited("scores") || hooks::edited("pattern");
        kernels::mixed(pattern, values, (!is_edited).then_some(how.mask))
    }

    /// How the products of queries and keys become scores.
    fn scoring<'a>(&self, context: &LayerContext<'a>) -> Scoring<'a> {
        let penalty =
            context.alibi.map(|alibi| if self.alibi_scaled { alibi.clone() * self.scale } else { alibi.clone() });
        Scoring { scale: self.scale, penalty, cap: self.softcap, mask: context.mask }
    }

    /// `z W_O + b`. `result`, what each head writes, is computed separately, and only when a run asks for it. An edit of
    /// `result` adds its difference to the output, so that a capture alone changes no bit.
    #[hooked(skip(out, plain, heads))]
    fn written(&self, z: Tensor<4>) -> Tensor<3> {
        let [batch, pos, n_heads, d_head] = z.dims();
        let out = self.w_o.apply(z.clone().reshape([batch, pos, n_heads * d_head]));
        if !hooks::asked("result") {
            return out;
        }
        let plain = self.head_results(z);
        let heads = plain.clone();
        let result = heads;
        if hooks::edited("result") { out + (result - plain).sum_dim(2).squeeze_dim(2) } else { out }
    }

    /// What each head writes into the residual stream, without the bias: `[batch, pos, head, d_model]`.
    pub fn head_results(&self, z: Tensor<4>) -> Tensor<4> {
        let [batch, pos, n_heads, d_head] = z.dims();
        let w_o = self.w_o.matrix();
        let d_model = w_o.dims()[1];
        let z = z.swap_dims(1, 2).swap_dims(0, 1).reshape([n_heads, batch * pos, d_head]);
        let results = z.matmul(w_o.reshape([n_heads, d_head, d_model]));
        results.reshape([n_heads, batch, pos, d_model]).swap_dims(0, 1).swap_dims(1, 2)
    }

    fn clipped(&self, x: Tensor<4>) -> Tensor<4> {
        match self.clip {
            Some(clip) => x.clamp(-clip, clip),
            None => x,
        }
    }

    /// Softmax over keys. An edit may mask every key of a query. As in TransformerLens, that query then attends to
    /// nothing.
    fn attended(&self, scores: Tensor<4>) -> Tensor<4> {
        let softmax = |scores| match &self.sinks {
            Some(sinks) => sinks::pattern(scores, sinks.val()),
            None => kernels::softmax(scores),
        };
        if !hooks::edited("scores") {
            return softmax(scores);
        }
        let shape = scores.dims();
        let blind = scores.clone().max_dim(3).equal_elem(f32::NEG_INFINITY).expand(shape);
        softmax(scores.mask_fill(blind.clone(), 0.0)).mask_fill(blind, 0.0)
    }

    fn normed(&self, x: Tensor<4>, norm: Option<&Norm>) -> Tensor<4> {
        let Some(norm) = norm else { return x };
        let [batch, pos, heads, d_head] = x.dims();
        match self.qk_norm {
            QkNorm::Full => norm.apply(x.reshape([batch, pos, 1, heads * d_head])).reshape([batch, pos, heads, d_head]),
            QkNorm::PerHead => {
                let centred = norm.centre(x);
                let normalized = centred.clone() / norm.scale(centred);
                norm.affine(normalized.reshape([batch, pos, 1, heads * d_head])).reshape([batch, pos, heads, d_head])
            }
            QkNorm::Head | QkNorm::HeadBiased | QkNorm::None => norm.apply(x),
        }
    }

    /// Each key or value head repeated for the query heads it serves: `[batch, pos, n_heads, d_head]`.
    pub fn per_query_head(&self, x: Tensor<4>) -> Tensor<4> {
        kernels::per_query_head(x, self.n_heads)
    }
}

/// `[batch, pos, heads * d_head]` to `[batch, pos, heads, d_head]`.
fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, pos, width] = x.dims();
    x.reshape([batch, pos, heads, width / heads])
}

/// Multiplies each head's input by that head's columns: `[batch, pos, head, d_model]` to `[batch, pos, head, d_head]`.
fn project_heads(linear: &Linear, x: Tensor<4>) -> Tensor<4> {
    let [batch, pos, heads, d_model] = x.dims();
    let weight = linear.matrix();
    let d_head = weight.dims()[1] / heads;
    let weight = weight.reshape([d_model, heads, d_head]).swap_dims(0, 1);
    let rows = x.swap_dims(1, 2).swap_dims(0, 1).reshape([heads, batch * pos, d_model]);
    let mut out = rows.matmul(weight);
    if let Some(bias) = &linear.bias {
        out = out + bias.val().reshape([heads, 1, d_head]);
    }
    out.reshape([heads, batch, pos, d_head]).swap_dims(0, 1).swap_dims(1, 2)
}

/// Appends the new keys and values to the cache, and returns all of them.
fn appended(k: Tensor<4>, v: Tensor<4>, cache: Option<&mut LayerCache>) -> (Tensor<4>, Tensor<4>) {
    let Some(cache) = cache else { return (k, v) };
    let (keys, values) = match cache.take() {
        Some((old_k, old_v)) => (kernels::append(old_k, k), kernels::append(old_v, v)),
        None => (k, v),
    };
    *cache = Some((keys.clone(), values.clone()));
    (keys, values)
}

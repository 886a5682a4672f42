//! One run's residual stream, and its decompositions.

use arrakis_models::site;
use arrakis_models::transformer::Norm;
use burn::tensor::Tensor;

use super::{Depths, NormBefore, Parts, Remainder, ResidStack, refuse};
use crate::error::Result;
use crate::tools::shared::common;
use crate::tools::shared::stream::{self, Stream};
use crate::tools::{Answer, Layer};

/// One run's residual stream, ready to be decomposed.
#[derive(Clone, Debug)]
pub struct Residuals {
    pub(super) stream: Stream,
}

impl Residuals {
    /// The logits of this run, `[batch, pos, d_vocab]`.
    pub fn logits(&self) -> Tensor<3> {
        self.stream.logits.clone()
    }

    /// The embeddings, then the attention and MLP outputs of each block before `layer`:
    /// `[component, batch, pos, d_model]`.
    ///
    /// With [`Parts::All`] they sum to the stream entering that layer (`-1`: leaving the last block).
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn decompose_resid(&self, layer: impl Into<Layer>, kept: Parts) -> Result<ResidStack> {
        let mut parts = self.stream.embeddings()?;
        for layer in 0..self.upto(layer)? {
            if kept != Parts::Mlp {
                parts.push((format!("{layer}_attn_out"), self.stream.cache.get(site::attn_out(layer))?));
            }
            if kept != Parts::Attn {
                parts.push((format!("{layer}_mlp_out"), self.stream.cache.get(site::mlp_out(layer))?));
            }
        }
        Ok(ResidStack::new(parts))
    }

    /// The stream entering each block up to `layer` (`-1`: also leaving the last block):
    /// `[component, batch, pos, d_model]`.
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn accumulated_resid(&self, layer: impl Into<Layer>, depths: Depths) -> Result<ResidStack> {
        let upto = self.upto(layer)?;
        let middles = depths == Depths::BlocksAndMiddles && common::has(&self.stream.model, site::resid_mid);
        let mut parts = Vec::new();
        for layer in 0..upto {
            parts.push((format!("{layer}_pre"), self.stream.cache.get(site::resid_pre(layer))?));
            if middles {
                parts.push((format!("{layer}_mid"), self.stream.cache.get(site::resid_mid(layer))?));
            }
        }
        let last = if upto == self.stream.n_layers() { "final_post".to_owned() } else { format!("{upto}_pre") };
        parts.push((last, self.entering(upto)?));
        Ok(ResidStack::new(parts))
    }

    /// What each head of the blocks before `layer` adds, `L0H0, L0H1, …`: `[component, batch, pos, d_model]`.
    ///
    /// With the remainder they sum to the stream entering that layer (`-1`: leaving the last block).
    ///
    /// # Errors
    ///
    /// A layer out of range; layer 0 without the remainder, which leaves no component.
    pub fn stack_head_results(&self, layer: impl Into<Layer>, remainder: Remainder) -> Result<ResidStack> {
        let upto = self.upto(layer)?;
        let mut parts = self.heads(upto)?;
        if remainder == Remainder::With {
            let whole = self.entering(upto)?;
            let rest = parts.iter().fold(whole, |rest, (_, head)| rest - head.clone());
            parts.push(("remainder".to_owned(), rest));
        }
        if parts.is_empty() {
            return Err(refuse("no head writes before layer 0; ask for layer 1 or above, or for the remainder".into()));
        }
        Ok(ResidStack::new(parts))
    }

    /// Heads, MLPs, embeddings and one `bias` (the sum of attention's output biases):
    /// `[component, batch, pos, d_model]`.
    ///
    /// They sum to the stream entering `layer` (`-1`: leaving the last block).
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn full_decomposition(&self, layer: impl Into<Layer>) -> Result<ResidStack> {
        let upto = self.upto(layer)?;
        let mut parts = self.heads(upto)?;
        for layer in 0..upto {
            parts.push((format!("{layer}_mlp_out"), self.stream.cache.get(site::mlp_out(layer))?));
        }
        parts.extend(self.stream.embeddings()?);
        let mut bias = self.entering(upto)?.zeros_like();
        for layer in 0..upto {
            bias = bias + self.stream.attn_bias(layer)?;
        }
        parts.push(("bias".to_owned(), bias));
        Ok(ResidStack::new(parts))
    }

    /// Applies a norm to each component with the scale of **this run**: `[component, batch, pos, d_model]`.
    ///
    /// Components are centred if the norm centres. The norm's own weight and bias are not applied.
    ///
    /// # Errors
    ///
    /// A layer out of range, or a layer without such a norm.
    pub fn apply_ln(&self, stack: &ResidStack, norm: NormBefore) -> Result<ResidStack> {
        let (norm, scale) = match (norm, &self.stream.model.net().ln_final) {
            (NormBefore::Attention(layer) | NormBefore::Mlp(layer), _) => self.block_norm(layer, norm)?,
            (NormBefore::Unembedding, Some(norm)) => (norm, self.stream.cache.get::<3>("ln_final.scale")?),
            (NormBefore::Unembedding, None) => return Ok(stack.clone()),
        };
        let values = norm.centre(stack.values.clone()) / scale.unsqueeze_dim(0);
        Ok(ResidStack { labels: stack.labels.clone(), values })
    }

    /// Applies the whole final norm to each component on its own: `[component, batch, pos, d_model]`.
    ///
    /// The scale is computed from the component, and weight and bias are included. Use it for the stream at different
    /// depths ([`Residuals::accumulated_resid`]).
    pub fn apply_final_norm(&self, stack: &ResidStack) -> ResidStack {
        let values = match &self.stream.model.net().ln_final {
            Some(norm) => norm.apply(stack.values.clone()),
            None => stack.values.clone(),
        };
        ResidStack { labels: stack.labels.clone(), values }
    }

    /// Each component's contribution to the answer's logit, in nats: `[component, batch, pos]`. Give one answer for all
    /// rows, or one for each row.
    ///
    /// The final norm's scale is frozen; its own weight and bias and the unembedding's bias are left out.
    ///
    /// # Errors
    ///
    /// Answers that are not tokens of the model, or whose number is neither one nor that of the rows.
    pub fn logit_attrs<A: Into<Answer>>(
        &self,
        stack: &ResidStack,
        answers: impl IntoIterator<Item = A>,
    ) -> Result<Tensor<3>> {
        let directions = self.directions(answers)?;
        self.along(stack, directions)
    }

    /// Each component's contribution to the answer's logit minus the wrong token's, in nats: `[component, batch, pos]`.
    ///
    /// # Errors
    ///
    /// Those of [`Residuals::logit_attrs`].
    pub fn logit_diff_attrs<A: Into<Answer>, W: Into<Answer>>(
        &self,
        stack: &ResidStack,
        answers: impl IntoIterator<Item = A>,
        wrong: impl IntoIterator<Item = W>,
    ) -> Result<Tensor<3>> {
        let directions = self.directions(answers)? - self.directions(wrong)?;
        self.along(stack, directions)
    }

    /// How far the stream moves between two sites, `‖b - a‖ / ‖a‖` (a ratio): `[prompt][pos]`.
    ///
    /// # Errors
    ///
    /// A site that is not one of the stream's; a stream that is zero at `from`.
    pub fn movement(&self, from: impl AsRef<str>, to: impl AsRef<str>) -> Result<Vec<Vec<f64>>> {
        let (a, b) = (self.stream.cache.get::<3>(from.as_ref())?, self.stream.cache.get::<3>(to.as_ref())?);
        let norm = |x: Tensor<3>| (x.clone() * x).sum_dim(2).sqrt();
        let [batch, pos, _] = a.dims();
        let start = norm(a.clone());
        if common::numbers(start.clone())?.contains(&0.0) {
            let problem = format!("the stream is zero at `{}`, so no share of its length can be taken", from.as_ref());
            return Err(refuse(problem));
        }
        common::rows((norm(b - a) / start).reshape([batch, pos]))
    }

    fn along(&self, stack: &ResidStack, directions: Tensor<2>) -> Result<Tensor<3>> {
        let [batch, d_model] = directions.dims();
        let normed = self.apply_ln(stack, NormBefore::Unembedding)?.values;
        Ok((normed * directions.reshape([1, batch, 1, d_model])).sum_dim(3).squeeze_dim(3))
    }

    /// The index of a depth of the stream; `n` layers have `n + 1` depths.
    fn upto(&self, layer: impl Into<Layer>) -> Result<usize> {
        layer.into().index(self.stream.n_layers() + 1)
    }

    fn heads(&self, upto: usize) -> Result<Vec<(String, Tensor<3>)>> {
        let mut parts = Vec::new();
        for layer in 0..upto {
            let results = self.stream.head_results(layer)?;
            let head = |head: usize| (format!("L{layer}H{head}"), results.clone().narrow(2, head, 1).squeeze_dim(2));
            parts.extend((0..self.stream.model.config().n_heads).map(head));
        }
        Ok(parts)
    }

    fn entering(&self, layer: usize) -> Result<Tensor<3>> {
        let site = if layer == self.stream.n_layers() { site::resid_post(layer - 1) } else { site::resid_pre(layer) };
        Ok(self.stream.cache.get(site)?)
    }

    /// The norm a layer's attention or MLP reads through, and the scale it had.
    fn block_norm(&self, layer: usize, which: NormBefore) -> Result<(&Norm, Tensor<3>)> {
        common::within("layer", layer, self.stream.n_layers())?;
        let block = self.stream.model.block(layer)?;
        let (scale, norm) = if which == NormBefore::Mlp(layer) && block.ln2.is_some() {
            (site::ln2_scale(layer), &block.ln2)
        } else {
            (site::ln1_scale(layer), &block.ln1)
        };
        let norm = norm.as_ref().ok_or_else(|| refuse(format!("layer {layer} reads the stream without a norm")))?;
        Ok((norm, self.stream.cache.get(scale)?))
    }

    /// The direction of each row's answer, `[batch, d_model]`.
    fn directions<A: Into<Answer>>(&self, answers: impl IntoIterator<Item = A>) -> Result<Tensor<2>> {
        let batch = self.stream.tokens.batch();
        let ids =
            answers.into_iter().map(|answer| answer.into().id(&self.stream.model)).collect::<Result<Vec<u32>>>()?;
        if ids.len() != 1 && ids.len() != batch {
            return Err(refuse(format!(
                "got {} tokens for {batch} rows; give one for all rows or one for each",
                ids.len()
            )));
        }
        let ids: Vec<u32> = (0..batch).map(|row| ids[row % ids.len()]).collect();
        stream::unembed_directions(&self.stream.model, &ids)
    }
}

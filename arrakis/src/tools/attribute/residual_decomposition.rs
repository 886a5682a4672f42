//! The residual stream, taken apart.

use arrakis_models::ground::nearest::{did_you_mean, nearest};
use arrakis_models::transformer::Norm;
use arrakis_models::{HookedTransformer, IntoTokens, device, site};
use burn::tensor::Tensor;

use crate::error::{Error, Result};
use crate::tools::Tool;
use crate::tools::shared::common;
use crate::tools::shared::stream::{self, Stream};

/// What was written into the residual stream, and by whom, as tensors.
///
/// *What it tells you*: the stream at any depth as a sum of named parts: embeddings, attention and MLP of each
/// block, single heads, accumulated biases; or the stream itself at each depth. *How to read it*: every method
/// gives a [`ResidStack`], `[component, batch, pos, d_model]` with a label a component; decompositions sum to the
/// stream exactly, so a projection of the parts is the parts of the projection. *When it misleads*: a large part
/// may be cancelled by a later one; `logit_attrs` of raw weights leaves out the final norm's own weight (as
/// `TransformerLens` does: fold it in first, or use `DirectLogitAttribution`). *Source*: Elhage et al., "A
/// Mathematical Framework for Transformer Circuits", 2021; definitions of `TransformerLens` 2.18's
/// `ActivationCache`.
#[derive(Clone, Debug)]
pub struct ResidualDecomposition {
    model: HookedTransformer,
}

/// One run's residual stream, ready to be taken apart.
#[derive(Clone, Debug)]
pub struct Residuals {
    stream: Stream,
}

/// Vectors of the residual stream by component.
#[derive(Clone, Debug)]
pub struct ResidStack {
    /// `embed`, `0_attn_out`, `L3H7`, …, `[component]`.
    pub labels: Vec<String>,
    /// `[component, batch, pos, d_model]`
    pub values: Tensor<4>,
}

/// Which blocks' parts [`Residuals::decompose_resid`] lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Attention and MLP.
    #[default]
    All,
    /// Attention only.
    Attn,
    /// MLP only.
    Mlp,
}

impl Tool for ResidualDecomposition {
    const NAME: &'static str = "residual_decomposition";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl ResidualDecomposition {
    /// Runs the model once and keeps what decompositions need.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit, or an architecture whose stream is not a sum (it says why).
    pub fn run(&self, prompt: impl IntoTokens) -> Result<Residuals> {
        let tokens = prompt.into_tokens(&self.model)?;
        Ok(Residuals { stream: Stream::run(Self::NAME, &self.model, tokens, None)? })
    }
}

impl ResidStack {
    fn new(parts: Vec<(String, Tensor<3>)>) -> Self {
        let (labels, values): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        Self { labels, values: Tensor::stack(values, 0) }
    }

    /// How many components there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no component.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The sum over components, `[batch, pos, d_model]`.
    pub fn sum(&self) -> Tensor<3> {
        self.values.clone().sum_dim(0).squeeze_dim(0)
    }

    /// One component by label, `[batch, pos, d_model]`.
    ///
    /// # Errors
    ///
    /// A label that is not there; the nearest is named.
    pub fn component(&self, label: &str) -> Result<Tensor<3>> {
        let index = self.labels.iter().position(|known| known == label);
        let index = index.ok_or_else(|| refuse(self.unknown(label)))?;
        Ok(self.values.clone().narrow(0, index, 1).squeeze_dim(0))
    }

    fn unknown(&self, label: &str) -> String {
        let nearest = did_you_mean(nearest(label, &self.labels).as_deref(), "");
        format!("no component `{label}`{nearest}")
    }
}

impl Residuals {
    /// The model's logits of this run, `[batch, pos, d_vocab]`.
    pub fn logits(&self) -> Tensor<3> {
        self.stream.logits.clone()
    }

    /// Embeddings, then attention and MLP output of each block before `layer` (of all for `None`); they sum
    /// to the stream entering that block.
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn decompose_resid(&self, layer: Option<usize>, mode: Mode) -> Result<ResidStack> {
        let mut parts = self.stream.embeddings()?;
        for layer in 0..self.upto(layer)? {
            if mode != Mode::Mlp {
                parts.push((format!("{layer}_attn_out"), self.stream.cache.get(site::attn_out(layer))?));
            }
            if mode != Mode::Attn {
                parts.push((format!("{layer}_mlp_out"), self.stream.cache.get(site::mlp_out(layer))?));
            }
        }
        Ok(ResidStack::new(parts))
    }

    /// The stream entering each block up to `layer` (and leaving the last for `None`), with the stream between
    /// attention and MLP where `incl_mid` (parallel blocks have none).
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn accumulated_resid(&self, layer: Option<usize>, incl_mid: bool) -> Result<ResidStack> {
        let upto = self.upto(layer)?;
        let incl_mid = incl_mid && common::has(&self.stream.model, "resid_mid");
        let mut parts = Vec::new();
        for layer in 0..upto {
            parts.push((format!("{layer}_pre"), self.stream.cache.get(site::resid_pre(layer))?));
            if incl_mid {
                parts.push((format!("{layer}_mid"), self.stream.cache.get(site::resid_mid(layer))?));
            }
        }
        let last = if upto == self.stream.n_layers() { "final_post".to_owned() } else { format!("{upto}_pre") };
        parts.push((last, self.entering(upto)?));
        Ok(ResidStack::new(parts))
    }

    /// What each head of the blocks before `layer` adds, `L0H0, L0H1, …`; with `incl_remainder` a last row
    /// `remainder`, everything that is not a head.
    ///
    /// # Errors
    ///
    /// A layer out of range; layer 0 without a remainder, which has no component.
    pub fn stack_head_results(&self, layer: Option<usize>, incl_remainder: bool) -> Result<ResidStack> {
        let upto = self.upto(layer)?;
        let mut parts = self.heads(upto)?;
        if incl_remainder {
            let whole = self.entering(upto)?;
            let rest = parts.iter().fold(whole, |rest, (_, head)| rest - head.clone());
            parts.push(("remainder".to_owned(), rest));
        }
        if parts.is_empty() {
            return Err(refuse("no head writes before layer 0; ask for layer 1 or above, or for the remainder".into()));
        }
        Ok(ResidStack::new(parts))
    }

    /// Heads, MLPs, embeddings and one `bias` that gathers attention's output biases; they sum to the stream
    /// entering `layer` (leaving the last block for `None`).
    ///
    /// # Errors
    ///
    /// A layer out of range.
    pub fn full_decomposition(&self, layer: Option<usize>) -> Result<ResidStack> {
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

    /// Each component as the norm at `layer` (the final norm for `None`) would pass it: centred where the norm
    /// centres, divided by the scale **this run** had there. The norm's own weight and bias are not applied.
    ///
    /// `mlp_input` takes the norm in front of the layer's MLP instead of its attention.
    ///
    /// # Errors
    ///
    /// A layer out of range, or one without such a norm.
    pub fn apply_ln(&self, stack: &ResidStack, layer: Option<usize>, mlp_input: bool) -> Result<ResidStack> {
        let net = self.stream.model.net();
        let (norm, scale) = match (layer, &net.ln_final) {
            (Some(layer), _) => self.block_norm(layer, mlp_input)?,
            (None, Some(norm)) => (norm, self.stream.cache.get::<3>("ln_final.scale")?),
            (None, None) => return Ok(stack.clone()),
        };
        let values = norm.centre(stack.values.clone()) / scale.unsqueeze_dim(0);
        Ok(ResidStack { labels: stack.labels.clone(), values })
    }

    /// Each component through the whole final norm by itself, scale computed anew, weight and bias included: for
    /// streams at different depths, as [`Residuals::accumulated_resid`] gives them.
    pub fn apply_final_norm(&self, stack: &ResidStack) -> ResidStack {
        let values = match &self.stream.model.net().ln_final {
            Some(norm) => norm.apply(stack.values.clone()),
            None => stack.values.clone(),
        };
        ResidStack { labels: stack.labels.clone(), values }
    }

    /// Each component's part of a logit, or of a logit difference where `wrong` tokens are given, in nats:
    /// `[component, batch, pos]`. One token serves all rows, or one a row.
    ///
    /// Final norm applied with its scale frozen, its own weight and bias and the unembedding's bias left out.
    ///
    /// # Errors
    ///
    /// Tokens out of range, or not as many as rows.
    pub fn logit_attrs(&self, stack: &ResidStack, answers: &[u32], wrong: Option<&[u32]>) -> Result<Tensor<3>> {
        let mut directions = self.directions(answers)?;
        if let Some(wrong) = wrong {
            directions = directions - self.directions(wrong)?;
        }
        let [batch, d_model] = directions.dims();
        let normed = self.apply_ln(stack, None, false)?.values;
        Ok((normed * directions.reshape([1, batch, 1, d_model])).sum_dim(3).squeeze_dim(3))
    }

    /// How far the stream moves between two sites, per position of the first row: `‖b - a‖ / ‖a‖`.
    ///
    /// # Errors
    ///
    /// A site that is not one of the stream's.
    pub fn movement(&self, from: impl AsRef<str>, to: impl AsRef<str>) -> Result<Vec<f32>> {
        let (a, b) = (self.stream.cache.get::<3>(from.as_ref())?, self.stream.cache.get::<3>(to.as_ref())?);
        let norm = |x: Tensor<3>| (x.clone() * x).sum_dim(2).sqrt();
        let [_, pos, _] = a.dims();
        let ratio = norm(b - a.clone()) / norm(a);
        Ok(device::read(ratio.narrow(0, 0, 1).reshape([pos]))?)
    }

    fn upto(&self, layer: Option<usize>) -> Result<usize> {
        let n_layers = self.stream.n_layers();
        let upto = layer.unwrap_or(n_layers);
        common::within("layer", upto, n_layers + 1)?;
        Ok(upto)
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
    fn block_norm(&self, layer: usize, mlp_input: bool) -> Result<(&Norm, Tensor<3>)> {
        common::within("layer", layer, self.stream.n_layers())?;
        let block = self.stream.model.block(layer)?;
        let (name, norm) = if mlp_input && block.ln2.is_some() { ("ln2", &block.ln2) } else { ("ln1", &block.ln1) };
        let norm = norm.as_ref().ok_or_else(|| refuse(format!("layer {layer} reads the stream without a norm")))?;
        Ok((norm, self.stream.cache.get(format!("blocks.{layer}.{name}.scale"))?))
    }

    /// `[batch, d_model]`
    fn directions(&self, ids: &[u32]) -> Result<Tensor<2>> {
        let batch = self.stream.tokens.batch();
        if ids.len() != 1 && ids.len() != batch {
            return Err(refuse(format!("got {} tokens for {batch} rows; give one for all or one each", ids.len())));
        }
        let ids: Vec<u32> = (0..batch).map(|row| ids[row % ids.len()]).collect();
        stream::unembed_directions(&self.stream.model, &ids)
    }
}

fn refuse(problem: String) -> Error {
    Error::Tool { tool: ResidualDecomposition::NAME, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture, induction_model};

    const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];

    fn apart(a: Tensor<3>, b: Tensor<3>) -> f32 {
        device::read((a - b).abs().max()).unwrap()[0]
    }

    #[test]
    fn the_planted_copy_head_writes_its_token() {
        let run = ResidualDecomposition::new(&induction_model()).unwrap().run([3, 5, 7, 3]).unwrap();
        let written = device::read(run.stack_head_results(None, false).unwrap().component("L1H0").unwrap()).unwrap();
        let last = &written[3 * 48..];
        let (best, _) = last.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        assert_eq!(best, 5);
    }

    #[test]
    fn every_decomposition_sums_to_the_stream() {
        for name in ["gpt2", "gpt_neo", "gpt_neox", "llama"] {
            let run = ResidualDecomposition::new(&fixture(name)).unwrap().run(PROMPT).unwrap();
            let stream = run.accumulated_resid(None, true).unwrap();
            let whole = stream.component("final_post").unwrap();
            close(apart(run.decompose_resid(None, Mode::All).unwrap().sum(), whole.clone()), 0.0, 1e-5);
            close(apart(run.stack_head_results(None, true).unwrap().sum(), whole.clone()), 0.0, 1e-5);
            close(apart(run.full_decomposition(None).unwrap().sum(), whole), 0.0, 1e-5);
            let entering = stream.component("1_pre").unwrap();
            close(apart(run.full_decomposition(Some(1)).unwrap().sum(), entering), 0.0, 1e-5);
        }
    }

    #[test]
    fn a_stream_moves_nowhere_from_a_point_to_itself() {
        let run = ResidualDecomposition::new(&fixture("llama")).unwrap().run(PROMPT).unwrap();
        assert_eq!(run.movement("blocks.0.resid_post", "blocks.1.resid_pre").unwrap(), [0.0; 5]);
        assert!(run.movement("blocks.0.resid_pre", "blocks.0.resid_post").unwrap().iter().all(|moved| *moved > 0.0));
    }

    #[test]
    fn mistakes_are_named() {
        let run = ResidualDecomposition::new(&fixture("gpt2")).unwrap().run(PROMPT).unwrap();
        let stack = run.decompose_resid(None, Mode::All).unwrap();
        assert_eq!(
            stack.component("1_atn_out").unwrap_err().to_string(),
            "residual_decomposition: no component `1_atn_out`; did you mean `1_attn_out`?"
        );
        assert_eq!(
            run.accumulated_resid(Some(4), true).unwrap_err().to_string(),
            "layer 4 is out of range: there are 4, numbered from 0"
        );
    }
}

//! The residual stream, taken apart.

use arrakis_models::ground::nearest::{did_you_mean, nearest};
use arrakis_models::transformer::Norm;
use arrakis_models::{HookedTransformer, IntoTokens, site};
use burn::tensor::Tensor;

use crate::error::{Error, Result};
use crate::tools::shared::stream::{self, Stream};
use crate::tools::shared::{common, finite};
use crate::tools::{Answer, Layer, Tool};

/// What was written into the residual stream, and by whom, as tensors.
///
/// # What it tells you
///
/// The stream at any depth as a sum of named parts (embeddings, attention and MLP of each block, single heads,
/// accumulated biases), or the stream itself at each depth.
///
/// # How to read it
///
/// - Every method of [`Residuals`] gives a [`ResidStack`], `[component, batch, pos, d_model]` with a label a component.
/// - Decompositions sum to the stream exactly, so a projection of the parts is the parts of the projection.
/// - A depth is a layer: the stream that enters it. `-1` is the stream that leaves the last block.
///
/// # When it misleads
///
/// - A large part may be cancelled by a later one.
/// - [`Residuals::logit_attrs`] of raw weights leaves out the final norm's own weight, as `TransformerLens` does: fold it
///   in first, or use [`DirectLogitAttribution`](crate::tools::DirectLogitAttribution).
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let decomposition: ResidualDecomposition = Bench::embedded()?.tool()?;
/// let run = decomposition.run("When Mary and John went to the store,")?;
/// let moved = run.movement("blocks.0.resid_pre", "blocks.0.resid_post")?;
/// println!("the first block moves the last position by {:.2} of its length", moved[0][moved[0].len() - 1]);
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021; definitions of `TransformerLens` 2.18's
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

/// Which parts of the blocks [`Residuals::decompose_resid`] lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parts {
    /// Attention and MLP.
    #[default]
    All,
    /// Attention only.
    Attn,
    /// MLP only.
    Mlp,
}

/// At which places [`Residuals::accumulated_resid`] reads the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depths {
    /// Before each block.
    Blocks,
    /// Before each block, and between attention and MLP where blocks are not parallel.
    #[default]
    BlocksAndMiddles,
}

/// What [`Residuals::stack_head_results`] lists beside the heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remainder {
    /// Nothing.
    #[default]
    Without,
    /// A last component `remainder`, everything that is not a head.
    With,
}

/// The norm that [`Residuals::apply_ln`] passes components through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NormBefore {
    /// The final norm, in front of the unembedding.
    #[default]
    Unembedding,
    /// The norm in front of a layer's attention.
    Attention(usize),
    /// The norm in front of a layer's MLP.
    Mlp(usize),
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
    /// A prompt that does not fit, an architecture whose stream is not a sum (it says why), a stream that is not finite.
    pub fn run(&self, prompts: impl IntoTokens) -> Result<Residuals> {
        let tokens = prompts.into_tokens(&self.model)?;
        let stream = Stream::run(Self::NAME, &self.model, tokens, None)?;
        let last: Tensor<3> = stream.cache.get(site::resid_post(stream.n_layers() - 1))?;
        finite::check(Self::NAME, &self.model, &stream.tokens, "the stream", common::number(last.abs().sum())?)?;
        Ok(Residuals { stream })
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

    /// Embeddings, then attention and MLP output of each block before `layer`; with [`Parts::All`] they sum to the
    /// stream entering that layer (`-1`: leaving the last block).
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

    /// The stream entering each block up to `layer` (`-1`: and leaving the last).
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

    /// What each head of the blocks before `layer` adds, `L0H0, L0H1, …`; with the remainder they sum to the stream
    /// entering that layer (`-1`: leaving the last block).
    ///
    /// # Errors
    ///
    /// A layer out of range; layer 0 without a remainder, which has no component.
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

    /// Heads, MLPs, embeddings and one `bias` that gathers attention's output biases; they sum to the stream
    /// entering `layer` (`-1`: leaving the last block).
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

    /// Each component as a norm would pass it: centred where the norm centres, divided by the scale **this run** had
    /// there. The norm's own weight and bias are not applied.
    ///
    /// # Errors
    ///
    /// A layer out of range, or one without such a norm.
    pub fn apply_ln(&self, stack: &ResidStack, norm: NormBefore) -> Result<ResidStack> {
        let (norm, scale) = match (norm, &self.stream.model.net().ln_final) {
            (NormBefore::Attention(layer) | NormBefore::Mlp(layer), _) => self.block_norm(layer, norm)?,
            (NormBefore::Unembedding, Some(norm)) => (norm, self.stream.cache.get::<3>("ln_final.scale")?),
            (NormBefore::Unembedding, None) => return Ok(stack.clone()),
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

    /// Each component's part of the answer's logit, in nats: `[component, batch, pos]`. One answer serves all rows, or
    /// there is one a row.
    ///
    /// The final norm's scale is frozen; its own weight and bias and the unembedding's bias are left out.
    ///
    /// # Errors
    ///
    /// Answers that are not tokens of the model, or not as many as rows.
    pub fn logit_attrs<A: Into<Answer>>(
        &self,
        stack: &ResidStack,
        answers: impl IntoIterator<Item = A>,
    ) -> Result<Tensor<3>> {
        let directions = self.directions(answers)?;
        self.along(stack, directions)
    }

    /// The same of the answer's logit minus the wrong token's.
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

    /// How far the stream moves between two sites, `‖b - a‖ / ‖a‖` for each prompt and position: `[prompt][pos]`.
    ///
    /// # Errors
    ///
    /// A site that is not one of the stream's, and a stream that is zero at the start.
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

    /// A depth of the stream: of `n` layers there are `n + 1`.
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

    /// `[batch, d_model]`
    fn directions<A: Into<Answer>>(&self, answers: impl IntoIterator<Item = A>) -> Result<Tensor<2>> {
        let batch = self.stream.tokens.batch();
        let ids =
            answers.into_iter().map(|answer| answer.into().id(&self.stream.model)).collect::<Result<Vec<u32>>>()?;
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
    use crate::tools::testing::{Cases, Reading, Readings, close, fixture, induction_model};
    use arrakis_models::device;

    const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];

    impl Readings for ResidualDecomposition {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let run = self.run(&cases.prompt);
            let stack = |run: Result<Residuals>| common::numbers(run?.full_decomposition(-1)?.sum());
            let moved = run.as_ref().map_err(ToString::to_string);
            let moved = moved.and_then(|run| {
                let moved = run.movement("blocks.0.resid_pre", "blocks.0.resid_post");
                moved.map(|moved| moved.concat()).map_err(|error| error.to_string())
            });
            vec![Reading::numbers("movement", moved), Reading::numbers("full_decomposition", stack(run))]
        }
    }

    fn apart(a: Tensor<3>, b: Tensor<3>) -> f32 {
        device::read((a - b).abs().max()).unwrap()[0]
    }

    #[test]
    fn the_planted_copy_head_writes_its_token() {
        let run = ResidualDecomposition::new(&induction_model()).unwrap().run([3, 5, 7, 3]).unwrap();
        let written =
            device::read(run.stack_head_results(-1, Remainder::Without).unwrap().component("L1H0").unwrap()).unwrap();
        let last = &written[3 * 48..];
        let (best, _) = last.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        assert_eq!(best, 5);
    }

    #[test]
    fn every_decomposition_sums_to_the_stream() {
        for name in ["gpt2", "gpt_neo", "gpt_neox", "llama"] {
            let run = ResidualDecomposition::new(&fixture(name)).unwrap().run(PROMPT).unwrap();
            let stream = run.accumulated_resid(-1, Depths::BlocksAndMiddles).unwrap();
            let whole = stream.component("final_post").unwrap();
            close(apart(run.decompose_resid(-1, Parts::All).unwrap().sum(), whole.clone()), 0.0, 1e-5);
            close(apart(run.stack_head_results(-1, Remainder::With).unwrap().sum(), whole.clone()), 0.0, 1e-5);
            close(apart(run.full_decomposition(-1).unwrap().sum(), whole), 0.0, 1e-5);
            let entering = stream.component("1_pre").unwrap();
            close(apart(run.full_decomposition(1).unwrap().sum(), entering), 0.0, 1e-5);
        }
    }

    #[test]
    fn a_stream_moves_nowhere_from_a_point_to_itself() {
        let run = ResidualDecomposition::new(&fixture("llama")).unwrap().run(PROMPT).unwrap();
        assert_eq!(run.movement("blocks.0.resid_post", "blocks.1.resid_pre").unwrap(), [[0.0; 5]]);
        assert!(run.movement("blocks.0.resid_pre", "blocks.0.resid_post").unwrap()[0].iter().all(|moved| *moved > 0.0));
    }

    #[test]
    fn mistakes_are_named() {
        let run = ResidualDecomposition::new(&fixture("gpt2")).unwrap().run(PROMPT).unwrap();
        let stack = run.decompose_resid(-1, Parts::All).unwrap();
        assert_eq!(
            stack.component("1_atn_out").unwrap_err().to_string(),
            "residual_decomposition: no component `1_atn_out`; did you mean `1_attn_out`?"
        );
        assert_eq!(
            run.accumulated_resid(4, Depths::Blocks).unwrap_err().to_string(),
            "layer 4 is out of range: there are 4, numbered from 0"
        );
    }
}

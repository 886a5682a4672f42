//! The map from the stream at one position to a logit, which is linear once the final norm's scale is frozen.

use arrakis_models::site;
use burn::tensor::Tensor;

use super::contribution::{Contribution, NAME};
use crate::error::{Error, Result};
use crate::tools::shared::common;
use crate::tools::shared::stream::{self, Stream};

/// The sum may differ from the logit by this share of the largest contribution (at least of 1 nat).
const TOLERANCE: f64 = 1e-3;

/// The linear map from the stream at one position to a signed sum of logits, with the final norm's scale frozen.
pub(super) struct Readout {
    pub(super) stream: Stream,
    /// Tokens, each with its sign.
    terms: Vec<(u32, f32)>,
    pub(super) pos: usize,
    /// `[d_model, 1]`
    direction: Tensor<2>,
}

impl Readout {
    pub(super) fn new(whole: &Stream, terms: Vec<(u32, f32)>, pos: usize) -> Result<Self> {
        let (ids, signs): (Vec<u32>, Vec<f32>) = terms.iter().copied().unzip();
        let directions = stream::unembed_directions(&whole.model, &ids)?;
        let signs = Tensor::<1>::from_floats(signs.as_slice(), whole.model.device()).reshape([signs.len(), 1]);
        let direction = (directions * signs).sum_dim(0).transpose();
        Ok(Self { stream: whole.at(pos)?, terms, pos, direction })
    }

    /// What vectors `[n, d_model]` contribute, `[n, 1]`.
    pub(super) fn along(&self, vectors: Tensor<2>) -> Tensor<2> {
        let normed = match (&self.stream.model.net().ln_final, self.stream.cache.get::<3>("ln_final.scale")) {
            (Some(norm), Ok(scale)) => stream::frozen(norm, vectors, scale.reshape([1, 1])),
            _ => vectors,
        };
        normed.matmul(self.direction.clone())
    }

    /// What every component contributes, and the biases after the stream.
    pub(super) fn components(&self) -> Result<Vec<Contribution>> {
        let stream = &self.stream;
        let d_model = stream.model.config().d_model;
        let mut found: Vec<(String, Option<usize>, Option<usize>)> = Vec::new();
        let mut vectors: Vec<Tensor<2>> = Vec::new();
        for (name, vector) in stream.embeddings()? {
            found.push((name, None, None));
            vectors.push(vector.reshape([1, d_model]));
        }
        let mut bias = Tensor::zeros([1, d_model], stream.model.device());
        for layer in 0..stream.n_layers() {
            let heads = stream.model.config().n_heads;
            found.extend((0..heads).map(|head| (format!("L{layer}H{head}"), Some(layer), Some(head))));
            vectors.push(stream.head_results(layer)?.reshape([heads, d_model]));
            found.push((format!("{layer}_mlp_out"), Some(layer), None));
            vectors.push(stream.cache.get::<3>(site::mlp_out(layer))?.reshape([1, d_model]));
            bias = bias + stream.attn_bias(layer)?.reshape([1, d_model]);
        }
        found.push(("bias".into(), None, None));
        vectors.push(bias);
        let values = common::numbers(self.along(Tensor::cat(vectors, 0)))?;
        let mut components: Vec<_> = found
            .into_iter()
            .zip(values)
            .map(|((label, layer, head), value)| Contribution { label, layer, head, value, per_prompt: Vec::new() })
            .collect();
        components.push(Contribution {
            label: "unembed_bias".into(),
            layer: None,
            head: None,
            value: self.constant()?,
            per_prompt: Vec::new(),
        });
        Ok(components)
    }

    /// Checks that neurons and the output bias add up to what the whole MLP contributes.
    pub(super) fn check_neurons(&self, layer: usize, values: &[f64]) -> Result<()> {
        let d_model = self.stream.model.config().d_model;
        let both = vec![
            self.stream.mlp_bias(layer)?.reshape([1, d_model]),
            self.stream.cache.get::<3>(site::mlp_out(layer))?.reshape([1, d_model]),
        ];
        let both = common::numbers(self.along(Tensor::cat(both, 0)))?;
        check_sum(&[values, &both[..1]].concat(), both[1])
    }

    /// Checks that the positions attended to add up to what the layer's heads contribute.
    pub(super) fn check_sources(&self, layer: usize, values: &[f64]) -> Result<()> {
        let config = self.stream.model.config();
        let heads = self.stream.head_results(layer)?.reshape([config.n_heads, config.d_model]);
        check_sum(values, common::numbers(self.along(heads))?.iter().sum())
    }

    /// What the final norm's and the unembedding's biases contribute.
    fn constant(&self) -> Result<f64> {
        let model = &self.stream.model;
        let b_u = common::numbers(model.b_u())?;
        let own = self.signed(&b_u);
        let own = own * model.config().logit_scale.unwrap_or(1.0);
        match model.net().ln_final.as_ref().and_then(|norm| norm.bias.as_ref()) {
            Some(bias) => Ok(own + common::numbers(bias.val().unsqueeze::<2>().matmul(self.direction.clone()))?[0]),
            None => Ok(own),
        }
    }

    /// The sum of logits itself: from the model's logits, or from the stream if the model caps its logits.
    pub(super) fn total(&self, logits: Tensor<3>) -> Result<f64> {
        let model = &self.stream.model;
        if model.config().final_softcap.is_some() {
            let last = self.stream.cache.get::<3>(site::resid_post(self.stream.n_layers() - 1))?;
            return Ok(common::numbers(self.along(last.reshape([1, model.config().d_model])))?[0] + self.constant()?);
        }
        Ok(self.signed(&common::numbers(logits.narrow(1, self.pos, 1))?))
    }

    /// The sum of the tokens' numbers, each with its sign.
    fn signed(&self, of_vocabulary: &[f64]) -> f64 {
        self.terms.iter().map(|(token, sign)| f64::from(*sign) * of_vocabulary[*token as usize]).sum()
    }
}

/// Checks that the parts add up to the whole.
pub(super) fn check_sum(parts: &[f64], total: f64) -> Result<()> {
    let sum: f64 = parts.iter().sum();
    let scale = parts.iter().map(|part| part.abs()).fold(1.0, f64::max);
    if (sum - total).abs() <= TOLERANCE * scale {
        return Ok(());
    }
    let problem = format!(
        "the contributions add up to {sum}, not to {total}; this tool does not know the architecture: please report it"
    );
    Err(Error::Tool { tool: NAME, problem })
}

//! Rewriting weights without changing what the model predicts: each step alone, or TransformerLens's set.
//!
//! A processed model keeps the raw one: [`HookedTransformer::unprocessed`] gives back the bits.
//!
//! Source: `HookedTransformer.process_weights_` of TransformerLens 2.18.

mod center;
mod fold_ln;
mod fold_value_biases;
mod refactor_attention;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::HookedTransformer;
use crate::transformer::{NormKind, NormPlacement, Transformer};

/// One rewriting of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Each norm's weight and bias moves into the matrices that read it; LayerNorm's readers are centred.
    FoldLn,
    /// What writes to the stream loses its mean over `d_model`, which LayerNorm removes anyway.
    CenterWritingWeights,
    /// Logits lose their mean over the vocabulary, which softmax does not see.
    CenterUnembed,
    /// Value biases move into the output bias: rows of a pattern sum to one.
    FoldValueBiases,
    /// Each head's `W_Q W_Kᵀ` and `W_V W_O` in the factors of their singular value decompositions: columns of queries
    /// and keys are orthogonal and as long as each other, `W_O` only rotates. Not in the default set.
    RefactorFactoredAttnMatrices,
}

impl Step {
    /// TransformerLens's default set for this model: the centring of writing weights is for LayerNorm only.
    pub fn defaults(model: &HookedTransformer) -> Vec<Self> {
        let all = [Self::FoldLn, Self::CenterWritingWeights, Self::CenterUnembed, Self::FoldValueBiases];
        all.into_iter().filter(|step| step.refusal(model.net()).is_none()).collect()
    }

    /// Why the step would change predictions or make no sense here.
    fn refusal(self, net: &Transformer) -> Option<&'static str> {
        let config = &net.config;
        match self {
            Self::FoldLn if config.norm_placement == NormPlacement::PostResidual => {
                Some("its norms write to the stream instead of reading it")
            }
            Self::FoldLn if config.d_embed.is_some() => Some("its stream is projected before the unembedding"),
            Self::CenterWritingWeights if config.norm != NormKind::LayerNorm => {
                Some("its norms do not centre, so they read the mean of the stream")
            }
            Self::CenterWritingWeights if config.norm_placement != NormPlacement::Pre => {
                Some("norms follow what writes to the stream")
            }
            Self::CenterWritingWeights if config.embed_norm || config.d_embed.is_some() => {
                Some("its embedding passes a norm or a projection first")
            }
            Self::CenterUnembed if config.final_softcap.is_some() => {
                Some("capped logits are not invariant to a constant")
            }
            Self::RefactorFactoredAttnMatrices => refactor_attention::refusal(config),
            _ => None,
        }
    }

    fn apply(self, net: Transformer) -> Result<Transformer> {
        Ok(match self {
            Self::FoldLn => fold_ln::apply(net),
            Self::CenterWritingWeights => center::writing_weights(net),
            Self::CenterUnembed => center::unembed(net),
            Self::FoldValueBiases => fold_value_biases::apply(net),
            Self::RefactorFactoredAttnMatrices => refactor_attention::apply(net)?,
        })
    }
}

impl HookedTransformer {
    /// The model with these steps done, in the order given. Log-probabilities stay the same.
    ///
    /// # Errors
    ///
    /// [`Error::LossyStep`] for a step that would change the outputs of this architecture, [`Error::NotFinite`] for weights
    /// that are not finite where a step decomposes them.
    pub fn process(&self, steps: &[Step]) -> Result<Self> {
        for step in steps {
            if let Some(why) = step.refusal(self.net()) {
                return Err(Error::LossyStep { step: format!("{step:?}"), why });
            }
        }
        let net = steps.iter().try_fold(self.net().clone(), |net, step| step.apply(net))?;
        Ok(self.processed_as(net))
    }

    /// The model with TransformerLens's default steps.
    ///
    /// # Errors
    ///
    /// As [`HookedTransformer::process`].
    pub fn processed(&self) -> Result<Self> {
        self.process(&Step::defaults(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;
    use crate::model::HookedAutoModel;
    use crate::transformer::{BlockLayout, TransformerConfig};
    use burn::tensor::activation::log_softmax;

    fn configs() -> Vec<TransformerConfig> {
        let plain = TransformerConfig::plain("test", 2, 12, 3, 20, 16);
        let mut rms = plain.clone();
        (rms.norm, rms.norm_bias, rms.n_kv_heads, rms.gated_mlp) = (NormKind::Rms, false, 1, true);
        let mut shared = plain.clone();
        (shared.block_layout, shared.tied) = (BlockLayout::ParallelSharedNorm, false);
        let mut offset = rms.clone();
        (offset.norm, offset.norm_placement) = (NormKind::RmsOffset, NormPlacement::Sandwich);
        vec![plain, rms, shared, offset]
    }

    #[test]
    fn each_step_and_all_keep_log_probabilities_and_undo_to_the_bit() {
        for config in configs() {
            let raw = HookedAutoModel::lively(&config, 3).unwrap();
            let log_probs =
                |model: &HookedTransformer| device::read(log_softmax(model.forward([1, 2, 3, 4]).unwrap(), 2)).unwrap();
            let before = log_probs(&raw);
            let steps = Step::defaults(&raw);
            for chosen in steps.iter().map(|step| vec![*step]).chain([steps.clone()]) {
                let done = raw.process(&chosen).unwrap();
                let apart = log_probs(&done).iter().zip(&before).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(apart < 1e-4, "{chosen:?}: {apart}");
                assert_ne!(device::read(done.w_u()).unwrap().len(), 0);
                assert_eq!(log_probs(&done.unprocessed()), before);
            }
        }
    }

    #[test]
    fn a_step_that_would_lose_something_is_refused() {
        let model = HookedAutoModel::lively(&configs()[1], 3).unwrap();
        let error = model.process(&[Step::CenterWritingWeights]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`CenterWritingWeights` would change the outputs: its norms do not centre, so they read the mean of the stream"
        );
    }
}

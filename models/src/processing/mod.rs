//! Rewrites weights without changing what the model predicts: single steps, or TransformerLens's set.
//!
//! A processed model keeps the raw one, which [`HookedTransformer::unprocessed`] returns bit for bit.
//!
//! Source: `HookedTransformer.process_weights_` of TransformerLens 2.18.

mod center;
mod fold_ln;
mod fold_value_biases;
mod refactor_attention;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::HookedTransformer;
use crate::transformer::{NormPlacement, Positions, Transformer};

/// One step of processing the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Moves each norm's weight and bias into the matrices that read it, and centres matrices that read a LayerNorm.
    FoldLn,
    /// Centres weights that write to the stream over `d_model`; LayerNorm removes that mean anyway.
    CenterWritingWeights,
    /// Centres logits over the vocabulary; softmax does not depend on their mean.
    CenterUnembed,
    /// Moves value biases into the output bias, which is exact because rows of a pattern sum to one.
    FoldValueBiases,
    /// Factors each head's `W_Q W_Kᵀ` and `W_V W_O` by their singular value decompositions. The columns of `W_Q` and of
    /// `W_K` are then orthogonal, with equal lengths in both; the rows of `W_O` are orthonormal. Not in the default
    /// set.
    RefactorFactoredAttnMatrices,
}

impl Step {
    /// TransformerLens's default set for this model. Weights that write to the stream are centred only with LayerNorm.
    pub fn defaults(model: &HookedTransformer) -> Vec<Self> {
        let all = [Self::FoldLn, Self::CenterWritingWeights, Self::CenterUnembed, Self::FoldValueBiases];
        all.into_iter().filter(|step| step.refusal(model.net()).is_none()).collect()
    }

    /// Why the step would change this model's predictions, or does not apply to it.
    fn refusal(self, net: &Transformer) -> Option<&'static str> {
        let config = &net.config;
        match self {
            Self::FoldLn if matches!(config.norm_placement, NormPlacement::PostResidual | NormPlacement::Carried) => {
                Some("its norms write to the stream instead of reading it")
            }
            Self::FoldLn if config.positions == Positions::Shortformer => {
                Some("queries and keys also read positions, which pass no norm")
            }
            Self::FoldLn if config.d_embed.is_some() => Some("its stream is projected before the unembedding"),
            Self::CenterWritingWeights if !config.norm.centres() => {
                Some("its norms do not centre, so they read the mean of the stream")
            }
            Self::CenterWritingWeights if config.norm_placement != NormPlacement::Pre => {
                Some("norms come after the weights that write to the stream")
            }
            Self::CenterWritingWeights if config.embed_norm || config.d_embed.is_some() => {
                Some("its embedding passes a norm or a projection first")
            }
            Self::FoldValueBiases if config.attn_sinks => Some("a sink takes part of each row of a pattern"),
            Self::FoldValueBiases if config.qkv_clip.is_some() => Some("values are clipped after their bias is added"),
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
    /// The model after these steps, in the order given. Log-probabilities stay the same.
    ///
    /// # Errors
    ///
    /// [`Error::LossyStep`] for a step that would change the outputs of this architecture, [`Error::NotFinite`] if a
    /// step decomposes weights that are not finite.
    pub fn process(&self, steps: &[Step]) -> Result<Self> {
        for step in steps {
            if let Some(why) = step.refusal(self.net()) {
                return Err(Error::LossyStep { step: format!("{step:?}"), why });
            }
        }
        let net = steps.iter().try_fold(self.net().clone(), |net, step| step.apply(net))?;
        Ok(self.processed_as(net))
    }

    /// The model after TransformerLens's default steps.
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
    use crate::transformer::{ActivationKind, BlockLayout, Experts, NormKind, TransformerConfig};
    use burn::tensor::activation::log_softmax;

    fn configs() -> Vec<TransformerConfig> {
        let plain = TransformerConfig::plain("test", 2, 12, 3, 20, 16);
        let mut rms = plain.clone();
        (rms.norm, rms.norm_bias, rms.n_kv_heads, rms.gated_mlp) = (NormKind::Rms, false, 1, true);
        let mut shared = plain.clone();
        (shared.block_layout, shared.tied) = (BlockLayout::ParallelSharedNorm, false);
        let mut offset = rms.clone();
        (offset.norm, offset.norm_placement) = (NormKind::RmsOffset, NormPlacement::Sandwich);
        let mut whole = rms.clone();
        (whole.norm, whole.norm_bias, whole.residual_scale) = (NormKind::LayerNormOffset, true, Some(0.3));
        let mut mixture = rms.clone();
        mixture.experts = Some(Experts { shared: Some(5), router_bias: true, ..Experts::new(3, 2) });
        (mixture.attn_sinks, mixture.mlp_bias) = (true, true);
        let mut bare = shared.clone();
        (bare.unweighted_norms, bare.qkv_clip) = (true, Some(0.4));
        let mut normed = plain.clone();
        (normed.activation, normed.mlp_norm) = (ActivationKind::Solu, true);
        let mut alone = plain.clone();
        (alone.attn_only, alone.positions) = (true, Positions::Shortformer);
        let mut free = plain.clone();
        (free.norm_placement, free.final_norm) = (NormPlacement::None, false);
        vec![plain, rms, shared, offset, whole, mixture, bare, normed, alone, free]
    }

    #[test]
    fn steps_keep_log_probabilities_and_are_undone_to_the_bit() {
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
    fn value_biases_stay_where_a_row_of_attention_is_not_whole_or_values_are_clipped() {
        let said = |index: usize| {
            let model = HookedAutoModel::lively(&configs()[index], 3).unwrap();
            model.process(&[Step::FoldValueBiases]).unwrap_err().to_string()
        };
        assert!(said(5).ends_with("a sink takes part of each row of a pattern"));
        assert!(said(6).ends_with("values are clipped after their bias is added"));
    }

    #[test]
    fn a_step_that_would_change_the_outputs_is_refused() {
        let model = HookedAutoModel::lively(&configs()[1], 3).unwrap();
        let error = model.process(&[Step::CenterWritingWeights]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`CenterWritingWeights` would change the outputs: its norms do not centre, so they read the mean of the stream"
        );
    }
}

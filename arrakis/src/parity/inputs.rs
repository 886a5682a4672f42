//! The inputs of a reference: ids, and a mask, types and labels if it has them.

use arrakis_models::model::HookedTransformer;
use arrakis_models::tokens::Tokens;
use burn::tensor::Tensor;

use super::Reference;
use super::compare::Comparer;
use crate::error::Result;

/// The tensors that are inputs and therefore not compared.
const NAMES: [&str; 4] = ["input_ids", "attention_mask", "token_type_ids", "labels"];

/// Inputs of the plain forward.
pub(super) struct Inputs {
    pub(super) tokens: Tokens,
    /// The original tokens at masked positions, `[batch][pos]`; `None` if each token's label is the next token.
    labels: Option<Vec<Vec<Option<u32>>>>,
}

impl Inputs {
    /// The inputs, if the reference has any.
    pub(super) fn of(reference: &Reference, model: &HookedTransformer) -> Result<Option<Self>> {
        let Some(mut tokens) = reference.tokens("input_ids")? else { return Ok(None) };
        if let Some(mask) = reference.ids("attention_mask") {
            tokens = tokens
                .with_mask(mask.rows().iter().map(|row| row.iter().map(|real| *real != 0).collect()).collect())?;
        }
        if let Some(types) = reference.tokens("token_type_ids")? {
            tokens = tokens.with_types(types.ids().to_vec())?;
        }
        // BERT counts slots, padding included.
        if model.config().bidirectional {
            let slots = vec![(0..tokens.pos() as i64).collect(); tokens.batch()];
            tokens = tokens.with_positions(slots)?;
        }
        let label = |id: &i64| u32::try_from(*id).ok();
        let labels = reference
            .ids("labels")
            .map(|labels| labels.rows().iter().map(|row| row.iter().map(label).collect()).collect());
        Ok(Some(Self { tokens, labels }))
    }

    /// Notes that these tensors are inputs.
    pub(super) fn used(comparer: &mut Comparer<'_>) {
        for name in NAMES {
            comparer.uses(name);
        }
    }

    /// `[batch][pos]`: which positions count; `None` if there is no padding.
    pub(super) fn counts(&self) -> Option<&[Vec<bool>]> {
        let padded = self.tokens.real().iter().flatten().any(|real| !real);
        padded.then(|| self.tokens.real())
    }

    /// Mean cross entropy in nats, `[1]`: of the masked tokens if there are labels, otherwise of the next token.
    pub(super) fn loss(&self, model: &HookedTransformer, logits: Tensor<3>) -> Result<Tensor<1>> {
        Ok(match &self.labels {
            Some(labels) => model.masked_loss(logits, labels)?,
            None => model.loss(logits, &self.tokens)?,
        })
    }
}

//! What each head does at the position where a name is predicted.

use arrakis::models::{HookedTransformer, Side, Tokens};
use arrakis::prelude::{Ablation, AblationKind, AttentionPatterns, Metric, Tool as _};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::text::name_mover::{self, Prompt};
use crate::text::{Split, vocab};

/// What one head does at the position where a name is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NameRole {
    /// Its layer.
    pub layer: usize,
    /// Its index in the layer.
    pub head: usize,
    /// Attention from the last token to the indirect object.
    pub to_indirect_object: f64,
    /// Attention from the last token to both occurrences of the subject.
    pub to_subject: f64,
    /// How much the logit difference (right name minus subject) falls when the head's `z` is set to zero.
    pub drop: f64,
}

/// The roles of all heads.
#[derive(Clone, Debug, PartialEq)]
pub struct NameRoles {
    /// Mean logit difference of the unmodified model, right name minus subject, in nats.
    pub logit_diff: f64,
    /// One per head, layer by layer.
    pub heads: Vec<NameRole>,
}

/// The role of every head in predicting names, on `rows` prompts with held-out names and templates.
///
/// # Errors
///
/// Those of a run.
pub fn name_roles(model: &HookedTransformer, seed: u64, rows: usize) -> Result<NameRoles> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let prompts: Vec<Prompt> =
        (0..rows).map(|_| name_mover::prompt(&mut rng, Split::HeldOut, Split::HeldOut)).collect();
    let ids: Vec<Vec<u32>> = prompts.iter().map(|prompt| prompt.tokens.clone()).collect();
    let tokens = Tokens::padded(&ids, Side::Right, vocab::END_OF_TEXT_ID)?;
    let answers = prompts.iter().map(|prompt| prompt.answer);
    let metric = Metric::logit_diffs(answers, prompts.iter().map(|prompt| prompt.wrong));
    let ablated = Ablation::new(model)?.heads(tokens, &metric, AblationKind::Zero)?;
    let mut heads = Vec::new();
    for (layer, changes) in ablated.change().values.iter().enumerate() {
        let attention = attention(model, layer, &prompts)?;
        for (head, (change, [to_indirect_object, to_subject])) in changes.iter().zip(attention).enumerate() {
            heads.push(NameRole { layer, head, to_indirect_object, to_subject, drop: -change });
        }
    }
    Ok(NameRoles { logit_diff: ablated.baseline, heads })
}

/// Mean attention of each head of a layer from the last token to the indirect object and to the subject.
fn attention(model: &HookedTransformer, layer: usize, prompts: &[Prompt]) -> Result<Vec<[f64; 2]>> {
    let tool = AttentionPatterns::new(model)?;
    let mut sums = vec![[0.0; 2]; model.config().n_heads];
    for prompt in prompts {
        let patterns = tool.patterns(prompt.tokens.clone(), layer)?;
        for (sum, pattern) in sums.iter_mut().zip(&patterns.patterns) {
            let to = |place: usize| pattern[prompt.answer_pos][place];
            sum[0] += to(prompt.io_pos);
            sum[1] += to(prompt.s1_pos) + to(prompt.s2_pos);
        }
    }
    Ok(sums.into_iter().map(|sum| sum.map(|sum| sum / prompts.len().max(1) as f64)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::embedded;
    use crate::recipe::HELD_OUT_SEED;

    #[test]
    fn the_embedded_models_heads_do_what_its_facts_say() {
        let (model, facts) = embedded();
        let found = name_roles(&model, HELD_OUT_SEED + 1, 256).unwrap();
        let close = |found: f64, fact: f64, allowed: f64| {
            assert!((found - fact).abs() < allowed, "{found} is not {fact}");
        };
        // In nats; a logit differs by rounding if its prompt is padded to another length.
        close(found.logit_diff, facts.logit_diff, 1e-4);
        assert_eq!(found.heads.len(), facts.names.len());
        for (found, fact) in found.heads.iter().zip(&facts.names) {
            assert_eq!((found.layer, found.head), (fact.layer, fact.head));
            close(found.drop, fact.drop, 1e-4);
            close(found.to_indirect_object, fact.to_indirect_object, 1e-5);
            close(found.to_subject, fact.to_subject, 1e-5);
        }
    }
}

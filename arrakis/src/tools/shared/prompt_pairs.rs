//! Pairs of prompts that differ in one thing, for studies of one answer.

mod halves;

use std::collections::BTreeMap;

use arrakis_models::{Error as ModelError, HookedTransformer, Side, Tokens};
use serde::{Deserialize, Serialize, Serializer};

use super::metric::Metric;
use crate::error::{Error, Result};

pub use halves::Halves;

/// One pair of prompts that differ in one thing, as texts.
///
/// ```
/// use arrakis::prelude::*;
/// let pair = PromptPair {
///     clean: "When Mary and John went to the store, John gave a drink to",
///     corrupted: "When Mary and John went to the store, Mary gave a drink to",
///     answer: " Mary",
///     wrong: " John",
/// };
/// # let _ = pair;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptPair<S = String> {
    /// The clean prompt.
    pub clean: S,
    /// The clean prompt with one thing changed and the same number of tokens.
    pub corrupted: S,
    /// The right next token of the clean prompt.
    pub answer: S,
    /// The wrong next token of the clean prompt.
    pub wrong: S,
}

/// Clean prompt, corrupted prompt, right and wrong next token.
impl<S> From<[S; 4]> for PromptPair<S> {
    fn from([clean, corrupted, answer, wrong]: [S; 4]) -> Self {
        Self { clean, corrupted, answer, wrong }
    }
}

/// Clean prompts, their corrupted versions, and the right and the wrong next token of each.
///
/// Prompts of different lengths share a batch, padded on the left. The results are those of each prompt alone.
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let model = HookedAutoModel::embedded()?;
/// let pairs = PromptPairs::new(&model, &[PromptPair {
///     clean: "When Mary and John went to the store, John gave a drink to",
///     corrupted: "When Mary and John went to the store, Mary gave a drink to",
///     answer: " Mary",
///     wrong: " John",
/// }])?;
/// assert!(pairs.metric().values(&model, &pairs.clean)?[0] > 0.0);
/// assert!(pairs.metric().values(&model, &pairs.corrupted)?[0] < 0.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptPairs {
    /// The clean prompts, `[prompt, pos]`.
    pub clean: Tokens,
    /// The corrupted prompts, aligned with the clean ones token by token: `[prompt, pos]`.
    pub corrupted: Tokens,
    /// The right next token of each clean prompt, `[prompt]`.
    pub answers: Vec<u32>,
    /// The wrong next token of each clean prompt, `[prompt]`.
    pub wrong: Vec<u32>,
    /// The group of each pair, such as its template, `[prompt]`; empty if they have none. Prompts of one group are not
    /// independent of each other.
    pub groups: Vec<String>,
}

impl PromptPairs {
    /// Tokenizes pairs of texts.
    ///
    /// # Errors
    ///
    /// A model without a tokenizer, an empty list, prompts of a pair that differ in length, an answer that is not one
    /// token.
    pub fn new<S: AsRef<str>>(model: &HookedTransformer, pairs: &[PromptPair<S>]) -> Result<Self> {
        let rows = |text: fn(&PromptPair<S>) -> &S| -> Result<Vec<Vec<u32>>> {
            pairs.iter().map(|pair| Ok(model.to_tokens(text(pair).as_ref())?)).collect()
        };
        let single = |text: fn(&PromptPair<S>) -> &S| -> Result<Vec<u32>> {
            pairs.iter().map(|pair| Ok(model.to_single_token(text(pair).as_ref())?)).collect()
        };
        let (clean, corrupted) = (rows(|pair| &pair.clean)?, rows(|pair| &pair.corrupted)?);
        let apart = clean.iter().zip(&corrupted).position(|(clean, corrupted)| clean.len() != corrupted.len());
        if let Some(pair) = apart {
            let problem = format!(
                "the prompts of pair {pair} have {} and {} tokens; change only words that have the same number of tokens",
                clean[pair].len(),
                corrupted[pair].len()
            );
            return Err(Error::Value { of: "PromptPairs", problem });
        }
        let padded = |rows: &[Vec<u32>]| Tokens::padded(rows, Side::Left, 0);
        Ok(Self {
            clean: padded(&clean)?,
            corrupted: padded(&corrupted)?,
            answers: single(|pair| &pair.answer)?,
            wrong: single(|pair| &pair.wrong)?,
            groups: Vec::new(),
        })
    }

    /// The pairs with the group of each, such as its template, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for another number of groups than pairs.
    pub fn with_groups(self, groups: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        if groups.len() == self.len() {
            return Ok(Self { groups, ..self });
        }
        let problem = format!("{} groups for {} pairs; give one for each", groups.len(), self.len());
        Err(Error::Value { of: "PromptPairs", problem })
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// `logit(answer) - logit(wrong)` at each prompt's last token, in nats.
    pub fn metric(&self) -> Metric {
        Metric::logit_diffs(self.answers.iter().copied(), self.wrong.iter().copied())
    }

    /// The pairs of each length, shortest first. Within one length, and with one template, a position is the same place
    /// of the sentence in every prompt.
    ///
    /// # Errors
    ///
    /// None for pairs from [`PromptPairs::new`].
    pub fn by_length(&self) -> Result<Vec<Self>> {
        let mut lengths: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (row, real) in self.clean.real().iter().enumerate() {
            lengths.entry(real.iter().filter(|real| **real).count()).or_default().push(row);
        }
        lengths.values().map(|rows| self.rows(rows)).collect()
    }

    /// Some of the pairs, without unneeded padding.
    fn rows(&self, rows: &[usize]) -> Result<Self> {
        let tokens = |tokens: &Tokens| -> Result<Tokens, ModelError> {
            let own = rows.iter().map(|row| Ok(tokens.row(*row)?.ids()[0].clone()));
            Tokens::padded(&own.collect::<Result<Vec<_>, ModelError>>()?, Side::Left, 0)
        };
        let ids = |all: &[u32]| rows.iter().map(|row| all[*row]).collect();
        Ok(Self {
            clean: tokens(&self.clean)?,
            corrupted: tokens(&self.corrupted)?,
            answers: ids(&self.answers),
            wrong: ids(&self.wrong),
            groups: rows.iter().filter_map(|row| self.groups.get(*row).cloned()).collect(),
        })
    }
}

/// The form that a record keeps: the ids of each prompt without padding, those of the answers, and the groups if there
/// are any.
impl Serialize for PromptPairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = |tokens: &Tokens| -> Vec<Vec<u32>> {
            (0..tokens.batch()).filter_map(|row| Some(tokens.row(row).ok()?.ids()[0].clone())).collect()
        };
        let (clean, corrupted, answers, wrong) = (own(&self.clean), own(&self.corrupted), &self.answers, &self.wrong);
        match &self.groups[..] {
            [] => (clean, corrupted, answers, wrong).serialize(serializer),
            groups => (clean, corrupted, answers, wrong, groups).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis_models::HookedAutoModel;

    const SHORT: PromptPair<&str> = PromptPair {
        clean: "When Mary and John went to the store, John gave a drink to",
        corrupted: "When Mary and John went to the store, Mary gave a drink to",
        answer: " Mary",
        wrong: " John",
    };
    const LONG: PromptPair<&str> = PromptPair {
        clean: "Then, Tom and Anna had a long talk at the park. Afterwards Anna said goodbye to",
        corrupted: "Then, Tom and Anna had a long talk at the park. Afterwards Tom said goodbye to",
        answer: " Tom",
        wrong: " Anna",
    };

    #[test]
    fn prompts_of_two_lengths_give_the_results_of_each_alone() {
        let model = HookedAutoModel::embedded().unwrap();
        let both = PromptPairs::new(&model, &[LONG, SHORT]).unwrap();
        let together = both.metric().values(&model, &both.clean).unwrap();
        let by_length = both.by_length().unwrap();
        assert_eq!((by_length.len(), by_length[0].len()), (2, 1));
        assert_eq!(by_length[0], PromptPairs::new(&model, &[SHORT]).unwrap(), "the shortest come first, unpadded");
        for (alone, together) in by_length.iter().rev().zip(together) {
            let alone = alone.metric().values(&model, &alone.clean).unwrap()[0];
            assert!((alone - together).abs() < 1e-4, "{alone} {together}");
        }
    }

    #[test]
    fn a_record_keeps_no_padding() {
        let model = HookedAutoModel::embedded().unwrap();
        let both = PromptPairs::new(&model, &[LONG, SHORT]).unwrap();
        let kept = serde_json::to_value(&both).unwrap();
        assert_eq!(kept[0][1], serde_json::json!(model.to_tokens(SHORT.clean).unwrap()));
        assert_eq!(kept[2], serde_json::json!(both.answers));
        assert_eq!(kept.as_array().unwrap().len(), 4);
        let grouped = serde_json::to_value(both.with_groups(["long", "short"]).unwrap()).unwrap();
        assert_eq!(grouped[4], serde_json::json!(["long", "short"]));
    }

    #[test]
    fn mistakes_are_named() {
        let model = HookedAutoModel::embedded().unwrap();
        let refused = |pair: PromptPair<&str>| PromptPairs::new(&model, &[SHORT, pair]).unwrap_err().to_string();
        assert_eq!(
            refused(PromptPair { corrupted: LONG.clean, ..SHORT }),
            format!(
                "`PromptPairs`: the prompts of pair 1 have 15 and {} tokens; change only words that have the same number of tokens",
                model.to_tokens(LONG.clean).unwrap().len()
            )
        );
        assert!(refused(PromptPair { answer: " Mary and", ..SHORT }).contains(" Mary and"));
        assert!(PromptPairs::new::<&str>(&model, &[]).is_err());
        assert_eq!(
            PromptPairs::new(&model, &[SHORT]).unwrap().with_groups(["a", "b"]).unwrap_err().to_string(),
            "`PromptPairs`: 2 groups for 1 pairs; give one for each"
        );
    }
}

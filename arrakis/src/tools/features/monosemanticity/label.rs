//! A name for a feature, made of the tokens of its examples.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::corpus::{Example, UnitExamples};
use crate::fmt::short;

/// The most tokens of a name.
const MOST: usize = 4;
/// A name stops when its tokens cover this share of the examples.
const ENOUGH: f64 = 0.9;

/// Where the tokens of a name are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// The feature is active on them.
    On,
    /// The feature is active on the token after them.
    After,
}

/// What a feature is called: the tokens that it is active on, or after, in most of its examples.
///
/// It is a claim about text, so it can be tested on other text: [`Label::says`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// Whether its tokens are those that it is active on, or those before.
    pub place: Where,
    /// The tokens and their texts, commonest first.
    pub tokens: Vec<(u32, String)>,
    /// The share of the examples that they cover, from 0 to 1.
    pub share: f64,
}

impl Label {
    /// Of the examples drawn from all quantiles, or of the highest where none were drawn. Of the two places the one whose
    /// tokens cover more; `None` without examples.
    pub(super) fn of(examples: &UnitExamples, texts: &BTreeMap<u32, String>) -> Option<Self> {
        let drawn: Vec<&Example> = examples.quantiles.iter().flat_map(|quantile| &quantile.examples).collect();
        let top: Vec<&Example> = examples.top.iter().filter(|example| example.activation > 0.0).collect();
        let examples = if drawn.is_empty() { top } else { drawn };
        let on = covering(examples.iter().map(|example| Some(example.tokens[example.at])))?;
        let after = covering(examples.iter().map(|example| Some(example.tokens[example.at.checked_sub(1)?])));
        let (place, (ids, share)) = match after {
            Some(after) if after.1 > on.1 + 0.05 => (Where::After, after),
            _ => (Where::On, on),
        };
        let tokens = ids.into_iter().map(|id| (id, texts.get(&id).cloned().unwrap_or_else(|| id.to_string())));
        Some(Self { place, tokens: tokens.collect(), share })
    }

    /// Whether the name says that the feature is active at a position of a text.
    pub fn says(&self, ids: &[u32], position: usize) -> bool {
        let at = match self.place {
            Where::On => Some(position),
            Where::After => position.checked_sub(1),
        };
        at.and_then(|at| ids.get(at)).is_some_and(|id| self.tokens.iter().any(|(own, _)| own == id))
    }
}

/// The commonest tokens, and the share that they cover.
fn covering(tokens: impl Iterator<Item = Option<u32>>) -> Option<(Vec<u32>, f64)> {
    let (mut counts, mut all) = (BTreeMap::<u32, usize>::new(), 0_usize);
    for token in tokens {
        all += 1;
        if let Some(token) = token {
            *counts.entry(token).or_default() += 1;
        }
    }
    let mut ranked: Vec<(u32, usize)> = counts.into_iter().collect();
    ranked.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
    let (mut found, mut covered) = (Vec::new(), 0);
    for (id, count) in ranked.into_iter().take(MOST) {
        if covered as f64 >= ENOUGH * all as f64 {
            break;
        }
        covered += count;
        found.push(id);
    }
    (!found.is_empty()).then(|| (found, covered as f64 / all as f64))
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place == Where::On { "on" } else { "after" };
        let tokens: Vec<String> = self.tokens.iter().map(|(_, text)| format!("{text:?}")).collect();
        write!(f, "{place} {} ({} % of examples)", tokens.join(", "), short((100.0 * self.share).round()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Unit;

    fn examples(of: &[(&[u32], usize)]) -> UnitExamples {
        let example = |(tokens, at): &(&[u32], usize)| Example {
            document: 0,
            position: 0,
            activation: 1.0,
            tokens: tokens.to_vec(),
            activations: vec![1.0; tokens.len()],
            at: *at,
        };
        let top = of.iter().map(example).collect();
        UnitExamples { unit: Unit::neuron(0, 0), tokens: 9, active: 3, top, quantiles: Vec::new() }
    }

    #[test]
    fn by_hand() {
        let texts = BTreeMap::from([(7, " to".to_owned()), (5, " Mary".to_owned())]);
        let on = Label::of(&examples(&[(&[1, 5], 1), (&[5], 0), (&[2, 5], 1), (&[3, 6], 1)]), &texts).unwrap();
        assert_eq!((on.place, on.tokens[0].0, on.share), (Where::On, 5, 1.0));
        assert_eq!(on.to_string(), "on \" Mary\", \"6\" (100 % of examples)");
        let after = Label::of(
            &examples(&[(&[7, 1], 1), (&[7, 2], 1), (&[7, 3], 1), (&[7, 4], 1), (&[7, 6], 1), (&[7, 9], 1)]),
            &texts,
        );
        let after = after.unwrap();
        assert_eq!(after.to_string(), "after \" to\" (100 % of examples)");
        assert!(after.says(&[7, 8], 1) && !after.says(&[7, 8], 0) && !after.says(&[8, 7], 1));
        assert!(on.says(&[5], 0) && !on.says(&[5], 1));
        assert_eq!(Label::of(&examples(&[]), &texts), None);
    }
}

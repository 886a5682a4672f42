//! Attention in a few numbers for each head.

use arrakis_models::{ActivationCache, HookedTransformer, Tokens, site};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tools::ScoreTable;
use crate::tools::shared::score_table::mean;
use crate::tools::shared::{common, finite};

/// How each head spreads its attention, averaged over a prompt's queries without the first, which may see only itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttentionStatistics {
    /// Entropy of the pattern in nats, `[layer][head]`: 0 for one key, the logarithm of their number for all alike.
    pub entropy: ScoreTable,
    /// Mean distance between query and key in tokens, `[layer][head]`.
    pub distance: ScoreTable,
    /// Weight on the prompt's first token, `[layer][head]`.
    pub first: ScoreTable,
    /// Weight on the query itself, `[layer][head]`.
    pub own: ScoreTable,
    /// Weight on the token before the query, `[layer][head]`.
    pub previous: ScoreTable,
}

/// One number of one query, from its weights on the prompt's own tokens, `[key]`, and its place among them.
pub(crate) type Statistic = fn(&[f64], usize) -> f64;

/// Entropy in nats. A weight that is not a number is kept, so that the entropy is not one either.
pub(crate) fn entropy(weights: &[f64], _query: usize) -> f64 {
    -weights.iter().map(|w| if *w == 0.0 { 0.0 } else { w * w.ln() }).sum::<f64>()
}

/// Mean distance in tokens.
pub(crate) fn distance(weights: &[f64], query: usize) -> f64 {
    weights.iter().enumerate().map(|(key, weight)| weight * query.abs_diff(key) as f64).sum()
}

/// Weight on the first token.
pub(crate) fn first(weights: &[f64], _query: usize) -> f64 {
    weights[0]
}

const STATISTICS: [(&str, Statistic); 5] = [
    ("entropy of attention (nats)", entropy),
    ("mean distance of attention (tokens)", distance),
    ("attention to the first token", first),
    ("attention to the query itself", |weights, query| weights[query]),
    ("attention to the token before", |weights, query| weights[query - 1]),
];

/// All statistics of a batch, whose prompts may be padded.
pub(super) fn of(tool: &'static str, model: &HookedTransformer, tokens: &Tokens) -> Result<AttentionStatistics> {
    if tokens.real().iter().any(|row| row.iter().filter(|real| **real).count() < 2) {
        let problem = "a prompt of one token has no query after the first; give at least two tokens";
        return Err(Error::Tool { tool, problem: problem.into() });
    }
    let cache = model.capture(tokens, [site::every(site::pattern)])?;
    let (n_layers, n_heads) = (model.config().n_layers, model.config().n_heads);
    let mut cells = [const { Vec::<Vec<f64>>::new() }; STATISTICS.len()];
    for layer in 0..n_layers {
        let patterns = layer_patterns(tool, model, tokens, &cache, layer)?;
        for head in 0..n_heads {
            for (cells, (_, statistic)) in cells.iter_mut().zip(STATISTICS) {
                cells.push(patterns.iter().map(|prompt| over_queries(&prompt[head], statistic)).collect());
            }
        }
    }
    let mut tables = cells.into_iter().zip(STATISTICS).map(|(cells, (units, _))| {
        ScoreTable::of_prompts(tool, units, (0..n_layers).collect(), (0..n_heads).collect(), cells)
            .map(|table| table.measured_on(tokens))
    });
    let mut next = || tables.next().expect("BUG: one table for each statistic");
    Ok(AttentionStatistics { entropy: next()?, distance: next()?, first: next()?, own: next()?, previous: next()? })
}

/// The mean over a pattern's queries, `[query][key]`, without the first.
pub(crate) fn over_queries(pattern: &[Vec<f64>], statistic: Statistic) -> f64 {
    let of: Vec<f64> = pattern.iter().enumerate().skip(1).map(|(query, weights)| statistic(weights, query)).collect();
    mean(&of)
}

/// The patterns of a layer between each prompt's own tokens, `[prompt][head][query][key]`.
fn layer_patterns(
    tool: &'static str,
    model: &HookedTransformer,
    tokens: &Tokens,
    cache: &ActivationCache,
    layer: usize,
) -> Result<Vec<Vec<Vec<Vec<f64>>>>> {
    let flat = common::numbers(cache.get::<4>(site::pattern(layer))?)?;
    let (pos, n_heads) = (tokens.pos(), model.config().n_heads);
    let weight =
        |row: usize, head: usize, query: usize, key: usize| flat[((row * n_heads + head) * pos + query) * pos + key];
    let of_row = |(row, real): (usize, &Vec<bool>)| {
        let own: Vec<usize> = (0..pos).filter(|slot| real[*slot]).collect();
        let of_query = |head, query| own.iter().map(|key| weight(row, head, query, *key)).collect::<Vec<f64>>();
        let of_head = |head| own.iter().map(|query| of_query(head, *query)).collect::<Vec<_>>();
        (0..n_heads).map(of_head).collect::<Vec<_>>()
    };
    let patterns: Vec<Vec<Vec<Vec<f64>>>> = tokens.real().iter().enumerate().map(of_row).collect();
    let all = patterns.iter().flatten().flatten().flatten().copied().collect::<Vec<f64>>();
    finite::check_all(tool, model, tokens, "an attention weight", &all)?;
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let pattern = vec![vec![1.0, 0.0, 0.0], vec![0.5, 0.5, 0.0], vec![0.25, 0.5, 0.25]];
        let [entropy, distance, first, own, previous] =
            STATISTICS.map(|(_, statistic)| over_queries(&pattern, statistic));
        let (two, three) = (2f64.ln(), 0.5 * 4f64.ln() + 0.5 * 2f64.ln());
        assert!((entropy - f64::midpoint(two, three)).abs() < 1e-12);
        assert_eq!([distance, first, own, previous], [0.75, 0.375, 0.375, 0.5]);
        assert!(STATISTICS.iter().take(2).all(|(_, statistic)| statistic(&[0.5, f64::NAN], 1).is_nan()));
    }
}

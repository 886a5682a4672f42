//! Where heads look.

pub(crate) mod statistics;

pub use self::statistics::AttentionStatistics;

use arrakis_models::{HookedTransformer, IntoTokens, site};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::plot::Attention;
use crate::tools::place::{QueryKey, TokenAt};
use crate::tools::shared::{common, finite};
use crate::tools::{Layer, Position, Score, ScoreTable, Tool};

/// Attention patterns by head: where each position looks.
///
/// # What it tells you
///
/// For each head and each query position, how attention is divided among the positions that the query can see. For all
/// heads at once, how they spread it ([`AttentionPatterns::statistics`]).
///
/// # How to read it
///
/// - A row of a pattern is a query and sums to 1.
/// - Row `q`, column `k` is the weight of key `k` in what the head writes at `q`.
/// - [`Ablation`](crate::tools::Ablation) and [`MergeHeads`](crate::tools::MergeHeads) tell whether a head matters.
/// - In a causal model a query sees itself and earlier positions. In an encoder it sees every position.
///
/// # When it misleads
///
/// - A weight says where a head reads, not what it moves or whether anything uses it. Values can be small, or
///   cancelled.
/// - Weight on the first token often means that the head does nothing (an attention sink,
///   <https://arxiv.org/abs/2309.17453>).
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `patterns`, `statistics` | 1 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let attention: AttentionPatterns = Bench::embedded()?.tool()?;
/// let heads = attention.patterns("When Mary and John went to the store,", -1)?;
/// for seen in heads.top(0, -1, 3)? {
///     println!("{} looks at {} with {:.2}", seen.query_token, seen.key_token, seen.value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// `softmax(q kᵀ · scale + mask)` of <https://arxiv.org/abs/1706.03762>, captured at `attn.pattern`.
#[derive(Clone, Debug)]
pub struct AttentionPatterns {
    model: HookedTransformer,
}

/// The patterns of one layer's heads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadPatterns {
    /// The layer.
    pub layer: usize,
    /// The tokens, `[pos]`; in a batch, those of the first prompt.
    pub tokens: Vec<TokenAt>,
    /// `[head][query][key]`, averaged over prompts. Each row sums to 1.
    pub patterns: Vec<Vec<Vec<f64>>>,
    /// Whether a query also sees later positions.
    pub bidirectional: bool,
}

impl Tool for AttentionPatterns {
    const NAME: &'static str = "attention_patterns";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl AttentionPatterns {
    /// The patterns of a layer's heads, averaged over prompts: `[head][query][key]`.
    ///
    /// # Errors
    ///
    /// A layer out of range, a prompt that does not fit the model, prompts of different lengths, attention weights that
    /// are not finite.
    pub fn patterns(&self, prompts: impl IntoTokens, layer: impl Into<Layer>) -> Result<HeadPatterns> {
        let layer = layer.into().index(self.model.config().n_layers)?;
        let tokens = common::aligned(Self::NAME, &self.model, prompts)?;
        let cache = self.model.capture(&tokens, [site::pattern(layer)])?;
        let by_head: Tensor<4> = cache.get(site::pattern(layer))?;
        let [_, heads, queries, keys] = by_head.dims();
        let flat = common::numbers(by_head.mean_dim(0))?;
        finite::check_all(Self::NAME, &self.model, &tokens, "an attention weight", &flat)?;
        let rows: Vec<Vec<f64>> = flat.chunks(keys).map(<[f64]>::to_vec).collect();
        Ok(HeadPatterns {
            layer,
            tokens: common::positions(&self.model, &tokens),
            patterns: rows.chunks(queries).take(heads).map(<[Vec<f64>]>::to_vec).collect(),
            bidirectional: self.model.config().bidirectional,
        })
    }

    /// How every head spreads its attention, in tables `[layer][head]`, with the numbers of each prompt. Prompts may have
    /// different lengths.
    ///
    /// # Errors
    ///
    /// A prompt of one token or one that does not fit the model, attention weights that are not finite.
    pub fn statistics(&self, prompts: impl IntoTokens) -> Result<AttentionStatistics> {
        statistics::of(Self::NAME, &self.model, &prompts.into_tokens(&self.model)?)
    }
}

impl HeadPatterns {
    /// One head's pattern, `[query][key]`.
    ///
    /// # Errors
    ///
    /// A head out of range.
    pub fn head(&self, head: usize) -> Result<ScoreTable<QueryKey>> {
        common::within("head", head, self.patterns.len())?;
        let units = format!("attention weight of L{}H{head}", self.layer);
        let pattern = self.patterns[head].clone();
        ScoreTable::new(AttentionPatterns::NAME, units, self.tokens.clone(), self.tokens.clone(), pattern)
    }

    /// The `k` keys that a query attends to most, largest weight first; ties by position: `[rank]`. Each has its position
    /// (`key`), its token (`key_id`, `key_token`) and its weight (`value`). Only keys that the query can see are listed, so
    /// there may be fewer.
    ///
    /// # Errors
    ///
    /// A head or a query position out of range.
    pub fn top(&self, head: usize, query: impl Into<Position>, k: usize) -> Result<Vec<Score<QueryKey>>> {
        common::within("head", head, self.patterns.len())?;
        let query = query.into().index(self.tokens.len())?;
        let seen = if self.bidirectional { self.tokens.len() } else { query + 1 };
        let row = &self.patterns[head][query][..seen];
        let units = format!("attention weight of L{}H{head}", self.layer);
        let (queries, keys) = (vec![self.tokens[query].clone()], self.tokens[..seen].to_vec());
        let row = ScoreTable::new(AttentionPatterns::NAME, units, queries, keys, vec![row.to_vec()])?;
        Ok(row.highest(k))
    }

    /// The patterns as a panel for a figure.
    pub fn panel(&self) -> Attention {
        let empty = Attention::new(self.tokens.iter().map(|at| &at.token));
        let empty = if self.bidirectional { empty.bidirectional() } else { empty };
        let heads = self.patterns.iter().enumerate();
        heads.fold(empty, |panel, (head, rows)| {
            panel.head(format!("L{}H{head}", self.layer), rows.iter().map(|row| row.iter().copied()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, close, encoder, fixture, induction_model};

    impl Readings for AttentionPatterns {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let heads = self.patterns(&cases.prompt, 0);
            let spread = self.statistics(&cases.prompt).map_err(|error| error.to_string());
            vec![
                Reading::table("entropy", spread.as_ref().map(|found| found.entropy.clone())),
                Reading::table("distance", spread.map(|found| found.distance)),
                Reading::panel("panel", heads.as_ref().map(HeadPatterns::panel)),
                Reading::table(
                    "head",
                    heads
                        .as_ref()
                        .map_err(ToString::to_string)
                        .and_then(|heads| heads.head(0).map_err(|error| error.to_string())),
                ),
                Reading::numbers(
                    "top",
                    heads.and_then(|heads| Ok(heads.top(0, 0, 9)?.into_iter().map(|key| key.value).collect())),
                ),
            ]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            vec![
                Call::new("patterns", || self.patterns(&cases.prompt, 0)),
                Call::new("statistics", || self.statistics(&cases.prompt)),
            ]
        }
    }

    #[test]
    fn the_planted_heads_look_where_they_were_built_to() {
        let tool = AttentionPatterns::new(&induction_model()).unwrap();
        let prompt = [9, 3, 5, 7, 3];
        let first = tool.patterns(prompt, 0).unwrap();
        let previous = first.top(1, 4, 1).unwrap().remove(0);
        assert_eq!((previous.key, previous.key_id, previous.key_token.as_str()), (3, 7, "7"));
        close(previous.value, 1.0, 1e-3);
        assert_eq!(tool.patterns(prompt, -1).unwrap().top(0, -1, 1).unwrap()[0].key, 2);
        let silent = first.top(0, 2, 9).unwrap();
        assert_eq!(silent.iter().map(|seen| seen.key).collect::<Vec<_>>(), [0, 1, 2]);
        close(silent[2].value, 1.0 / 3.0, 1e-6);
    }

    #[test]
    fn the_planted_heads_have_the_statistics_of_what_they_do() {
        let tool = AttentionPatterns::new(&induction_model()).unwrap();
        let found = tool.statistics([9, 3, 5, 7, 3]).unwrap();
        close(found.previous.values[0][1], 1.0, 1e-3);
        close(found.distance.values[0][1], 1.0, 1e-3);
        close(found.entropy.values[0][1], 0.0, 1e-2);
        // A head without weights looks at all of the 2, 3, 4 and 5 keys alike.
        close(found.entropy.values[0][0], (2..=5).map(|keys| f64::from(keys).ln()).sum::<f64>() / 4.0, 1e-5);
        close(found.first.values[0][0], (2..=5).map(|keys| 1.0 / f64::from(keys)).sum::<f64>() / 4.0, 1e-5);
        close(found.own.values[0][0], found.first.values[0][0], 1e-6);
    }

    #[test]
    fn the_statistics_of_a_padded_batch_are_those_of_its_prompts() {
        let tool = AttentionPatterns::new(&fixture("llama")).unwrap();
        let rows = [vec![34, 17, 29, 49], vec![5, 6]];
        for side in [arrakis_models::Side::Left, arrakis_models::Side::Right] {
            let both = tool.statistics(arrakis_models::Tokens::padded(&rows, side, 0).unwrap()).unwrap();
            for (prompt, row) in rows.iter().enumerate() {
                let alone = tool.statistics(row.as_slice()).unwrap();
                for (both, alone) in [(&both.entropy, &alone.entropy), (&both.distance, &alone.distance)] {
                    alone.cells().for_each(|cell| close(both.prompts(&cell).unwrap()[prompt], cell.value, 1e-5));
                }
            }
        }
    }

    #[test]
    fn rows_sum_to_one_and_see_no_future() {
        let tool = AttentionPatterns::new(&fixture("llama")).unwrap();
        let found = tool.patterns([78, 51, 42, 47, 101], 1).unwrap();
        for (query, row) in found.patterns.iter().flat_map(|head| head.iter().enumerate()) {
            close(row.iter().sum::<f64>(), 1.0, 1e-5);
            assert!(row[query + 1..].iter().all(|weight| *weight == 0.0));
        }
        assert_eq!(found.panel().heads[3].name, "L1H3");
    }

    #[test]
    fn an_encoder_looks_both_ways() {
        let found = AttentionPatterns::new(&encoder()).unwrap().patterns([34, 17, 29, 49], 0).unwrap();
        let mut keys: Vec<usize> = found.top(0, 0, 9).unwrap().iter().map(|seen| seen.key).collect();
        keys.sort_unstable();
        assert_eq!(keys, [0, 1, 2, 3], "the first position sees every key");
        let all: f64 = found.top(0, 0, 9).unwrap().iter().map(|seen| seen.value).sum();
        close(all, 1.0, 1e-5);
        let mut figure = crate::plot::Figure::new("encoder");
        figure.push(found.panel());
        assert!(figure.validate().is_ok());
    }

    #[test]
    fn a_batch_is_the_mean_of_its_prompts() {
        let tool = AttentionPatterns::new(&fixture("gpt2")).unwrap();
        let rows = [vec![1, 2, 3], vec![4, 5, 6]];
        let both = tool.patterns(rows.to_vec(), 0).unwrap().patterns;
        let each = rows.map(|row| tool.patterns(row, 0).unwrap().patterns);
        close(both[1][2][0], f64::midpoint(each[0][1][2][0], each[1][1][2][0]), 1e-6);
    }

    #[test]
    fn mistakes_are_named() {
        let tool = AttentionPatterns::new(&fixture("gpt2")).unwrap();
        let error = tool.patterns([1, 2], 3).unwrap_err().to_string();
        assert_eq!(error, "layer 3 is out of range: there are 3, numbered from 0");
        let found = tool.patterns([1, 2], 0).unwrap();
        let message = |head, query| found.top(head, query, 1).unwrap_err().to_string();
        assert_eq!(message(4, 0), "head 4 is out of range: there are 4, numbered from 0");
        assert_eq!(message(0, 2), "position 2 is out of range: there are 2, numbered from 0");
        assert_eq!(
            tool.statistics([1]).unwrap_err().to_string(),
            "attention_patterns: a prompt of one token has no query after the first; give at least two tokens"
        );
        let padded = arrakis_models::Tokens::padded(&[vec![1, 2], vec![3]], arrakis_models::Side::Left, 0).unwrap();
        assert_eq!(
            tool.patterns(padded, 0).unwrap_err().to_string(),
            "attention_patterns: a mean by position needs prompts of one length, and these are padded; call it once for each length"
        );
    }
}

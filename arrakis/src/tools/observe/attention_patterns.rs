//! Where heads look.

use arrakis_models::{HookedTransformer, IntoTokens, site};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::plot::Attention;
use crate::tools::Tool;
use crate::tools::shared::common;

/// Attention patterns by head: where each position looks.
///
/// *What it tells you*: for each head and each query position, how its one unit of attention is spread over
/// the positions it may see. *How to read it*: a row of the pattern is a query and sums to one; row `q`,
/// column `k` is the weight of key `k` in what the head writes at `q`. *When it misleads*: a weight says
/// where a head reads, not what it moves or whether anything uses it (values can be small, or cancelled);
/// weight on the first token is often a resting place (<https://arxiv.org/abs/2309.17453>).
/// *Source*: `softmax(q kᵀ · scale + mask)` of <https://arxiv.org/abs/1706.03762>, captured at `attn.pattern`.
#[derive(Clone, Debug)]
pub struct AttentionPatterns {
    model: HookedTransformer,
}

/// The patterns of one layer's heads over one prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadPatterns {
    /// The layer.
    pub layer: usize,
    /// Each token's text, `[pos]`.
    pub tokens: Vec<String>,
    /// `[head][query][key]`, each row summing to one.
    pub pattern: Vec<Vec<Vec<f32>>>,
}

/// A position a query attends to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attended {
    /// The key's position.
    pub pos: usize,
    /// The token there.
    pub token: String,
    /// The weight, between 0 and 1.
    pub weight: f32,
}

impl Tool for AttentionPatterns {
    const NAME: &'static str = "attention_patterns";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl AttentionPatterns {
    /// The patterns of every head of a layer, over one prompt.
    ///
    /// # Errors
    ///
    /// A layer out of range, a prompt that does not fit, or more than one prompt.
    pub fn patterns(&self, prompt: impl IntoTokens, layer: usize) -> Result<HeadPatterns> {
        common::within("layer", layer, self.model.config().n_layers)?;
        let tokens = common::one_row(Self::NAME, &self.model, prompt)?;
        let cache = self.model.capture(&tokens, [site::pattern(layer)])?;
        let by_head: Tensor<4> = cache.get(site::pattern(layer))?;
        let [_, heads, queries, keys] = by_head.dims();
        let flat = common::rows(by_head.reshape([heads * queries, keys]))?;
        let pattern = flat.chunks(queries).map(<[Vec<f32>]>::to_vec).collect();
        Ok(HeadPatterns { layer, tokens: common::labels(&self.model, &tokens), pattern })
    }

    /// One head's pattern, `[query][key]`.
    ///
    /// # Errors
    ///
    /// As [`AttentionPatterns::patterns`], and a head out of range.
    pub fn pattern(&self, prompt: impl IntoTokens, layer: usize, head: usize) -> Result<Vec<Vec<f32>>> {
        common::check_head(&self.model, layer, head)?;
        Ok(self.patterns(prompt, layer)?.pattern.swap_remove(head))
    }

    /// The `k` positions a query attends to most (all it may see where there are fewer), most first; ties by position.
    ///
    /// # Errors
    ///
    /// As [`AttentionPatterns::pattern`], and a query out of range.
    pub fn top_attended(
        &self,
        prompt: impl IntoTokens,
        layer: usize,
        head: usize,
        query: usize,
        k: usize,
    ) -> Result<Vec<Attended>> {
        common::check_head(&self.model, layer, head)?;
        let found = self.patterns(prompt, layer)?;
        common::within("query position", query, found.tokens.len())?;
        let row = &found.pattern[head][query];
        let attended = |pos: usize| Attended { pos, token: found.tokens[pos].clone(), weight: row[pos] };
        Ok(common::largest(&row[..=query], k).into_iter().map(attended).collect())
    }
}

impl HeadPatterns {
    /// As a panel for a figure.
    pub fn panel(&self) -> Attention {
        let empty = Attention::new(&self.tokens);
        let heads = self.pattern.iter().enumerate();
        heads.fold(empty, |panel, (head, rows)| {
            panel.head(format!("L{}H{head}", self.layer), rows.iter().map(|row| row.iter().copied()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture, induction_model};

    #[test]
    fn the_planted_heads_look_where_they_were_told_to() {
        let tool = AttentionPatterns::new(&induction_model()).unwrap();
        let prompt = [9, 3, 5, 7, 3];
        let previous = tool.top_attended(prompt, 0, 1, 4, 1).unwrap();
        assert_eq!((previous[0].pos, previous[0].token.as_str()), (3, "7"));
        close(previous[0].weight, 1.0, 1e-3);
        assert_eq!(tool.top_attended(prompt, 1, 0, 4, 1).unwrap()[0].pos, 2);
        let silent = tool.top_attended(prompt, 0, 0, 2, 9).unwrap();
        assert_eq!(silent.iter().map(|a| a.pos).collect::<Vec<_>>(), [0, 1, 2]);
        close(silent[2].weight, 1.0 / 3.0, 1e-6);
    }

    #[test]
    fn rows_sum_to_one_and_see_no_future() {
        let tool = AttentionPatterns::new(&fixture("llama")).unwrap();
        let found = tool.patterns([78, 51, 42, 47, 101], 1).unwrap();
        for (query, row) in found.pattern.iter().flat_map(|head| head.iter().enumerate()) {
            close(row.iter().sum(), 1.0, 1e-5);
            assert!(row[query + 1..].iter().all(|weight| *weight == 0.0));
        }
        assert_eq!(found.panel().heads[3].name, "L1H3");
    }

    #[test]
    fn mistakes_are_named() {
        let tool = AttentionPatterns::new(&fixture("gpt2")).unwrap();
        let message = |layer, head, query| tool.top_attended([1, 2], layer, head, query, 1).unwrap_err().to_string();
        assert_eq!(message(3, 0, 0), "layer 3 is out of range: there are 3, numbered from 0");
        assert_eq!(message(0, 4, 0), "head 4 is out of range: there are 4, numbered from 0");
        assert_eq!(message(0, 0, 2), "query position 2 is out of range: there are 2, numbered from 0");
        let two = tool.patterns(vec![vec![1], vec![2]], 0).unwrap_err();
        assert_eq!(two.to_string(), "attention_patterns: takes one prompt at a time, got 2; call it once for each");
    }
}

//! How many rows a forward of many rows should have.

use super::memory::{NUMBER, is_small};
use super::{HookedTransformer, RunOptions};
use crate::site::Extent;

/// Bytes that a forward of a sweep may take. Fixed, so that every machine cuts a sweep alike.
const BYTES: u64 = 512 << 20;

/// Tokens of a forward, more than the products need to be fast. The bench `parts` measures a sweep with fewer and with more.
const TOKENS: usize = 2048;

impl HookedTransformer {
    /// Rows that one forward of a sweep has: at least one, at most 2048 tokens and at most 512 MiB of working memory.
    ///
    /// A row computes `new` positions and sees `keys` of them, those that are kept included. The number follows from the
    /// sizes of the model and of the row, not from the machine.
    pub fn rows_per_forward(&self, new: usize, keys: usize, last_only: bool) -> usize {
        let in_memory = BYTES / self.row_bytes(new, keys, last_only).max(1);
        (in_memory as usize).min(TOKENS / new.max(1)).max(1)
    }

    /// How many of `rows` rows fit into half of the memory that is left: at least one.
    pub(crate) fn rows_that_fit(&self, rows: usize, new: usize, keys: usize, last_only: bool) -> usize {
        let each = self.row_bytes(new, keys, last_only);
        if is_small(each.saturating_mul(rows as u64)) {
            return rows;
        }
        let fit = self.room().map_or(u64::MAX, |room| room.bytes / 2 / each.max(1));
        usize::try_from(fit).unwrap_or(usize::MAX).clamp(1, rows.max(1))
    }

    /// Working memory of one row: that of a run, the stream between runs of blocks and, of one block, the kept keys and
    /// values before and after the new ones join them.
    fn row_bytes(&self, new: usize, keys: usize, last_only: bool) -> u64 {
        let config = self.config();
        let options = RunOptions { last_only, ..RunOptions::default() };
        let run = self.working_numbers(Extent { batch: 1, pos: new, keys }, &options, true);
        let kept = if keys > new { 4 * config.n_kv_heads * config.d_head * keys } else { 0 };
        NUMBER * (run + kept + config.d_model * new) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;
    use crate::model::HookedAutoModel;

    fn model(d_vocab: usize) -> HookedTransformer {
        HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, d_vocab, 5000), 1).unwrap()
    }

    #[test]
    fn a_small_model_is_limited_by_tokens() {
        let model = model(20);
        assert_eq!(model.rows_per_forward(5, 5, true), 409);
        assert_eq!(model.rows_per_forward(1, 5, true), 2048, "positions that are kept are not computed");
        assert_eq!(model.rows_per_forward(2049, 2049, true), 1);
    }

    /// By hand: 3 heads of scores twice, 5000 × 5000, are 600 MB. All logits of 100 tokens are 100 times those of one.
    #[test]
    fn memory_limits_long_rows_and_wide_vocabularies() {
        assert_eq!(model(20).rows_per_forward(5000, 5000, true), 1);
        let wide = model(1_000_000);
        let one = 4 * (1_000_000 * 100 + 2 * 12 * 100 + 12 * 100);
        assert_eq!(wide.rows_per_forward(100, 100, false), (512 << 20) / one);
        assert_eq!(wide.rows_per_forward(100, 100, true), 20);
    }

    #[test]
    fn what_is_small_always_fits() {
        assert_eq!(model(20).rows_that_fit(7, 5, 5, true), 7);
    }
}

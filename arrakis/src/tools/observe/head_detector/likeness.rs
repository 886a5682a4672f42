//! How similar a pattern is to that of a perfect head.

use super::measure::{ErrorMeasure, Exclude, HeadKind};

/// Where a perfect head of a kind looks, as zeros and ones: `[query][key]`. A row may have no ones, or several.
pub fn detection_pattern(kind: HeadKind, ids: &[u32]) -> Vec<Vec<f64>> {
    let looks = |query: usize, key: usize| match kind {
        HeadKind::PreviousToken => key + 1 == query,
        HeadKind::DuplicateToken => key < query && ids[key] == ids[query],
        HeadKind::Induction => key >= 1 && key <= query && key - 1 != query && ids[key - 1] == ids[query],
    };
    let row = |query: usize| (0..ids.len()).map(|key| f64::from(u8::from(looks(query, key)))).collect();
    (0..ids.len()).map(row).collect()
}

/// `TransformerLens`'s `compute_head_attention_similarity_score`.
pub(super) fn similarity(
    pattern: &[Vec<f64>],
    perfect: &[Vec<f64>],
    measure: ErrorMeasure,
    exclude: &[Exclude],
) -> f64 {
    let kept = |query: usize, key: usize| {
        !(exclude.contains(&Exclude::Bos) && key == 0 || exclude.contains(&Exclude::CurrentToken) && key == query)
    };
    let cells = || {
        (0..pattern.len())
            .flat_map(|query| (0..pattern.len()).map(move |key| (query, key)))
            .filter(|(query, key)| kept(*query, *key))
    };
    let sum = |value: &dyn Fn(usize, usize) -> f64| cells().map(|(query, key)| value(query, key)).sum::<f64>();
    match measure {
        ErrorMeasure::Mul => {
            let all = sum(&|query, key| pattern[query][key]);
            if all == 0.0 { 0.0 } else { sum(&|query, key| pattern[query][key] * perfect[query][key]) / all }
        }
        ErrorMeasure::Abs => {
            let mean = sum(&|query, key| (pattern[query][key] - perfect[query][key]).abs()) / pattern.len() as f64;
            1.0 - (mean * 1000.0).round_ties_even() / 1000.0
        }
    }
}

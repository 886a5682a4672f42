//! A model and documents for the tests.

use arrakis_models::{HookedAutoModel, HookedTransformer, TransformerConfig};

use super::Corpus;

/// Three layers of three heads, 48 neurons, 20 tokens, 16 positions, no tokenizer.
pub(super) fn model() -> HookedTransformer {
    HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap()
}

/// Documents of many lengths, one of them blank and one longer than the context.
pub(super) fn documents() -> Vec<Vec<u32>> {
    let document = |length: usize| (0..length).map(|at| ((at * at * 7 + length * 3 + at) % 20) as u32).collect();
    [5, 1, 16, 0, 3, 40, 8, 8, 2, 11, 16, 4].map(document).to_vec()
}

pub(super) fn corpus() -> Corpus {
    Corpus::tokens(documents())
}

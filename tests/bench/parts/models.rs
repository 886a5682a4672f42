//! The models that the benches run, and how long one takes to make.

use std::sync::LazyLock;

use arrakis::models::TransformerConfig;
use arrakis::prelude::*;
use criterion::{Criterion, Throughput};

/// Four blocks of GPT-2 small's width, with a small vocabulary.
pub(crate) static MODEL: LazyLock<HookedTransformer> = LazyLock::new(|| made(4, 768, 12));

fn made(layers: usize, d_model: usize, heads: usize) -> HookedTransformer {
    let config = TransformerConfig::plain("bench", layers, d_model, heads, 8192, 1024);
    HookedAutoModel::from_config(&config, 0).expect("a plain config is sound")
}

/// Ids that are the same in every run.
pub(crate) fn ids(positions: usize) -> Vec<u32> {
    (0..positions as u32).map(|at| (7 + 31 * at) % 8192).collect()
}

/// Random weights, a parameter a thing.
pub(crate) fn initialised(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from_config");
    group.sample_size(10);
    group.throughput(Throughput::Elements(made(2, 256, 4).n_params() as u64));
    group.bench_function("random weights", |bencher| bencher.iter(|| made(2, 256, 4)));
    group.finish();
}

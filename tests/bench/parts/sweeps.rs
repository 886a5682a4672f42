//! What a case of a sweep costs, by the number of cases and by the size of a forward.

use arrakis::models::Sweep;
use arrakis::prelude::*;
use criterion::{BenchmarkId, Criterion, Throughput};

use super::models::{MODEL, ids};

/// Heads zeroed one at a time, over and over at different strengths.
fn sweep(cases: usize, tokens_per_forward: Option<usize>) {
    let case = |at: usize| {
        let (layer, head) = (at % 4, at / 4 % 12);
        SweepCase::new(at.to_string(), site::z(layer), Intervention::scale(0.01 * at as f32).head(head))
    };
    let sweep = MODEL.sweep(ids(16)).expect("the ids are in the vocabulary").cases((0..cases).map(case)).last_only();
    let sweep = tokens_per_forward.into_iter().fold(sweep.quiet(), Sweep::tokens_per_forward);
    let metric = |logits: Tensor<3>| Ok::<_, Error>(logits.narrow(2, 3, 1).reshape([1]));
    sweep.run(metric).expect("every case fits");
}

/// Time for each case as cases grow: it falls until a forward is full.
pub(crate) fn cases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sweep of 16 tokens, a case");
    group.sample_size(10);
    for cases in [1, 4, 16, 64, 256, 1024] {
        group.throughput(Throughput::Elements(cases as u64));
        group.bench_function(BenchmarkId::from_parameter(cases), |bencher| bencher.iter(|| sweep(cases, None)));
    }
    group.finish();
}

/// Time for each of 512 cases as forwards grow.
pub(crate) fn size(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sweep of 16 tokens, 512 cases by tokens of a forward");
    group.sample_size(10);
    group.throughput(Throughput::Elements(512));
    for tokens in [16, 64, 256, 1024, 2048, 4096, 8192] {
        group.bench_function(BenchmarkId::from_parameter(tokens), |bencher| bencher.iter(|| sweep(512, Some(tokens))));
    }
    group.finish();
}

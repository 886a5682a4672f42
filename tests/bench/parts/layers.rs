//! Products, fused operations, a block, and both ends of a model.

use arrakis::models::RunOptions;
use arrakis::models::transformer::{Mlp, Neurons};
use arrakis::prelude::*;
use burn::tensor::Distribution;
use criterion::{BenchmarkId, Criterion, Throughput};

use super::models::{MODEL, ids};

fn random(rows: usize, width: usize) -> Tensor<3> {
    Tensor::random([1, rows, width], Distribution::Normal(0.0, 1.0), MODEL.device())
}

/// `W_in` and `W_out` of an MLP. The rate is that of multiplications with their additions.
pub(crate) fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("product");
    let mlp = mlp();
    for rows in [1, 16, 64, 256, 1024, 4096] {
        for (name, linear) in [("in", &mlp.w_in), ("out", &mlp.w_out)] {
            let [d_in, d_out] = linear.weight.dims();
            let x = random(rows, d_in);
            group.throughput(Throughput::Elements((rows * d_in * d_out) as u64));
            group.bench_function(BenchmarkId::new(name, rows), |bencher| bencher.iter(|| linear.apply(x.clone())));
        }
    }
    group.finish();
}

/// Operations on each number of a stream or of the neurons.
pub(crate) fn fused(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("elements");
    let block = MODEL.block(0).expect("the model has blocks");
    let (stream, neurons) = (random(1024, 768), random(1024, 3072));
    let norm = block.ln1.as_ref().expect("the model norms first");
    group.throughput(Throughput::Elements(1024 * 768));
    group.bench_function("norm", |bencher| bencher.iter(|| norm.apply(stream.clone())));
    group.bench_function("addition", |bencher| bencher.iter(|| stream.clone() + stream.clone()));
    let activation = mlp().activation;
    group.throughput(Throughput::Elements(1024 * 3072));
    group.bench_function("activation", |bencher| bencher.iter(|| activation.apply(neurons.clone())));
    group.finish();
}

/// A whole block. At 1 × 1024 attention is a third of it.
pub(crate) fn block(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("block");
    group.sample_size(10);
    for (batch, pos) in [(1, 16), (1, 128), (8, 128), (1, 1024)] {
        let tokens = Tokens::new(vec![ids(pos); batch]).expect("the rows are equally long");
        let stream = Tensor::random([batch, pos, 768], Distribution::Normal(0.0, 1.0), MODEL.device());
        let run =
            || MODEL.run_from(&tokens, Plan::new(), Some((0, stream.clone())), &RunOptions::new().stop_at_layer(1));
        group.throughput(Throughput::Elements((batch * pos) as u64));
        group.bench_function(format!("{batch}x{pos}"), |bencher| bencher.iter(|| run().map(|outcome| outcome.output)));
    }
    group.finish();
}

/// The embedding, and the logits of one row and of many.
pub(crate) fn ends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ends");
    let tokens = Tokens::new(vec![ids(128); 8]).expect("the rows are equally long");
    let rows = MODEL.ids(&tokens);
    group.bench_function("embed 8x128", |bencher| bencher.iter(|| MODEL.net().embed.lookup(rows.clone())));
    for rows in [1, 128] {
        let stream = random(rows, 768);
        group.bench_function(BenchmarkId::new("logits", rows), |bencher| {
            bencher.iter(|| MODEL.net().logits(stream.clone()));
        });
    }
    group.finish();
}

fn mlp() -> &'static Mlp {
    match &MODEL.block(0).expect("the model has blocks").mlp {
        Neurons::Dense(mlp) => mlp,
        Neurons::Mixture(_) | Neurons::Absent(_) => unreachable!("the model is dense"),
    }
}

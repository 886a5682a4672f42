//! What a site costs: without a run, in a run that wants nothing, and in one that wants another site.

use arrakis::prelude::*;
use burn::module::{Module, Param};
use burn::tensor::{Distribution, activation};
use criterion::Criterion;

use super::models::{MODEL, ids};

#[derive(Module, Debug)]
struct Layer {
    weight: Param<Tensor<2>>,
}

#[derive(Module, Debug)]
struct Stack {
    layers: Vec<Layer>,
}

impl Layer {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let pre = x.matmul(self.weight.val());
        let post = activation::relu(pre);
        post
    }

    /// The same without the attribute.
    fn plain(&self, x: Tensor<2>) -> Tensor<2> {
        let pre = x.matmul(self.weight.val());
        activation::relu(pre)
    }
}

impl Stack {
    #[hooked(skip(x))]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut x = x;
        for layer in &self.layers {
            x = layer.forward(x);
        }
        x
    }

    fn plain(&self, x: Tensor<2>) -> Tensor<2> {
        self.layers.iter().fold(x, |x, layer| layer.plain(x))
    }
}

/// A stack of small layers, so that sites are many beside the arithmetic.
pub(crate) fn module(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("module of 24 sites");
    let device = MODEL.device();
    let random = |shape: [usize; 2]| Tensor::random(shape, Distribution::Uniform(-0.1, 0.1), device);
    let layers = (0..12).map(|_| Layer { weight: Param::from_tensor(random([128, 128])) }).collect();
    let (stack, x) = (Stack { layers }, random([16, 128]));
    group.bench_function("plain", |bencher| bencher.iter(|| stack.plain(x.clone())));
    group.bench_function("hooked", |bencher| bencher.iter(|| stack.forward(x.clone())));
    group.bench_function("hooked, a run that wants nothing", |bencher| {
        bencher.iter(|| Plan::new().run(|| stack.forward(x.clone())).map(|outcome| outcome.output));
    });
    group.bench_function("hooked, a run that keeps the first site", |bencher| {
        bencher.iter(|| Plan::new().capture("layers.0.pre").run(|| stack.forward(x.clone())).map(|found| found.output));
    });
    group.finish();
}

/// A forward of one token, the smallest that a model does.
pub(crate) fn one(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("forward of one token");
    group.bench_function("wants nothing", |bencher| bencher.iter(|| MODEL.forward(ids(1))));
    group.bench_function("keeps the logits", |bencher| bencher.iter(|| MODEL.run_with_cache(ids(1), ["logits"])));
    group.finish();
}

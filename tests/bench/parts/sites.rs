//! What a site costs: without a run, in a run that wants nothing, and in one that wants another site.

use arrakis::prelude::*;
use criterion::Criterion;

use super::models::{MODEL, ids};
use super::stack::{Stack, WIDTH, random};

/// A stack of small layers.
pub(crate) fn module(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("module of 24 sites");
    let device = MODEL.device();
    let (stack, x) = (Stack::new(device), random([16, WIDTH], device));
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

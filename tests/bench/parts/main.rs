//! Benches of the parts of a forward, of sites and of sweeps, at the width of GPT-2 small. `tests/bench/README.md` has the
//! command.

#![allow(missing_docs, reason = "criterion's macro writes a public function")]

mod layers;
mod models;
mod sites;
#[path = "../stack.rs"]
mod stack;
mod sweeps;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    benches,
    layers::products,
    layers::fused,
    layers::block,
    layers::ends,
    sites::module,
    sites::one,
    sweeps::cases,
    sweeps::size,
    models::initialised
);
criterion_main!(benches);

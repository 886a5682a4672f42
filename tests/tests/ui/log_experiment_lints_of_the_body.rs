#![deny(unused, unconditional_recursion)]

use arrakis::prelude::*;

#[log_experiment]
fn unused(bench: &Bench, layer: usize) -> usize {
    3
}

#[log_experiment]
fn assigned(bench: &Bench, mut layer: usize) -> usize {
    layer = 4;
    3
}

#[log_experiment]
fn not_mutable(bench: &Bench, mut layer: usize) -> usize {
    layer
}

#[log_experiment]
fn unreachable(bench: &Bench, layer: usize) -> usize {
    return layer;
    layer + 1
}

#[log_experiment]
fn endless(bench: &Bench, layer: usize) -> usize {
    endless(bench, layer + 1)
}

fn main() {
    let bench = Bench::embedded().unwrap();
    let _ = [unused(&bench, 1), assigned(&bench, 1), not_mutable(&bench, 1), unreachable(&bench, 1), endless(&bench, 1)];
}

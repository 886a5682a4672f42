use arrakis::prelude::*;

#[log_experiment]
fn sweep(bench: &Bench, #[tool] depth: usize) {}

fn main() {}
